// 5-bit codes, 0..31: four bits as in codes/four.wgsl, and the fifth of column 4q+i as bit 8i+q of a word.
#include "codes/parts/vector.wgsl"
#include "codes/parts/bytes.wgsl"
const CODE_WORDS = 1u;
// Quads whose products with int8 numbers fit into 16 bits together: see matmul_int8.wgsl.
const RUN_QUADS = 2u;

alias CodeWords = vec4u;

fn loadCodeWords(place: QuadPlace, block: u32) -> CodeWords {
  return blockWord(place, block, SCALE_WORDS);
}

fn codeBytes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> u32 {
  let low = (block[quad & 3u] >> (quad / 4u * 4u)) & 0x0f0f0f0fu;
  return low | (((words[r] >> quad) & 0x01010101u) << 4u);
}

// Codes of columns 0 and 2, 1 and 3 of a quad, in the halves of a word.
fn pairCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec2i {
  let bytes = codeBytes(block, words, r, quad);
  return vec2i(vec2u(bytes & 0x00ff00ffu, (bytes >> 8u) & 0x00ff00ffu));
}
