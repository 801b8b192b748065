// F32: groups of 32 columns as eight vec4u of bits; no scales.
#include "scales/none.wgsl"
#include "codes/parts/no_words.wgsl"
#include "codes/parts/unscaled.wgsl"
const BLOCK_VECTORS = 8u;

struct WeightBlock {
  words: array<vec4u, 8>,
}

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  var words: array<vec4u, 8>;
  for (var v = 0u; v < 8u; v++) {
    words[v] = blockVector(place, r, block, v);
  }
  return WeightBlock(words);
}

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  return bitcast<vec4f>(block.words[quad]);
}
