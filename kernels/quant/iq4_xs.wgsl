// IQ4_XS: value = d * sc * the value that the code names, sc (less 32) of 32 columns.
#include "codes/table.wgsl"
#include "scales/super.wgsl"
// -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
const CODE_VALUES = vec4u(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);
const HAS_OFFSET = false;
const PARTS = 1u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  return vec2f(both.x * factors.x, 0.0);
}
