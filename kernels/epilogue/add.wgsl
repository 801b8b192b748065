// y[token][row] += value: the residual connection.
#include "lib/rows.wgsl"

fn finish(group: u32, lane: u32, token: u32, values: array<f32, ROWS>) {
  for (var r = 0u; r < ROWS; r++) {
    let row = rowOf(group, r, lane);
    if (row < shape.rows) {
      y[token * shape.stride + shape.offset + row] += values[r];
    }
  }
}
