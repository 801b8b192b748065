// IQ2_XXS, IQ2_XS, IQ2_S: value = d * sc / 8 * the value that the code names, sc = 2 s + 1 of 16 columns. Codes are looked up in the grids when the file is repacked.
#include "codes/table.wgsl"
#include "scales/super.wgsl"
// 8, 25, 43, 0, 0, 0, 0, 0, -8, -25, -43, 0, 0, 0, 0, 0
const CODE_VALUES = vec4u(0x002b1908u, 0x00000000u, 0x00d5e7f8u, 0x00000000u);
const HAS_OFFSET = false;
const PARTS = 2u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  return vec2f(both.x * factors.x * 0.125, 0.0);
}
