// BF16: the upper half of an f32.
#include "codes/halves.wgsl"
#include "scales/none.wgsl"

fn pairValues(word: u32) -> vec2f {
  return bitcast<vec2f>(vec2u(word << 16u, word & 0xffff0000u));
}
