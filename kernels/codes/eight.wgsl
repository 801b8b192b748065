// 8-bit codes, -128..127: two vec4u a block, columns 0..15 and 16..31.
#include "codes/parts/no_words.wgsl"
#include "codes/parts/unscaled.wgsl"
#include "codes/parts/two_vectors.wgsl"

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  return vec4f(unpack4xI8(blockBytes(block, quad)));
}
