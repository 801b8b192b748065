// Whole numbers of 2 bits, as GPTQ stores them: value = scale * (code - zero), code 0..3.
#include "codes/two.wgsl"
#include "scales/zero.wgsl"
