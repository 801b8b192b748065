// Rows are queries, keys, values; QUADS is even, so that a lane has what a vector of the KV pool holds. Queries, rotated and times
// shape.scale, go to y; keys, rotated, and values to their slot of the pool.
#include "lib/rope.wgsl"

fn finish(group: u32, lane: u32, token: u32, values: array<vec4f, QUADS>) {
  let turns = batch[BATCH_POSITIONS + token] * PAIRS;
  for (var q = 0u; q < QUADS; q += 2u) {
    let inMatrix = quadOf(group, q, lane);
    if (inMatrix < shape.quads) {
      let quad = inMatrix + shape.offset;
      let first = turned(values[q], quad, turns);
      let second = turned(values[q + 1u], quad + 1u, turns);
      if (quad < QUERY_QUADS) {
        storeQuery(token, quad, first);
        storeQuery(token, quad + 1u, second);
      } else {
        storeKv(batch[BATCH_SLOTS + token], quad, first, second);
      }
    }
  }
}
