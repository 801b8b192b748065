// The same as gated.wgsl for one quad a lane: an even lane has gate and gets up from its neighbour. For kernels whose lanes all come here.
#include "lib/gate.wgsl"

fn finish(group: u32, lane: u32, token: u32, values: array<vec4f, QUADS>) {
  let up = quadFromPartner(values[0], 1u);
  let quad = quadOf(group, 0u, lane);
  if (lane % 2u == 0u && quad < shape.quads) {
    storeY(token, shape.stride, (shape.offset + quad) / 2u, gated(values[0], up));
  }
}
