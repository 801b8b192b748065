// 5-bit codes, 0..31: four bits as in codes/four.wgsl, and the fifth of column 4q+i as bit 8i+q of a word.
#include "codes/parts/vector.wgsl"
#include "codes/parts/bytes.wgsl"
const CODE_WORDS = 1u;

alias CodeWords = vec4u;

fn loadCodeWords(place: QuadPlace, block: u32) -> CodeWords {
  return blockWord(place, block, SCALE_WORDS);
}

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  let low = (block[quad & 3u] >> (quad / 4u * 4u)) & 0x0f0f0f0fu;
  return byteCodes(low | (((words[r] >> quad) & 0x01010101u) << 4u));
}
