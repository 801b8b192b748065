// Q4_1: value = d * code + m, both f16.
#include "codes/four.wgsl"
#include "scales/word.wgsl"
const HAS_OFFSET = true;
const PARTS = 1u;

fn wordAffine(word: u32, part: u32) -> vec2f {
  return unpack2x16float(word);
}
