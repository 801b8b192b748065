// What the kernels for GPUs have in common: a workgroup has ROWS rows, each a query head of a token, that share a KV head: one item
// (run of KV positions) of one token, or the same item of up to TOKENS neighbouring tokens of the batch. They go over the positions
// KEYS at a time, in turns that lie at multiples of KEYS. ROW_LANES neighbouring lanes have the softmax of a row (Milakov and
// Gimelshein 2018). The kernel says how query and key are multiplied (rawScore), and where weights go (keepWeight).
@group(0) @binding(2) var<storage, read_write> partials: array<vec4f>;   // [item][head][quad]
@group(0) @binding(3) var<storage, read_write> states: array<vec2f>;     // [item][head] (largest score, sum)

#include "lib/batch.wgsl"
#include "lib/masked.wgsl"
#include SEEN
#include SHUFFLES
#include PLACE_POOL
#include KV
#include SCALES
#include PLACE_X
#include PLACE_Y
#include SCORE
#include SINK

const INVOCATIONS = LANES * SUBGROUPS;
// Keys of a turn that a lane has.
const LANE_KEYS = (KEYS + ROW_LANES - 1u) / ROW_LANES;

// First token, how many, and which of their items.
struct Take {
  token: u32,
  end: u32,
  item: u32,
}

// Positions of an item that its token sees; the end is 0 where there is no such item, or row.
struct Seen {
  item: u32,
  start: u32,
  end: u32,
}

struct Row {
  token: u32,
  head: u32,
  seen: Seen,
}

// Tokens of one sequence, which share keys, and the positions that some of them see.
struct Span {
  first: u32,
  last: u32,
  start: u32,
  end: u32,
}

// Of a row, as far as it has come.
struct Softmax {
  largest: f32,
  total: f32,
}

var<workgroup> rows: array<Row, ROWS>;
var<workgroup> rescales: array<f32, ROWS>;     // what the sums are multiplied by before the weights of a turn are added
var<workgroup> ends: array<vec2f, ROWS>;       // what they are multiplied by, and then divided by, at the end

fn takeOf(group: u32) -> Take {
  if (IS_ITEM) {
    let token = batch[BATCH_ITEM_TOKENS + group];
    return Take(token, token + 1u, group - batch[BATCH_TOKEN_ITEMS + token]);
  }
  let items = select(TOKEN_ITEMS_LIMIT, 1u, batch[0] == batch[2]);
  let token = group / items * TOKENS;
  return Take(token, min(token + TOKENS, tokenCount()), group % items);
}

fn seenOf(take: Take, token: u32) -> Seen {
  let item = batch[BATCH_TOKEN_ITEMS + token] + take.item;
  if (item >= batch[BATCH_TOKEN_ITEMS + token + 1u]) {
    return Seen(0u, 0u, 0u);
  }
  return Seen(item, firstSeen(token, item), endSeen(token, item));
}

// Puts the rows where all lanes find them; a barrier must follow.
fn findRows(take: Take, kvHead: u32, firstInGroup: u32, lane: u32) {
  if (lane < ROWS) {
    let token = take.token + lane / GROUP_TILE;
    let inGroup = firstInGroup + lane % GROUP_TILE;
    rows[lane] = Row(token, kvHead * GROUP + inGroup, Seen(0u, 0u, 0u));
    if (token < take.end && inGroup < GROUP) {
      rows[lane].seen = seenOf(take, token);
    }
  }
}

fn queryAt(row: u32, quad: u32) -> vec4f {
  let own = rows[row];
  if (own.seen.end == 0u || quad >= HEAD_QUADS) {
    return vec4f();
  }
  return xAt(own.token, HEADS * HEAD_QUADS, own.head * HEAD_QUADS + quad);
}

// The sequence of token `first`, as far as the workgroup has tokens of it.
fn spanOf(take: Take, first: u32) -> Span {
  var span = Span(first, first, 0xffffffffu, 0u);
  while (span.last < take.end && batch[BATCH_ROWS + span.last] == batch[BATCH_ROWS + first]) {
    let seen = seenOf(take, span.last);
    if (seen.start < seen.end) {
      span.start = min(span.start, seen.start);
      span.end = max(span.end, seen.end);
    }
    span.last++;
  }
  return span;
}

// Where the position lies in the pool; one that no token sees is not read, but the nearest that some token sees.
fn slotAt(span: Span, position: u32) -> u32 {
  let at = clamp(position, span.start, span.end - 1u);
  return slotOf(keysOf(span.first), at);
}

// The row whose softmax a lane has; lanes behind the last row go along with it.
fn ownRow(lane: u32) -> u32 {
  return min(lane / ROW_LANES, ROWS - 1u);
}

fn isOwner(lane: u32) -> bool {
  return lane / ROW_LANES < ROWS;
}

// Turns the scores of the positions from `position` on into weights. A position that the row does not see weighs nothing, so turns without
// any that it sees change nothing.
fn weigh(state: Softmax, span: Span, position: u32, lane: u32) -> Softmax {
  let row = rows[ownRow(lane)];
  let isHere = row.token >= span.first && row.token < span.last;
  var scores = array<f32, LANE_KEYS>();
  var largest = state.largest;
  #unroll
  for (var k = 0u; k < LANE_KEYS; k++) {
    let key = lane % ROW_LANES + k * ROW_LANES;
    let isSeen = isHere && key < KEYS && position + key >= row.seen.start && position + key < row.seen.end;
    scores[k] = select(MASKED, finishScore(rawScore(ownRow(lane), min(key, KEYS - 1u))), isSeen);
    largest = max(largest, scores[k]);
  }
  for (var mask = 1u; mask < ROW_LANES; mask *= 2u) {
    largest = max(largest, fromPartner(largest, mask));
  }
  var sum = 0.0;
  #unroll
  for (var k = 0u; k < LANE_KEYS; k++) {
    let key = lane % ROW_LANES + k * ROW_LANES;
    let weight = select(0.0, exp(scores[k] - largest), scores[k] > MASKED);
    sum += weight;
    if (isOwner(lane) && key < KEYS) {
      keepWeight(ownRow(lane), key, weight);
    }
  }
  for (var mask = 1u; mask < ROW_LANES; mask *= 2u) {
    sum += fromPartner(sum, mask);
  }
  let rescale = exp(state.largest - largest);
  if (isOwner(lane)) {
    rescales[ownRow(lane)] = rescale;
  }
  return Softmax(largest, state.total * rescale + sum);
}

// Leaves what attention_merge needs, and what the sums end with; a barrier must follow.
fn endRow(state: Softmax, lane: u32) {
  let row = rows[ownRow(lane)];
  if (isOwner(lane) && lane % ROW_LANES == 0u && row.seen.end > 0u) {
    states[row.seen.item * HEADS + row.head] = vec2f(state.largest, state.total);
    ends[ownRow(lane)] = withSink(row.head, state.largest, state.total);
  }
}

// Sums of a quad of the head: the result of a token with one item, else unnormalised for attention_merge.
fn storeSums(own: u32, quad: u32, sums: vec4f) {
  let row = rows[own];
  if (row.seen.end == 0u || quad >= VALUE_QUADS) {
    return;
  }
  if (batch[BATCH_TOKEN_ITEMS + row.token + 1u] - batch[BATCH_TOKEN_ITEMS + row.token] == 1u) {
    storeY(row.token, HEADS * VALUE_QUADS, row.head * VALUE_QUADS + quad, sums * ends[own].x / ends[own].y);
  } else {
    partials[(row.seen.item * HEADS + row.head) * VALUE_QUADS + quad] = sums;
  }
}
