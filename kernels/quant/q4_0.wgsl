// Q4_0: value = d * (code - 8), d an f16.
#include "codes/four.wgsl"
#include "scales/word.wgsl"
const HAS_OFFSET = true;
const PARTS = 1u;

fn wordAffine(word: u32, part: u32) -> vec2f {
  let scale = unpack2x16float(word).x;
  return vec2f(scale, -8.0 * scale);
}
