// Whole numbers of 4 bits, as AWQ, GPTQ and compressed-tensors store them: value = scale * (code - zero), code 0..15.
#include "codes/four.wgsl"
#include "scales/zero.wgsl"
