// Q8_0: value = d * code, d an f16.
#include "codes/eight.wgsl"
#include "scales/word.wgsl"
const HAS_OFFSET = false;
const PARTS = 1u;

fn wordAffine(word: u32, part: u32) -> vec2f {
  return vec2f(unpack2x16float(word).x, 0.0);
}
