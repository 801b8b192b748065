// 8-bit codes, -128..127: two vec4u a block, columns 0..15 and 16..31.
#include "codes/parts/no_words.wgsl"
#include "codes/parts/unscaled.wgsl"
#include "codes/parts/two_vectors.wgsl"
// Only two products with int8 numbers fit into 16 bits: see matmul_int8.wgsl.
const RUN_QUADS = 1u;
const SPLITS_QUADS = true;

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  return vec4f(unpack4xI8(blockBytes(block, quad)));
}

// Codes of columns 0 and 2, 1 and 3 of a quad: the sum of one and 2^16 times the other.
fn pairCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec2i {
  let bytes = blockBytes(block, quad) ^ 0x80808080u;
  return vec2i(vec2u(bytes & 0x00ff00ffu, (bytes >> 8u) & 0x00ff00ffu)) - 0x00800080;
}
