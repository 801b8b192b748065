// Q5_K: value = d * sc * code - dmin * m, sc and m of 32 columns.
#include "codes/five.wgsl"
#include "scales/super.wgsl"
const HAS_OFFSET = true;
const PARTS = 1u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  return vec2f(both.x * factors.x, -both.y * factors.y);
}
