// 2-bit codes, 0..3: that of column 4q+i at bit 8i + 2(q % 4) of word q / 4.
#include "codes/parts/no_vector.wgsl"
#include "codes/parts/two_words.wgsl"
#include "codes/parts/bytes.wgsl"

fn codeBytes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> u32 {
  return (select(words.second[r], words.first[r], quad < 4u) >> (2u * (quad & 3u))) & 0x03030303u;
}
