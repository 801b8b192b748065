// Q3_K: value = d * sc * (code - 4), sc (less 32) of 16 columns.
#include "codes/three.wgsl"
#include "scales/super.wgsl"
const HAS_OFFSET = true;
const PARTS = 2u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  let scale = both.x * factors.x;
  return vec2f(scale, -4.0 * scale);
}
