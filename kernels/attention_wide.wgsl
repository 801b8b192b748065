// Paged attention with online softmax for GPUs (Dao et al. 2022; Kwon et al. 2023), in f32. Keys and values of a turn go through
// workgroup memory together, so that memory is waited for once; all invocations load neighbouring vectors (attend/rows.wgsl has rows, turns and options). A row's scores and sums
// are the same, bit for bit, alone or in a tile of tokens.
const X = 0u;
const POOL = 1u;
const Y = 4u;
const BATCH = 5u;
const SINKS = 6u;

#include "attend/rows.wgsl"

const ALL_QUADS = HEAD_VECTORS * VECTOR_QUADS;
// One more than there are, so that the same vector of different keys lies in different banks. It has the factors of the key and its value.
const KEY_STRIDE = HEAD_VECTORS + 1u;
const OUTPUTS = (ROWS * HEAD_QUADS + INVOCATIONS - 1u) / INVOCATIONS;

var<workgroup> queries: array<vec4f, ROWS * ALL_QUADS>;
var<workgroup> keyTile: array<vec4u, KEYS * KEY_STRIDE>;
var<workgroup> valueTile: array<vec4u, KEYS * HEAD_VECTORS>;
var<workgroup> scores: array<f32, ROWS * KEYS>;   // then weights

fn tileScales(key: u32) -> vec2f {
  return bitcast<vec4f>(keyTile[key * KEY_STRIDE + HEAD_VECTORS]).xy;
}

fn rawScore(row: u32, key: u32) -> f32 {
  return scores[row * KEYS + key] * tileScales(key).x;
}

fn keepWeight(row: u32, key: u32, weight: f32) {
  scores[row * KEYS + key] = weight * tileScales(key).y;
}

// Keys and values of KEYS positions from `position` on.
fn loadTiles(span: Span, position: u32, kvHead: u32, lane: u32) {
  for (var i = lane; i < KEYS * HEAD_VECTORS; i += INVOCATIONS) {
    let key = i / HEAD_VECTORS;
    let vector = i % HEAD_VECTORS;
    let slot = slotAt(span, position + key);
    let stored = poolAt(slot, kvHead * HEAD_VECTORS + vector);
    valueTile[i] = poolAt(slot, SLOT_VALUES + kvHead * HEAD_VECTORS + vector);
    keyTile[key * KEY_STRIDE + vector] = stored;
  }
}

fn loadScales(span: Span, position: u32, kvHead: u32, lane: u32) {
  for (var key = lane; key < KEYS; key += INVOCATIONS) {
    let scales = scalesAt(slotAt(span, position + key), kvHead);
    keyTile[key * KEY_STRIDE + HEAD_VECTORS] = bitcast<vec4u>(vec4f(scales, 0.0, 0.0));
  }
}

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let take = takeOf(group.x);
  let kvHead = group.y / GROUP_TILES;
  findRows(take, kvHead, group.y % GROUP_TILES * GROUP_TILE, lane);
  workgroupBarrier();
  for (var i = lane; i < ROWS * ALL_QUADS; i += INVOCATIONS) {
    queries[i] = queryAt(i / ALL_QUADS, i % ALL_QUADS);
  }

  var sums: array<vec4f, OUTPUTS>;
  var state = Softmax(MASKED, 0.0);
  var first = take.token;
  while (first < take.end) {
    let span = spanOf(take, first);
    for (var position = span.start / KEYS * KEYS; position < span.end; position += KEYS) {
      workgroupBarrier(); // what lies there has been read
      loadTiles(span, position, kvHead, lane);
      loadScales(span, position, kvHead, lane);
      workgroupBarrier();
      for (var i = lane; i < ROWS * KEYS; i += INVOCATIONS) {
        let row = i / KEYS;
        let key = i % KEYS;
        var score = 0.0;
        for (var v = 0u; v < HEAD_VECTORS; v++) {
          let stored = keyTile[key * KEY_STRIDE + v];
          #unroll
          for (var j = 0u; j < VECTOR_QUADS; j++) {
            score += dot(queries[row * ALL_QUADS + v * VECTOR_QUADS + j], unpackQuad(stored, j));
          }
        }
        scores[i] = score;
      }
      workgroupBarrier();
      state = weigh(state, span, position, lane);
      workgroupBarrier();
      #unroll
      for (var o = 0u; o < OUTPUTS; o++) {
        let i = min(lane + o * INVOCATIONS, ROWS * HEAD_QUADS - 1u);
        let row = i / HEAD_QUADS;
        let quad = i % HEAD_QUADS;
        var output = sums[o] * rescales[row];
        for (var key = 0u; key < KEYS; key++) {
          output += scores[row * KEYS + key] * unpackQuad(valueTile[key * HEAD_VECTORS + quad / VECTOR_QUADS], quad % VECTOR_QUADS);
        }
        sums[o] = output;
      }
    }
    first = span.last;
  }

  endRow(state, lane);
  workgroupBarrier();
  #unroll
  for (var o = 0u; o < OUTPUTS; o++) {
    let i = lane + o * INVOCATIONS;
    if (i < ROWS * HEAD_QUADS) {
      storeSums(i / HEAD_QUADS, i % HEAD_QUADS, sums[o]);
    }
  }
}
