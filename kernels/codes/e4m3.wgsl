// 8-bit floats e4m3 (OCP 8-bit Floating Point, FN: no infinities), laid out as in codes/eight.wgsl. An f16 with the same sign, exponent
// and fraction, subnormal numbers included, is 2^-8 of the value. The two NaN of the format become 480.
#include "codes/parts/no_words.wgsl"
#include "codes/parts/two_vectors.wgsl"

// Of bytes 0 and 2 of a word.
fn everySecond(word: u32) -> vec2f {
  return unpack2x16float(((word & 0x007f007fu) << 7u) | ((word & 0x00800080u) << 8u));
}

fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  let bytes = blockBytes(block, quad);
  let even = everySecond(bytes);
  let odd = everySecond(bytes >> 8u);
  return vec4f(even.x, odd.x, even.y, odd.y);
}

fn codeScale(quad: u32) -> vec4f {
  return vec4f(256.0);
}
