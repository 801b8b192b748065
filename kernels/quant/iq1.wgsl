// IQ1_S, IQ1_M: value = d * sc / 8 * the value that the code names (eight times grid value and delta), sc = 2 s + 1 of 16 columns. Codes are looked up in the grid when the file is repacked.
#include "codes/table.wgsl"
#include "scales/super.wgsl"
// -7, 1, 9, 0, -9, -1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0
const CODE_VALUES = vec4u(0x000901f9u, 0x0007fff7u, 0x00000000u, 0x00000000u);
const HAS_OFFSET = false;
const PARTS = 2u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  return vec2f(both.x * factors.x * 0.125, 0.0);
}
