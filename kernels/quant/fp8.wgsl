// FP8: value = scale * e4m3 number; the scale is that of a tensor, of a row, or of a block of rows and columns.
#include "codes/e4m3.wgsl"
#include "scales/float.wgsl"
