// Two f16 for a super-block of 256 columns (d, d of minima), and for each part of a block two small factors: byte 2 * part of its
// word, signed, for the scale, and the next one for the minimum. The format that includes this says what they mean:
// superAffine(both, factors) gives (scale, offset); HAS_OFFSET and PARTS.
const HAS_SCALE = true;
const SCALE_WORDS = 1u;

struct Scales {
  factors: vec4u,
  both: vec4u,
}

fn loadScales(place: QuadPlace, block: u32) -> Scales {
  return Scales(blockWord(place, block, 0u), superWord(place, block));
}

fn affineOf(scales: Scales, r: u32, part: u32) -> vec2f {
  let factors = vec2i(vec2u(scales.factors[r]) << vec2u(24u - 16u * part, 16u - 16u * part)) >> vec2u(24u);
  return superAffine(unpack2x16float(scales.both[r]), vec2f(factors));
}
