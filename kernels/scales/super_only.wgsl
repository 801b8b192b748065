// One f16 for a super-block of 256 columns and nothing else. The format that includes this says what it means:
// superAffine(both, factors) gives (scale, offset); factors are 1.
const HAS_SCALE = true;
const SCALE_WORDS = 0u;

alias Scales = vec4u;

fn loadScales(place: QuadPlace, block: u32) -> Scales {
  return superWord(place, block);
}

fn affineOf(scales: Scales, r: u32, part: u32) -> vec2f {
  return superAffine(unpack2x16float(scales[r]), vec2f(1.0));
}
