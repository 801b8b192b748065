// 4-bit codes, 0..15: one vec4u a block, byte i of word j with column 4j+i in its low half and 16+4j+i in its high one.
#include "codes/parts/vector.wgsl"
#include "codes/parts/no_words.wgsl"
// Quads whose products with int8 numbers fit into 16 bits together: see matmul_int8.wgsl.
const RUN_QUADS = 4u;

// Codes of columns 4 * quad .. 4 * quad + 3 of the block, quad 0..7, each times what codeScale takes back: not even the high
// halves are shifted, but for the topmost one, which would be negative.
fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  let word = block[quad & 3u];
  let isHigh = quad >= 4u;
  let mask = select(0x0fu, 0xf0u, isHigh);
  let last = select((word >> 24u) & 0x0fu, word >> 28u, isHigh);
  return vec4f(vec4i(vec4u(word & mask, word & (mask << 8u), word & (mask << 16u), last)));
}

fn codeScale(quad: u32) -> vec4f {
  return select(byteScale, byteScale * vec4f(vec3f(1.0 / 16.0), 1.0), quad >= 4u);
}

// Codes of a quad in the bytes of a word.
fn codeBytes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> u32 {
  return (block[quad & 3u] >> (quad / 4u * 4u)) & 0x0f0f0f0fu;
}

// Codes of columns 0 and 2, 1 and 3 of a quad, in the halves of a word.
fn pairCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec2i {
  let word = block[quad & 3u] >> (quad / 4u * 4u);
  return vec2i(vec2u(word & 0x000f000fu, (word >> 8u) & 0x000f000fu));
}
