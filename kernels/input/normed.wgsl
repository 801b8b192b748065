// RMSNorm (Zhang and Sennrich 2019) on the way in: W (x * w / rms(x)) = (W (x * w)) / rms(x), and the matmul reads
// all of x anyway. GATHER: row i of x is the token that logit row i names.
const NORMED = true;

#include "lib/norm.wgsl"

fn inputRow(row: u32) -> u32 {
  return select(row, batch[BATCH_LOGIT_TOKENS + row], GATHER);
}
