// Q2_K: value = d * sc * code - dmin * m, sc and m of 16 columns.
#include "codes/two.wgsl"
#include "scales/super.wgsl"
const HAS_OFFSET = true;
const PARTS = 2u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  return vec2f(both.x * factors.x, -both.y * factors.y);
}
