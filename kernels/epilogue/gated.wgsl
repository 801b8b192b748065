// y[token][i] = activate(gate i) * up i (lib/gate.wgsl). Quads of gate and of up take turns in the matrix and QUADS is
// even, so a lane has both.
#include "lib/gate.wgsl"

fn finish(group: u32, lane: u32, token: u32, values: array<vec4f, QUADS>) {
  for (var q = 0u; q < QUADS; q += 2u) {
    let quad = quadOf(group, q, lane);
    if (quad < shape.quads) {
      storeY(token, shape.stride, (shape.offset + quad) / 2u, gated(values[q], values[q + 1u]));
    }
  }
}
