// NVFP4: value = half the scale of its 16 columns * twice the e2m1 number that the code names; the word is both scales, halved, as f16.
#include "codes/table.wgsl"
#include "scales/word.wgsl"
// 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12
const CODE_VALUES = vec4u(0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu);
const HAS_OFFSET = false;
const PARTS = 2u;

fn wordAffine(word: u32, part: u32) -> vec2f {
  return vec2f(select(unpack2x16float(word).x, unpack2x16float(word).y, part == 1u), 0.0);
}
