// Q6_K: value = d * sc * (code - 32), sc of 16 columns.
#include "codes/six.wgsl"
#include "scales/super.wgsl"
const HAS_OFFSET = true;
const PARTS = 2u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  let scale = both.x * factors.x;
  return vec2f(scale, -32.0 * scale);
}
