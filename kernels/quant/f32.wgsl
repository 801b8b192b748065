// F32: groups of 32 columns as eight vec4u of bits; no scales.
#include "scales/none.wgsl"
const BLOCK_VECTORS = 8u;
const CODE_WORDS = 0u;

struct WeightBlock {
  words: array<vec4u, 8>,
}
alias CodeWords = u32;

fn loadBlock(place: QuadPlace, r: u32, block: u32) -> WeightBlock {
  var words: array<vec4u, 8>;
  for (var v = 0u; v < 8u; v++) {
    words[v] = blockVector(place, r, block, v);
  }
  return WeightBlock(words);
}

fn loadCodeWords(place: QuadPlace, block: u32) -> CodeWords {
  return 0u;
}

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  return bitcast<vec4f>(block.words[quad]);
}

fn codeScale(quad: u32) -> vec4f {
  return vec4f(1.0);
}
