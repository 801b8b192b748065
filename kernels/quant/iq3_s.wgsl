// IQ3_S: value = d * sc * the value that the code names, sc = 2 s + 1 of 32 columns. Codes are looked up in the grid when the file is repacked.
#include "codes/table.wgsl"
#include "scales/super.wgsl"
// 1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15
const CODE_VALUES = vec4u(0x07050301u, 0x0f0d0b09u, 0xf9fbfdffu, 0xf1f3f5f7u);
const HAS_OFFSET = false;
const PARTS = 1u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  return vec2f(both.x * factors.x, 0.0);
}
