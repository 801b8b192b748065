// Q5_0: value = d * (code - 16), d an f16.
#include "codes/five.wgsl"
#include "scales/word.wgsl"
const HAS_OFFSET = true;
const PARTS = 1u;

fn wordAffine(word: u32, part: u32) -> vec2f {
  let scale = unpack2x16float(word).x;
  return vec2f(scale, -16.0 * scale);
}
