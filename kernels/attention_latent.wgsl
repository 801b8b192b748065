// Paged attention over latent rows for GPUs (DeepSeek-AI 2024, multi-head latent attention; Dao et al. 2022), in f32: one row of a slot
// is the key of many query heads, and its first channels are their value. Rows of 576 channels and the queries of ROWS heads do not fit
// workgroup memory, so they go through it CHUNK_QUADS quads of channels at a time; sums of values stay with the invocations.
// attend/rows.wgsl has rows, turns and options. A row's scores and sums are the same, bit for bit, alone or in a tile of tokens.
const X = 0u;
const POOL = 1u;
const Y = 4u;
const BATCH = 5u;
const SINKS = 6u;

#include "attend/rows.wgsl"

const CHUNK_VECTORS = CHUNK_QUADS / VECTOR_QUADS;
const KEY_CHUNKS = (HEAD_QUADS + CHUNK_QUADS - 1u) / CHUNK_QUADS;
const VALUE_CHUNKS = (VALUE_QUADS + CHUNK_QUADS - 1u) / CHUNK_QUADS;
// One more than there are, so that the same vector of different keys lies in different banks.
const KEY_STRIDE = CHUNK_VECTORS + 1u;
// Of an invocation: scores of a turn, and quads of a chunk's sums.
const SCORES = (ROWS * KEYS + INVOCATIONS - 1u) / INVOCATIONS;
const OUTPUTS = (ROWS * CHUNK_QUADS + INVOCATIONS - 1u) / INVOCATIONS;

var<workgroup> slots: array<u32, KEYS>;
var<workgroup> queries: array<vec4f, ROWS * CHUNK_QUADS>;
var<workgroup> kvTile: array<vec4u, KEYS * KEY_STRIDE>;
var<workgroup> scores: array<f32, ROWS * KEYS>;   // then weights

fn rawScore(row: u32, key: u32) -> f32 {
  return scores[row * KEYS + key];
}

fn keepWeight(row: u32, key: u32, weight: f32) {
  scores[row * KEYS + key] = weight;
}

fn findSlots(span: Span, position: u32, lane: u32) {
  if (lane < KEYS) {
    slots[lane] = slotAt(span, position + lane);
  }
}

fn loadQueries(chunk: u32, lane: u32) {
  for (var i = lane; i < ROWS * CHUNK_QUADS; i += INVOCATIONS) {
    queries[i] = queryAt(i / CHUNK_QUADS, chunk * CHUNK_QUADS + i % CHUNK_QUADS);
  }
}

// Past the row its last vector again, which zeros of the queries, or nobody, take.
fn loadChunk(kvHead: u32, chunk: u32, lane: u32) {
  for (var i = lane; i < KEYS * CHUNK_VECTORS; i += INVOCATIONS) {
    let key = i / CHUNK_VECTORS;
    let vector = min(chunk * CHUNK_VECTORS + i % CHUNK_VECTORS, HEAD_VECTORS - 1u);
    kvTile[key * KEY_STRIDE + i % CHUNK_VECTORS] = poolAt(slots[key], kvHead * HEAD_VECTORS + vector);
  }
}

fn tileQuad(key: u32, quad: u32) -> vec4f {
  return unpackQuad(kvTile[key * KEY_STRIDE + quad / VECTOR_QUADS], quad % VECTOR_QUADS);
}

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let take = takeOf(group.x);
  let kvHead = group.y / GROUP_TILES;
  findRows(take, kvHead, group.y % GROUP_TILES * GROUP_TILE, lane);
  workgroupBarrier();

  var sums: array<vec4f, VALUE_CHUNKS * OUTPUTS>;
  var state = Softmax(MASKED, 0.0);
  var first = take.token;
  while (first < take.end) {
    let span = spanOf(take, first);
    for (var position = span.start / KEYS * KEYS; position < span.end; position += KEYS) {
      workgroupBarrier(); // what lies there has been read
      findSlots(span, position, lane);
      var own = array<f32, SCORES>();
      for (var chunk = 0u; chunk < KEY_CHUNKS; chunk++) {
        workgroupBarrier();
        loadQueries(chunk, lane);
        loadChunk(kvHead, chunk, lane);
        workgroupBarrier();
        for (var quad = 0u; quad < CHUNK_QUADS; quad++) {
          #unroll
          for (var s = 0u; s < SCORES; s++) {
            let i = min(lane + s * INVOCATIONS, ROWS * KEYS - 1u);
            own[s] += dot(queries[i / KEYS * CHUNK_QUADS + quad], tileQuad(i % KEYS, quad));
          }
        }
      }
      #unroll
      for (var s = 0u; s < SCORES; s++) {
        if (lane + s * INVOCATIONS < ROWS * KEYS) {
          scores[lane + s * INVOCATIONS] = own[s];
        }
      }
      workgroupBarrier();
      state = weigh(state, span, position, lane);
      for (var chunk = 0u; chunk < VALUE_CHUNKS; chunk++) {
        workgroupBarrier();
        loadChunk(kvHead, chunk, lane);
        workgroupBarrier();
        var added = array<vec4f, OUTPUTS>();
        for (var key = 0u; key < KEYS; key++) {
          #unroll
          for (var o = 0u; o < OUTPUTS; o++) {
            let i = min(lane + o * INVOCATIONS, ROWS * CHUNK_QUADS - 1u);
            added[o] += scores[i / CHUNK_QUADS * KEYS + key] * tileQuad(key, i % CHUNK_QUADS);
          }
        }
        // Written out, so that sums stay in registers.
        #unroll
        for (var c = 0u; c < VALUE_CHUNKS; c++) {
          if (c == chunk) {
            #unroll
            for (var o = 0u; o < OUTPUTS; o++) {
              let row = min(lane + o * INVOCATIONS, ROWS * CHUNK_QUADS - 1u) / CHUNK_QUADS;
              sums[c * OUTPUTS + o] = sums[c * OUTPUTS + o] * rescales[row] + added[o];
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
      if (i < ROWS * CHUNK_QUADS) {
        storeSums(i / CHUNK_QUADS, c * CHUNK_QUADS + i % CHUNK_QUADS, sums[c * OUTPUTS + o]);
      }
    }
  }
}
