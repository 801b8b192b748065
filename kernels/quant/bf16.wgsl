// BF16: the upper half of an f32.
#include "lib/halves.wgsl"

fn pairValues(word: u32) -> vec2f {
  return bitcast<vec2f>(vec2u(word << 16u, word & 0xffff0000u));
}
