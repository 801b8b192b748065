// Whole numbers of 3 bits, as GPTQ stores them: value = scale * (code - zero), code 0..7.
#include "codes/three.wgsl"
#include "scales/zero.wgsl"
