// y[token][i] = silu(gate i) * up i (Shazeer 2020). The first half of the matrix's rows is gate, the second up;
// a lane computes both rows of an i. ROWS is even.
const HALF = ROWS / 2u;

fn rowOf(group: u32, r: u32, lane: u32) -> u32 {
  return (group * HALF + r % HALF) * LANES + lane + r / HALF * (shape.rows / 2u);
}

fn finish(group: u32, lane: u32, token: u32, values: array<f32, ROWS>) {
  for (var r = 0u; r < HALF; r++) {
    let row = rowOf(group, r, lane);
    if (row < shape.rows / 2u) {
      let gate = values[r];
      y[token * shape.stride + row] = gate / (1.0 + exp(-gate)) * values[r + HALF];
    }
  }
}
