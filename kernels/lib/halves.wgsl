// 16-bit floats: groups of 32 columns as 16 words of two values (four vec4u), row-interleaved; no scales.
// The format that includes this says what a word holds: pairValues(word) gives its low and its high value.
const BLOCK_VECTORS = 4u;
const HAS_SCALE = false;
const HAS_OFFSET = false;

struct WeightBlock {
  words: array<vec4u, 4>,
}

fn loadBlock(place: RowPlace, block: u32) -> WeightBlock {
  let index = place.codes + block * (ROW_TILE * BLOCK_VECTORS);
  return WeightBlock(array(weightCodes[index], weightCodes[index + ROW_TILE], weightCodes[index + 2u * ROW_TILE], weightCodes[index + 3u * ROW_TILE]));
}

fn blockCodes(block: WeightBlock, quad: u32) -> vec4f {
  let words = block.words[quad / 2u];
  let pair = select(words.xy, words.zw, (quad & 1u) == 1u);
  return vec4f(pairValues(pair.x), pairValues(pair.y));
}

fn blockAffine(block: WeightBlock) -> vec2f {
  return vec2f(1.0, 0.0);
}
