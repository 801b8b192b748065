// Q4_0: blocks of 32 columns, value = scale * (code - 8), the scale an f16 in the low half of a word.
#include "lib/nibbles.wgsl"

fn affineOf(word: u32) -> vec2f {
  let scale = unpack2x16float(word).x;
  return vec2f(scale, -8.0 * scale);
}
