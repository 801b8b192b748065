// MXFP4 (OCP Microscaling Formats 1.0): value = 2^(e - 128) * twice the e2m1 number that the code names; the word is that power of two as f32.
#include "codes/table.wgsl"
#include "scales/float.wgsl"
// 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12
const CODE_VALUES = vec4u(0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu);
