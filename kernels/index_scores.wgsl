// Scores of a lightning indexer (DeepSeek-AI 2025, V3.2; of V4 among entries of several tokens): of each token, for every entry that it sees,
//   score[entry] = sum over heads of weight[head] * max(0, query[head] . key[entry])
// A lane has an entry and its key in registers, through which the heads of the token go; so a score is the same in every batch.
// A workgroup takes LANES entries, and goes on where the last of its row of workgroups ended.
const X = 0u;
const GATES = 1u;
const POOL = 2u;
const BATCH = 3u;

struct Shape {
  firstToken: u32,
  headQuads: u32,      // four heads each
  weightWidth: u32,    // quads of a row with weights, and where in it they begin
  weightStart: u32,
}
@group(0) @binding(4) var<storage, read_write> scores: array<f32>;   // [token - first token][SCORE_STRIDE]
@group(0) @binding(5) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/entries.wgsl"
#include PLACE_X
#include PLACE_GATES
#include PLACE_POOL
#include KV

const KEY_QUADS = INDEX_VECTORS * VECTOR_QUADS;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = shape.firstToken + group.x;
  let visible = visibleEntries(token);
  let table = tableOf(token);
  for (var first = group.y * LANES; first < visible; first += groups.y * LANES) {
    // Lanes past the end read what the last entry has.
    let slot = entrySlot(table, min(first + lane, visible - 1u));
    var key = array<vec4f, KEY_QUADS>();
    #unroll
    for (var v = 0u; v < INDEX_VECTORS; v++) {
      let at = INDEX_START + v;
      let stored = poolAt(slot + at / SLOT_VECTORS, at % SLOT_VECTORS);
      #unroll
      for (var j = 0u; j < VECTOR_QUADS; j++) {
        key[v * VECTOR_QUADS + j] = unpackQuad(stored, j);
      }
    }
    var score = 0.0;
    for (var heads = 0u; heads < shape.headQuads; heads++) {
      var products = array<vec4f, 4>();
      #unroll
      for (var h = 0u; h < 4u; h++) {
        #unroll
        for (var quad = 0u; quad < INDEX_QUADS; quad++) {
          products[h] += xAt(token, shape.headQuads * 4u * INDEX_QUADS, (heads * 4u + h) * INDEX_QUADS + quad) * key[quad];
        }
      }
      let dots = vec4f(dot(products[0], vec4f(1.0)), dot(products[1], vec4f(1.0)), dot(products[2], vec4f(1.0)), dot(products[3], vec4f(1.0)));
      score += dot(gateAt(token, shape.weightWidth, shape.weightStart + heads), max(dots, vec4f()));
    }
    if (first + lane < visible) {
      scores[group.x * SCORE_STRIDE + first + lane] = score;
    }
  }
}
