// One word a block for its scales; the format that includes this says what it means: wordAffine(word, part) gives (scale, offset),
// HAS_OFFSET and PARTS (of a block that have scales of their own, 1 or 2).
const HAS_SCALE = true;
const SCALE_WORDS = 1u;

alias Scales = vec4u;

fn loadScales(place: QuadPlace, block: u32) -> Scales {
  return blockWord(place, block, 0u);
}

fn affineOf(scales: Scales, r: u32, part: u32) -> vec2f {
  return wordAffine(scales[r], part);
}
