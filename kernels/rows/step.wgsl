// Rows of x one after the other, as many as the step counts. GATHER: row i is the token that logit row i names.
#include "rows/whole.wgsl"

fn rowRange(group: u32) -> RowRange {
  let first = group * TOKENS;
  return RowRange(first, min(first + TOKENS, batch[shape.count]), 0u, shape.offset);
}

fn inputRow(row: u32) -> u32 {
  return select(row, batch[BATCH_LOGIT_TOKENS + row], GATHER);
}

fn outputRow(row: u32) -> u32 {
  return row;
}
