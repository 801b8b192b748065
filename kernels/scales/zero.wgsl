// value = scale * (code - zero), both in the block's word: the bits of the scale as f32, of which an f16 or a bf16 leaves the low 13
// empty, and the zero point there, signed. All of it is exact: at most 11 bits of scale times 9 bits of code and zero point.
#include "scales/word.wgsl"
const HAS_OFFSET = true;
const PARTS = 1u;

fn wordAffine(word: u32, part: u32) -> vec2f {
  let scale = bitcast<f32>(word & 0xffffe000u);
  return vec2f(scale, -scale * f32(bitcast<i32>(word << 19u) >> 19u));
}
