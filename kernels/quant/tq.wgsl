// TQ1_0, TQ2_0: value = d * (code - 1).
#include "codes/two.wgsl"
#include "scales/super_only.wgsl"
const HAS_OFFSET = true;
const PARTS = 1u;

fn superAffine(both: vec2f, factors: vec2f) -> vec2f {
  return vec2f(both.x, -both.x);
}
