// Whole numbers of 8 bits, as GPTQ and compressed-tensors store them: value = scale * (code - zero), both less 128 here.
#include "codes/eight.wgsl"
#include "scales/zero.wgsl"
