// Paged attention with online softmax for GPUs (Dao et al. 2022; Kwon et al. 2023). A workgroup has ROWS rows, each a query head of a
// token, that share a KV head: one item (run of KV positions) of one token, or the same item of up to TOKENS neighbouring tokens of
// the batch. It goes over the positions KEYS at a time, keys and then values through workgroup memory, all 128 invocations loading
// neighbouring vectors. A row's scores and sums are the same, bit for bit, in both forms: turns lie at multiples of KEYS.
// A token with one item gets its result (y) at once; else the item leaves unnormalised sums, which attention_merge joins.
const X = 0u;
const POOL = 1u;
const Y = 4u;
const BATCH = 5u;

@group(0) @binding(2) var<storage, read_write> partials: array<vec4f>;   // [item][head][quad]
@group(0) @binding(3) var<storage, read_write> states: array<vec2f>;     // [item][head] (largest score, sum)

#include "lib/batch.wgsl"
#include "lib/masked.wgsl"
#include SHUFFLES
#include PLACE_POOL
#include KV
#include PLACE_X
#include PLACE_Y

const INVOCATIONS = LANES * SUBGROUPS;
// Lanes that work out the largest score and the sum of a row.
const ROW_LANES = 8u;
// One more than there are, so that the same vector of different keys lies in different banks.
const KEY_STRIDE = HEAD_VECTORS + 1u;
const OUTPUTS = (ROWS * HEAD_QUADS + INVOCATIONS - 1u) / INVOCATIONS;

struct Row {
  token: u32,
  head: u32,
  item: u32,
  start: u32,      // positions that it sees; none where there is no such row
  end: u32,
}

var<workgroup> rows: array<Row, ROWS>;
var<workgroup> queries: array<vec4f, ROWS * HEAD_QUADS>;
var<workgroup> kvTile: array<vec4u, KEYS * KEY_STRIDE>;
var<workgroup> scores: array<f32, ROWS * KEYS>;
var<workgroup> rescales: array<f32, ROWS>;
var<workgroup> totals: array<f32, ROWS>;

// First token, how many, and which of their items.
struct Take {
  token: u32,
  end: u32,
  item: u32,
}

fn takeOf(group: u32) -> Take {
  if (IS_ITEM) {
    let token = batch[BATCH_ITEM_TOKENS + group];
    return Take(token, token + 1u, group - batch[BATCH_TOKEN_ITEMS + token]);
  }
  let items = select(TOKEN_ITEMS_LIMIT, 1u, batch[0] == batch[2]);
  let token = group / items * TOKENS;
  return Take(token, min(token + TOKENS, tokenCount()), group % items);
}

fn rowOf(take: Take, row: u32, kvHead: u32, firstInGroup: u32) -> Row {
  let token = take.token + row / GROUP_TILE;
  let inGroup = firstInGroup + row % GROUP_TILE;
  var found = Row(token, kvHead * GROUP + inGroup, 0u, 0u, 0u);
  if (token < take.end && inGroup < GROUP) {
    let item = batch[BATCH_TOKEN_ITEMS + token] + take.item;
    if (item < batch[BATCH_TOKEN_ITEMS + token + 1u]) {
      found = Row(token, found.head, item, batch[BATCH_ITEM_STARTS + item], batch[BATCH_ITEM_ENDS + item]);
    }
  }
  return found;
}

// The score of a position as the softmax sees it. `first` and `end` of the tokens whose keys these are.
fn masked(score: f32, row: Row, position: u32, first: u32, end: u32) -> f32 {
  let isSeen = position >= row.start && position < row.end && row.token >= first && row.token < end;
  return select(MASKED, score, isSeen);
}

// Vectors of KEYS positions from `position` on; past `end` the last one again.
fn loadTile(lane: u32, table: u32, position: u32, end: u32, firstVector: u32) {
  for (var i = lane; i < KEYS * HEAD_VECTORS; i += INVOCATIONS) {
    let key = i / HEAD_VECTORS;
    let at = min(position + key, end - 1u);
    let slot = batch[BATCH_TABLES + table * TABLE_LENGTH + at / BLOCK_LENGTH] * BLOCK_LENGTH + at % BLOCK_LENGTH;
    kvTile[key * KEY_STRIDE + i % HEAD_VECTORS] = poolAt(slot, firstVector + i % HEAD_VECTORS);
  }
}

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let take = takeOf(group.x);
  let kvHead = group.y / GROUP_TILES;
  let firstInGroup = group.y % GROUP_TILES * GROUP_TILE;
  if (lane < ROWS) {
    rows[lane] = rowOf(take, lane, kvHead, firstInGroup);
  }
  workgroupBarrier();
  for (var i = lane; i < ROWS * HEAD_QUADS; i += INVOCATIONS) {
    let row = rows[i / HEAD_QUADS];
    var query = vec4f();
    if (row.end > row.start) {
      query = xAt(row.token, HEADS * HEAD_QUADS, row.head * HEAD_QUADS + i % HEAD_QUADS);
    }
    queries[i] = query;
  }

  var sums: array<vec4f, OUTPUTS>;
  // Of row `own`, in each of its lanes.
  let own = min(lane / ROW_LANES, ROWS - 1u);
  let isOwner = lane / ROW_LANES < ROWS;
  var largest = MASKED;
  var total = 0.0;
  // Tokens of one sequence share keys; those of the next have their own.
  var first = take.token;
  while (first < take.end) {
    let table = batch[BATCH_ROWS + first];
    var start = 0xffffffffu;
    var end = 0u;
    var last = first;
    while (last < take.end && batch[BATCH_ROWS + last] == table) {
      let item = batch[BATCH_TOKEN_ITEMS + last] + take.item;
      if (item < batch[BATCH_TOKEN_ITEMS + last + 1u]) {
        start = min(start, batch[BATCH_ITEM_STARTS + item]);
        end = max(end, batch[BATCH_ITEM_ENDS + item]);
      }
      last++;
    }
    for (var position = start / KEYS * KEYS; position < end; position += KEYS) {
      workgroupBarrier(); // what lies there has been read
      loadTile(lane, table, position, end, kvHead * HEAD_VECTORS);
      workgroupBarrier();
      for (var i = lane; i < ROWS * KEYS; i += INVOCATIONS) {
        let row = i / KEYS;
        let key = i % KEYS;
        var score = 0.0;
        for (var v = 0u; v < HEAD_VECTORS; v++) {
          let stored = kvTile[key * KEY_STRIDE + v];
          #unroll
          for (var j = 0u; j < VECTOR_QUADS; j++) {
            score += dot(queries[row * HEAD_QUADS + v * VECTOR_QUADS + j], unpackQuad(stored, j));
          }
        }
        scores[i] = masked(score, rows[row], position + key, first, last);
      }
      workgroupBarrier();
      var next = largest;
      for (var key = lane % ROW_LANES; key < KEYS; key += ROW_LANES) {
        next = max(next, scores[own * KEYS + key]);
      }
      for (var mask = 1u; mask < ROW_LANES; mask *= 2u) {
        next = max(next, fromPartner(next, mask));
      }
      var sum = 0.0;
      for (var key = lane % ROW_LANES; key < KEYS; key += ROW_LANES) {
        let weight = exp(scores[own * KEYS + key] - next);
        sum += weight;
        if (isOwner) {
          scores[own * KEYS + key] = weight;
        }
      }
      for (var mask = 1u; mask < ROW_LANES; mask *= 2u) {
        sum += fromPartner(sum, mask);
      }
      let rescale = exp(largest - next);
      total = total * rescale + sum;
      largest = next;
      if (isOwner) {
        rescales[own] = rescale;
      }
      loadTile(lane, table, position, end, SLOT_VALUES + kvHead * HEAD_VECTORS);
      workgroupBarrier();
      #unroll
      for (var o = 0u; o < OUTPUTS; o++) {
        let i = min(lane + o * INVOCATIONS, ROWS * HEAD_QUADS - 1u);
        let row = i / HEAD_QUADS;
        let quad = i % HEAD_QUADS;
        var output = sums[o] * rescales[row];
        for (var key = 0u; key < KEYS; key++) {
          output += scores[row * KEYS + key] * unpackQuad(kvTile[key * KEY_STRIDE + quad / VECTOR_QUADS], quad % VECTOR_QUADS);
        }
        sums[o] = output;
      }
    }
    first = last;
  }

  if (isOwner && lane % ROW_LANES == 0u) {
    totals[own] = total;
    let row = rows[own];
    if (row.end > row.start) {
      states[row.item * HEADS + row.head] = vec2f(largest, total);
    }
  }
  workgroupBarrier();
  #unroll
  for (var o = 0u; o < OUTPUTS; o++) {
    let i = lane + o * INVOCATIONS;
    let row = rows[min(i / HEAD_QUADS, ROWS - 1u)];
    let quad = i % HEAD_QUADS;
    if (i < ROWS * HEAD_QUADS && row.end > row.start) {
      if (batch[BATCH_TOKEN_ITEMS + row.token + 1u] - batch[BATCH_TOKEN_ITEMS + row.token] == 1u) {
        storeY(row.token, HEADS * HEAD_QUADS, row.head * HEAD_QUADS + quad, sums[o] / totals[i / HEAD_QUADS]);
      } else {
        partials[(row.item * HEADS + row.head) * HEAD_QUADS + quad] = sums[o];
      }
    }
  }
}
