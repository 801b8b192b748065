// y[token][i] = silu(gate i) * up i (Shazeer 2020). Quads of gate and of up take turns in the matrix and QUADS is even,
// so a lane has both.
fn finish(group: u32, lane: u32, token: u32, values: array<vec4f, QUADS>) {
  for (var q = 0u; q < QUADS; q += 2u) {
    let quad = quadOf(group, q, lane);
    if (quad < shape.quads) {
      let gate = values[q];
      storeY(token, shape.stride, (shape.offset + quad) / 2u, gate / (1.0 + exp(-gate)) * values[q + 1u]);
    }
  }
}
