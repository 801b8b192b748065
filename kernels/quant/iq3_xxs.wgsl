// IQ3_XXS: value = d * sc / 4 * the value that the code names, sc = 2 s + 1 of 32 columns. Codes are looked up in the grid when the file is repacked.
#include "codes/table.wgsl"
#include "scales/super.wgsl"
// 4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62
const CODE_VALUES = vec4u(0x1c140c04u, 0x3e342c24u, 0xe4ecf4fcu, 0xc2ccd4dcu);
const HAS_OFFSET = false;
const PARTS = 1u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  return vec2f(both.x * factors.x * 0.25, 0.0);
}
