// 16-bit floats: groups of 32 columns as 16 words of two values (four vec4u); no scales.
// The format that includes this says what a word holds: pairValues(word) gives its low and its high value.
#include "codes/parts/no_words.wgsl"
#include "codes/parts/unscaled.wgsl"
const BLOCK_VECTORS = 4u;

struct WeightBlock {
  words: array<vec4u, 4>,
}

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  return WeightBlock(array(blockVector(place, r, block, 0u), blockVector(place, r, block, 1u), blockVector(place, r, block, 2u), blockVector(place, r, block, 3u)));
}

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  let pairs = block.words[quad / 2u];
  let pair = select(pairs.xy, pairs.zw, (quad & 1u) == 1u);
  return vec4f(pairValues(pair.x), pairValues(pair.y));
}
