// y[token][row] = sum[token][row] + value * scale: the residual connection.
#include PLACE_SUM

fn finish(group: u32, lane: u32, token: u32, values: array<vec4f, QUADS>) {
  for (var q = 0u; q < QUADS; q++) {
    let quad = quadOf(group, q, lane);
    if (quad < shape.quads) {
      let place = shape.offset + quad;
      storeY(token, shape.stride, place, sumAt(token, shape.stride, place) + values[q] * shape.scale);
    }
  }
}
