// Lightning indexer (DeepSeek-V4): how much each entry that a token sees matters to it,
//   score = factor * sum over heads of weight * max(0, query . key)
// A token a workgroup, with every TILES-th run of LANES entries; a lane has an entry. Tokens that see no more than TOP_K entries have them all.
const X = 0u;
const POOL = 1u;
const UP = 2u;
const BATCH = 3u;

@group(0) @binding(4) var<storage, read_write> scores: array<f32>;   // [token][SCORES]
// HEADS as a number: a driver that knows how often a loop runs writes it out, and compiles for seconds.
struct Shape {
  heads: u32,
  factor: f32,
}
@group(0) @binding(5) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/entries.wgsl"
#include PLACE_X
#include PLACE_POOL
#include PLACE_UP
#include KV

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let seen = entriesSeen(token);
  if (seen <= TOP_K) {
    return;
  }
  let table = BATCH_TABLES + batch[BATCH_ROWS + token] * TABLE_LENGTH;
  for (var entry = group.y * LANES + lane; entry < seen; entry += TILES * LANES) {
    let slot = entrySlot(table, entry);
    var key = array<vec4f, KEY_QUADS>();
    #unroll
    for (var quad = 0u; quad < KEY_QUADS; quad++) {
      let at = VECTOR_START + quad / VECTOR_QUADS;
      key[quad] = unpackQuad(poolAt(slot + at / SLOT_VECTORS, at % SLOT_VECTORS), quad % VECTOR_QUADS);
    }
    var sum = 0.0;
    for (var head = 0u; head < shape.heads; head++) {
      var product = 0.0;
      #unroll
      for (var quad = 0u; quad < KEY_QUADS; quad++) {
        product += dot(xAt(token, HEADS * KEY_QUADS, head * KEY_QUADS + quad), key[quad]);
      }
      sum += upAt(token, HEAD_QUADS, head / 4u)[head % 4u] * max(product, 0.0);
    }
    scores[token * SCORES + entry] = sum * shape.factor;
  }
}
