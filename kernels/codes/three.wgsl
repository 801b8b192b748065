// 3-bit codes, 0..7: two bits as in codes/two.wgsl, and the third of column 4q+i as bit 8i+q of a third word.
#include "codes/parts/no_vector.wgsl"
#include "codes/parts/bytes.wgsl"
const CODE_WORDS = 3u;

struct CodeWords {
  first: vec4u,
  second: vec4u,
  third: vec4u,
}

fn loadCodeWords(place: QuadPlace, block: u32) -> CodeWords {
  return CodeWords(blockWord(place, block, SCALE_WORDS), blockWord(place, block, SCALE_WORDS + 1u), blockWord(place, block, SCALE_WORDS + 2u));
}

fn codeBytes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> u32 {
  let low = (select(words.second[r], words.first[r], quad < 4u) >> (2u * (quad & 3u))) & 0x03030303u;
  return low | (((words.third[r] >> quad) & 0x01010101u) << 2u);
}
