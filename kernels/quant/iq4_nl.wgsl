// IQ4_NL: value = d * the value that the code names, d an f16.
#include "codes/table.wgsl"
#include "scales/word.wgsl"
// -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
const CODE_VALUES = vec4u(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);
const HAS_OFFSET = false;
const PARTS = 1u;

fn wordAffine(word: u32, part: u32) -> vec2f {
  return vec2f(unpack2x16float(word).x, 0.0);
}
