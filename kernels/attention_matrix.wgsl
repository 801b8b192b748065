// Paged attention of many tokens by units that multiply matrices of ELEMENT and add in f32 (Dao et al. 2022;
// lib/subgroup_matrix_*.wgsl). Scores are query times key, 32 channels of the head at a time; then weights, rounded to Element, times values,
// 32 channels after the other, whose sums the invocations keep in f32. Each subgroup multiplies FRAGMENTS of the M x N parts of a
// result. Queries are divided by a power of two for each row. attend/rows.wgsl has rows, turns (of 32 keys) and options.
const X = 0u;
const POOL = 1u;
const Y = 4u;
const BATCH = 5u;
const SINKS = 6u;

#include "attend/rows.wgsl"

// Keys of a turn, and channels.
const SIDE = KEYS;
const SIDE_QUADS = SIDE / 4u;
const KEY_CHUNKS = (HEAD_QUADS + SIDE_QUADS - 1u) / SIDE_QUADS;
const VALUE_CHUNKS = (VALUE_QUADS + SIDE_QUADS - 1u) / SIDE_QUADS;
const CHUNK_VECTORS = SIDE_QUADS / VECTOR_QUADS;
const LEFT_ROWS = ROWS;           // queries [row][channel], then weights [row][key]
const RIGHT_ROWS = KEYS;          // keys and then values [key][channel]
const RESULT_STRIDE = SIDE + 4u;  // scores [row][key], then sums [row][channel]
// Parts of a result along its rows.
const ROW_PARTS = ROWS / M;
const PARTS = ROW_PARTS * (SIDE / N);
const FRAGMENTS = (PARTS + SUBGROUPS - 1u) / SUBGROUPS;
// Quads of a chunk that an invocation has the sums of.
const OUTPUTS = ROWS * SIDE_QUADS / INVOCATIONS;

#include "lib/matrix_tiles.wgsl"

var<workgroup> scales: array<f32, ROWS>;   // what queries are divided by

fn rawScore(row: u32, key: u32) -> f32 {
  return resultTile[row * RESULT_STRIDE + key] * scales[row];
}

fn keepWeight(row: u32, key: u32, weight: f32) {
  leftTile[row * STRIDE + key] = Element(weight);
}

// A part of the result; nothing behind the last.
fn storePart(part: u32, result: Result, lane: u32) {
  if (part < PARTS) {
    storeResult(part % ROW_PARTS * M * RESULT_STRIDE + part / ROW_PARTS * N, result, lane % LANES);
  }
}

fn findScales(lane: u32) {
  var largest = 0.0;
  for (var quad = lane % ROW_LANES; quad < HEAD_QUADS; quad += ROW_LANES) {
    let size = abs(queryAt(ownRow(lane), quad));
    largest = max(largest, max(max(size.x, size.y), max(size.z, size.w)));
  }
  for (var mask = 1u; mask < ROW_LANES; mask *= 2u) {
    largest = max(largest, fromPartner(largest, mask));
  }
  scales[ownRow(lane)] = powerBelow(largest);
}

fn loadQueries(chunk: u32, lane: u32) {
  for (var i = lane; i < ROWS * SIDE_QUADS; i += INVOCATIONS) {
    let row = i / SIDE_QUADS;
    putLeft(row * STRIDE + i % SIDE_QUADS * 4u, queryAt(row, chunk * SIDE_QUADS + i % SIDE_QUADS) / scales[row]);
  }
}

// A chunk of keys, or values: `kind` is 0 or 1. Past the head its last vector again, which zeros of the queries, or nobody, take.
fn loadKv(span: Span, position: u32, kvHead: u32, kind: u32, chunk: u32, lane: u32) {
  for (var i = lane; i < KEYS * CHUNK_VECTORS; i += INVOCATIONS) {
    let key = i / CHUNK_VECTORS;
    let slot = slotAt(span, position + key);
    let vector = min(chunk * CHUNK_VECTORS + i % CHUNK_VECTORS, HEAD_VECTORS - 1u);
    let stored = poolAt(slot, kind * SLOT_VALUES + kvHead * HEAD_VECTORS + vector);
    let scale = scalesAt(slot, kvHead)[kind];
    #unroll
    for (var j = 0u; j < VECTOR_QUADS; j++) {
      putRight(key * STRIDE + (i % CHUNK_VECTORS * VECTOR_QUADS + j) * 4u, unpackQuad(stored, j) * scale);
    }
  }
}

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let take = takeOf(group.x);
  let kvHead = group.y / GROUP_TILES;
  let firstPart = lane / LANES * FRAGMENTS;
  findRows(take, kvHead, group.y % GROUP_TILES * GROUP_TILE, lane);
  workgroupBarrier();
  findScales(lane);

  var sums: array<vec4f, VALUE_CHUNKS * OUTPUTS>;
  var state = Softmax(MASKED, 0.0);
  var first = take.token;
  while (first < take.end) {
    let span = spanOf(take, first);
    for (var position = span.start / KEYS * KEYS; position < span.end; position += KEYS) {
      var scores = array<Result, FRAGMENTS>();
      for (var chunk = 0u; chunk < KEY_CHUNKS; chunk++) {
        workgroupBarrier(); // what lies there has been read
        loadQueries(chunk, lane);
        loadKv(span, position, kvHead, 0u, chunk, lane);
        workgroupBarrier();
        #unroll
        for (var f = 0u; f < FRAGMENTS; f++) {
          if (firstPart + f < PARTS) {
            let rowPart = (firstPart + f) % ROW_PARTS;
            let keyPart = (firstPart + f) / ROW_PARTS;
            for (var k = 0u; k < SIDE; k += K) {
              scores[f] = multiplyAdd(loadLeft(rowPart * M * STRIDE + k), loadRightColumns(keyPart * N * STRIDE + k), scores[f], lane % LANES);
            }
          }
        }
      }
      #unroll
      for (var f = 0u; f < FRAGMENTS; f++) {
        storePart(firstPart + f, scores[f], lane);
      }
      workgroupBarrier();
      state = weigh(state, span, position, lane);
      for (var chunk = 0u; chunk < VALUE_CHUNKS; chunk++) {
        loadKv(span, position, kvHead, 1u, chunk, lane);
        workgroupBarrier();
        #unroll
        for (var f = 0u; f < FRAGMENTS; f++) {
          if (firstPart + f < PARTS) {
            let rowPart = (firstPart + f) % ROW_PARTS;
            let channelPart = (firstPart + f) / ROW_PARTS;
            var added = Result();
            for (var k = 0u; k < SIDE; k += K) {
              added = multiplyAdd(loadLeft(rowPart * M * STRIDE + k), loadRightRows(k * STRIDE + channelPart * N), added, lane % LANES);
            }
            storePart(firstPart + f, added, lane);
          }
        }
        workgroupBarrier();
        // Written out, so that sums stay in registers.
        #unroll
        for (var c = 0u; c < VALUE_CHUNKS; c++) {
          if (c == chunk) {
            #unroll
            for (var o = 0u; o < OUTPUTS; o++) {
              let i = lane + o * INVOCATIONS;
              let row = i / SIDE_QUADS;
              sums[c * OUTPUTS + o] = sums[c * OUTPUTS + o] * rescales[row] + resultQuad(row * RESULT_STRIDE + i % SIDE_QUADS * 4u);
            }
          }
        }
      }
    }
    first = span.last;
  }

  endRow(state, lane);
  workgroupBarrier();
  #unroll
  for (var c = 0u; c < VALUE_CHUNKS; c++) {
    #unroll
    for (var o = 0u; o < OUTPUTS; o++) {
      let i = lane + o * INVOCATIONS;
      storeSums(i / SIDE_QUADS, c * SIDE_QUADS + i % SIDE_QUADS, sums[c * OUTPUTS + o]);
    }
  }
}
