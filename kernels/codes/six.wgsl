// 6-bit codes, 0..63: four bits as in codes/four.wgsl, and the upper two of column 4q+i at bit 8i + 2(q % 4) of word q / 4.
#include "codes/parts/vector.wgsl"
#include "codes/parts/two_words.wgsl"
#include "codes/parts/bytes.wgsl"

fn codeBytes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> u32 {
  let low = (block[quad & 3u] >> (quad / 4u * 4u)) & 0x0f0f0f0fu;
  let upper = (select(words.second[r], words.first[r], quad < 4u) >> (2u * (quad & 3u))) & 0x03030303u;
  return low | (upper << 4u);
}
