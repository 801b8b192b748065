// y[token][row] = activate(value * scale).
#include ACTIVATION

fn finish(group: u32, lane: u32, token: u32, values: array<vec4f, QUADS>) {
  for (var q = 0u; q < QUADS; q++) {
    let quad = quadOf(group, q, lane);
    if (quad < shape.quads) {
      storeY(token, shape.stride, outputQuad(quad), activate(values[q] * shape.scale));
    }
  }
}
