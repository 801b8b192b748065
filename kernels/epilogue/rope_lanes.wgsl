// The same as rope.wgsl for one quad a lane: an even lane gets that of its neighbour. For kernels whose lanes all come here.
#include "lib/rope.wgsl"

fn finish(group: u32, lane: u32, token: u32, values: array<vec4f, QUADS>) {
  let inMatrix = quadOf(group, 0u, lane);
  let quad = inMatrix + shape.offset;
  let own = turned(values[0], quad, batch[BATCH_POSITIONS + token] * PAIRS);
  let next = quadFromPartner(own, 1u);
  if (inMatrix < shape.quads) {
    if (quad < QUERY_QUADS) {
      storeQuery(token, quad, own);
    } else if (lane % 2u == 0u) {
      storeKv(batch[BATCH_SLOTS + token], quad, own, next);
    }
  }
}
