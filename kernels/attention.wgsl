// Paged attention with online softmax (Milakov and Gimelshein 2018; Kwon et al. 2023), one item (token, run
// of KV positions) and up to GROUP_TILE of the GROUP query heads of one KV head a workgroup. Lanes hold vectors of the
// head, each one or two quads; the query heads (x) share each key and value read. A token with one item gets its result (y) at once; else the item leaves
// unnormalised sums, which attention_merge joins.
enable subgroups;
const X = 0u;
const POOL = 1u;
const Y = 4u;
const BATCH = 5u;

@group(0) @binding(2) var<storage, read_write> partials: array<vec4f>;   // [item][head][quad]
@group(0) @binding(3) var<storage, read_write> states: array<vec2f>;     // [item][head] (largest score, sum)

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include PLACE_POOL
#include KV
#include PLACE_X
#include PLACE_Y

// A vector of the pool has VECTOR_QUADS quads; a lane has VECTORS of each head.
const HEAD_VECTORS = HEAD_QUADS / VECTOR_QUADS;
const MASKED = -1e30;        // WGSL has no infinities

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = group.x;
  let kvHead = group.y / GROUP_TILES;
  let firstInGroup = group.y % GROUP_TILES * GROUP_TILE;
  let token = batch[BATCH_ITEM_TOKENS + item];
  let end = batch[BATCH_ITEM_ENDS + item];
  let table = BATCH_TABLES + batch[BATCH_ROWS + token] * TABLE_LENGTH;

  var query: array<array<vec4f, QUADS>, GROUP_TILE>;
  var sums: array<array<vec4f, QUADS>, GROUP_TILE>;
  var largest: array<f32, GROUP_TILE>;
  var total: array<f32, GROUP_TILE>;
  #unroll
  for (var g = 0u; g < GROUP_TILE; g++) {
    largest[g] = MASKED;
    #unroll
    for (var k = 0u; k < QUADS; k++) {
      let quad = (lane + k / VECTOR_QUADS * LANES) * VECTOR_QUADS + k % VECTOR_QUADS;
      if (quad < HEAD_QUADS && firstInGroup + g < GROUP) {
        query[g][k] = xAt(token, HEADS * HEAD_QUADS, (kvHead * GROUP + firstInGroup + g) * HEAD_QUADS + quad);
      }
    }
  }

  for (var position = batch[BATCH_ITEM_STARTS + item]; position < end; position += RUN) {
    let slot = batch[table + position / BLOCK_LENGTH] * BLOCK_LENGTH + position % BLOCK_LENGTH;
    let vector = kvHead * HEAD_VECTORS + lane;
    // The value matters: a variable without one is zeroed once by Dawn, not every turn of a loop.
    var scores = array<array<f32, RUN>, GROUP_TILE>();
    #unroll
    for (var k = 0u; k < VECTORS; k++) {
      #unroll
      for (var i = 0u; i < RUN; i++) {
        // Lanes past the head have a zero query, so what they read does not count.
        let stored = poolAt(slot + i, vector + k * LANES);
        #unroll
        for (var j = 0u; j < VECTOR_QUADS; j++) {
          let key = unpackQuad(stored, j);
          #unroll
          for (var g = 0u; g < GROUP_TILE; g++) {
            scores[g][i] += dot(query[g][k * VECTOR_QUADS + j], key);
          }
        }
      }
    }
    var rescale: array<f32, GROUP_TILE>;
    #unroll
    for (var g = 0u; g < GROUP_TILE; g++) {
      var next = largest[g];
      #unroll
      for (var i = 0u; i < RUN; i++) {
        scores[g][i] = select(MASKED, lanesSum(scores[g][i]), position + i < end);
        next = max(next, scores[g][i]);
      }
      rescale[g] = exp(largest[g] - next);
      total[g] *= rescale[g];
      #unroll
      for (var i = 0u; i < RUN; i++) {
        scores[g][i] = exp(scores[g][i] - next);
        total[g] += scores[g][i];
      }
      largest[g] = next;
    }
    #unroll
    for (var k = 0u; k < VECTORS; k++) {
      var stored: array<vec4u, RUN>;
      #unroll
      for (var i = 0u; i < RUN; i++) {
        stored[i] = poolAt(slot + i, SLOT_VECTORS / 2u + vector + k * LANES);
      }
      #unroll
      for (var j = 0u; j < VECTOR_QUADS; j++) {
        var value: array<vec4f, RUN>;
        #unroll
        for (var i = 0u; i < RUN; i++) {
          value[i] = unpackQuad(stored[i], j);
        }
        #unroll
        for (var g = 0u; g < GROUP_TILE; g++) {
          var sum = sums[g][k * VECTOR_QUADS + j] * rescale[g];
          #unroll
          for (var i = 0u; i < RUN; i++) {
            sum += scores[g][i] * value[i];
          }
          sums[g][k * VECTOR_QUADS + j] = sum;
        }
      }
    }
  }

  let isWhole = batch[BATCH_TOKEN_ITEMS + token + 1u] - batch[BATCH_TOKEN_ITEMS + token] == 1u;
  #unroll
  for (var g = 0u; g < GROUP_TILE; g++) {
    let head = kvHead * GROUP + firstInGroup + g;
    let isHead = firstInGroup + g < GROUP;
    #unroll
    for (var k = 0u; k < QUADS; k++) {
      let quad = (lane + k / VECTOR_QUADS * LANES) * VECTOR_QUADS + k % VECTOR_QUADS;
      if (isHead && quad < HEAD_QUADS && isWhole) {
        storeY(token, HEADS * HEAD_QUADS, head * HEAD_QUADS + quad, sums[g][k] / total[g]);
      } else if (isHead && quad < HEAD_QUADS) {
        partials[(item * HEADS + head) * HEAD_QUADS + quad] = sums[g][k];
      }
    }
    if (isHead && lane == 0u) {
      states[item * HEADS + head] = vec2f(largest[g], total[g]);
    }
  }
}
