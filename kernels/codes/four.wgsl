// 4-bit codes, 0..15: one vec4u a block, byte i of word j with column 4j+i in its low half and 16+4j+i in its high one.
#include "codes/parts/vector.wgsl"
#include "codes/parts/no_words.wgsl"

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

// Dot product with 32 activations: codes of columns 0..15 and 16..31, (scale, scale * sum of codes).
fn blockDotInt8(block: WeightBlock, affine: vec2f, low: vec4u, high: vec4u, scales: vec2f) -> f32 {
  let first = block & vec4u(0x0f0f0f0fu);
  let second = (block >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
  return affine.x * scales.x * f32(dotCodes(first, low) + dotCodes(second, high)) + affine.y * scales.y;
}
