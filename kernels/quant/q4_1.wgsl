// Q4_1: blocks of 32 columns, value = scale * code + offset, both f16 in one word.
#include "lib/nibbles.wgsl"

fn affineOf(word: u32) -> vec2f {
  return unpack2x16float(word);
}
