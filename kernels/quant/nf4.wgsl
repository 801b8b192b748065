// NF4: value = absmax of a run of elements * the number that the code names.
#include "codes/nf4.wgsl"
#include "scales/float.wgsl"
