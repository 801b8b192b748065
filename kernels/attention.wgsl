// Paged attention with online softmax (Milakov and Gimelshein 2018; Kwon et al. 2023), one item (token, run of KV positions)
// and up to GROUP_TILE of the GROUP query heads of one KV head a workgroup. A turn takes LANES positions. Their scores: a lane
// has a position, reads all of its key, and finds the queries in registers of its own; no sum goes over lanes. Their values: a lane
// has vectors of the head, and the weights go round by shuffle with a constant lane. The query heads (g) share each vector
// that is read. A token with one item gets its result (y) at once; else the item leaves unnormalised sums, which
// attention_merge joins. SEEN (attend/*.wgsl) says which keys a token sees; others are not read; a sink is one more score of a head, whose value is zero.
const X = 0u;
const POOL = 1u;
const Y = 4u;
const BATCH = 5u;
const SINKS = 6u;

@group(0) @binding(2) var<storage, read_write> partials: array<vec4f>;   // [item][head][quad]
@group(0) @binding(3) var<storage, read_write> states: array<vec2f>;     // [item][head] (largest score, sum)

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include "lib/masked.wgsl"
#include SEEN
#include PLACE_POOL
#include KV
#include SCALES
#include PLACE_X
#include PLACE_Y
#include SCORE
#include SINK

const KEY_CHUNKS = HEAD_VECTORS / KEY_LOADS;
const VALUE_CHUNKS = LANES / VALUE_LOADS;
const ALL_QUADS = HEAD_VECTORS * VECTOR_QUADS;
const SUM_QUADS = LANE_VECTORS * VECTOR_QUADS;

// Of a lane: the quads of a head that it has, one vector in LANES.
fn quadOfLane(k: u32, lane: u32) -> u32 {
  return (lane + k / VECTOR_QUADS * LANES) * VECTOR_QUADS + k % VECTOR_QUADS;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = group.x;
  let kvHead = group.y / GROUP_TILES;
  let firstInGroup = group.y % GROUP_TILES * GROUP_TILE;
  let token = batch[BATCH_ITEM_TOKENS + item];
  let end = endSeen(token, item);
  let keys = keysOf(token);
  let vector = kvHead * HEAD_VECTORS;

  var query: array<array<vec4f, ALL_QUADS>, GROUP_TILE>;
  var sums: array<array<vec4f, SUM_QUADS>, GROUP_TILE>;
  var largest: array<f32, GROUP_TILE>;
  var total: array<f32, GROUP_TILE>;
  #unroll
  for (var g = 0u; g < GROUP_TILE; g++) {
    largest[g] = MASKED;
    var own = array<vec4f, QUADS>();
    #unroll
    for (var k = 0u; k < QUADS; k++) {
      let quad = quadOfLane(k, lane);
      if (quad < HEAD_QUADS && firstInGroup + g < GROUP) {
        own[k] = xAt(token, HEADS * HEAD_QUADS, (kvHead * GROUP + firstInGroup + g) * HEAD_QUADS + quad);
      }
    }
    #unroll
    for (var i = 0u; i < ALL_QUADS; i++) {
      query[g][i] = fromLane(own[i / VECTOR_QUADS / LANES * VECTOR_QUADS + i % VECTOR_QUADS], i / VECTOR_QUADS % LANES);
    }
  }

  for (var position = firstSeen(token, item); position < end; position += LANES) {
    // Lanes past the end read what the last position has, which is the sequence's own.
    let mine = min(position + lane, end - 1u);
    let slot = slotOf(keys, mine);
    let scales = scalesAt(slot, kvHead);
    // The value matters: a variable without one is zeroed once by Dawn, not every turn of a loop.
    var scores = array<f32, GROUP_TILE>();
    #unroll
    for (var chunk = 0u; chunk < KEY_CHUNKS; chunk++) {
      var stored = array<vec4u, KEY_LOADS>();
      #unroll
      for (var u = 0u; u < KEY_LOADS; u++) {
        stored[u] = poolAt(slot, vector + chunk * KEY_LOADS + u);
      }
      #unroll
      for (var u = 0u; u < KEY_LOADS; u++) {
        #unroll
        for (var j = 0u; j < VECTOR_QUADS; j++) {
          let key = unpackQuad(stored[u], j);
          #unroll
          for (var g = 0u; g < GROUP_TILE; g++) {
            scores[g] += dot(query[g][(chunk * KEY_LOADS + u) * VECTOR_QUADS + j], key);
          }
        }
      }
    }
    #unroll
    for (var g = 0u; g < GROUP_TILE; g++) {
      let score = select(MASKED, finishScore(scores[g] * scales.x), position + lane < end);
      let next = max(largest[g], lanesMax(score));
      let rescale = exp(largest[g] - next);
      let weight = exp(score - next);
      total[g] = total[g] * rescale + weight;
      scores[g] = weight * scales.y;
      largest[g] = next;
      #unroll
      for (var k = 0u; k < SUM_QUADS; k++) {
        sums[g][k] *= rescale;
      }
    }
    #unroll
    for (var chunk = 0u; chunk < VALUE_CHUNKS; chunk++) {
      #unroll
      for (var k = 0u; k < LANE_VECTORS; k++) {
        // Lanes past the head read its last vector; their sums go nowhere.
        let mineOf = SLOT_VALUES + vector + min(lane + k * LANES, VALUE_VECTORS - 1u);
        var stored = array<vec4u, VALUE_LOADS>();
        #unroll
        for (var u = 0u; u < VALUE_LOADS; u++) {
          stored[u] = poolAt(bitsFromLane(vec4u(slot), chunk * VALUE_LOADS + u).x, mineOf);
        }
        #unroll
        for (var j = 0u; j < VECTOR_QUADS; j++) {
          var value = array<vec4f, VALUE_LOADS>();
          #unroll
          for (var u = 0u; u < VALUE_LOADS; u++) {
            value[u] = unpackQuad(stored[u], j);
          }
          #unroll
          for (var g = 0u; g < GROUP_TILE; g++) {
            var sum = sums[g][k * VECTOR_QUADS + j];
            #unroll
            for (var u = 0u; u < VALUE_LOADS; u++) {
              sum += numberFromLane(scores[g], chunk * VALUE_LOADS + u) * value[u];
            }
            sums[g][k * VECTOR_QUADS + j] = sum;
          }
        }
      }
    }
  }

  let isWhole = batch[BATCH_TOKEN_ITEMS + token + 1u] - batch[BATCH_TOKEN_ITEMS + token] == 1u;
  #unroll
  for (var g = 0u; g < GROUP_TILE; g++) {
    let isHead = firstInGroup + g < GROUP;
    let head = kvHead * GROUP + min(firstInGroup + g, GROUP - 1u);
    let all = lanesSum(total[g]);
    let ends = withSink(head, largest[g], all);
    #unroll
    for (var k = 0u; k < SUM_QUADS; k++) {
      let quad = quadOfLane(k, lane);
      if (isHead && quad < VALUE_QUADS && isWhole) {
        storeY(token, HEADS * VALUE_QUADS, head * VALUE_QUADS + quad, sums[g][k] * ends.x / ends.y);
      } else if (isHead && quad < VALUE_QUADS) {
        partials[(item * HEADS + head) * VALUE_QUADS + quad] = sums[g][k];
      }
    }
    if (isHead && lane == 0u) {
      states[item * HEADS + head] = vec2f(largest[g], all);
    }
  }
}
