// RMSNorm (Zhang and Sennrich 2019) on the way in: W (x * w / rms(x)) = (W (x * w)) / rms(x), and the matmul reads
// all of x anyway.
const NORMED = true;

#include "lib/norm.wgsl"
