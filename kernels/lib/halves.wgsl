// 16-bit floats: groups of 32 columns as 16 words of two values (four vec4u); no scales.
// The format that includes this says what a word holds: pairValues(word) gives its low and its high value.
const BLOCK_VECTORS = 4u;
const HAS_SCALE = false;
const HAS_OFFSET = false;

struct WeightBlock {
  words: array<vec4u, 4>,
}

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return WeightBlock(array(blockVector(place, r, block, 0u), blockVector(place, r, block, 1u), blockVector(place, r, block, 2u), blockVector(place, r, block, 3u)));
}

fn blockCodes(block: WeightBlock, quad: u32) -> vec4f {
  let words = block.words[quad / 2u];
  let pair = select(words.xy, words.zw, (quad & 1u) == 1u);
  return vec4f(pairValues(pair.x), pairValues(pair.y));
}

fn codeScale(quad: u32) -> vec4f {
  return vec4f(1.0);
}

fn affineOf(word: u32) -> vec2f {
  return vec2f(1.0, 0.0);
}
