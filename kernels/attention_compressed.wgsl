// Attention of DeepSeek-V4: the keys of a token, which are its values too, are rows of the last WINDOW tokens, its own the last of them, then
// entries of the pool: all that it sees, or the chosen ones where it sees more than TOP_K. One softmax over both and a sink (Milakov and
// Gimelshein 2018). A token and GROUP_TILE heads a workgroup. A turn takes LANES keys: a lane has one and computes its scores; then
// lanes have channels, and rows and weights go round by shuffle. What a turn has depends on the token's position alone.
const X = 0u;
const POOL = 1u;
const Y = 2u;
const BATCH = 3u;

@group(0) @binding(4) var<storage, read> rows: array<vec4f>;      // WINDOW rows before the step, then those of the step, of each sequence
@group(0) @binding(5) var<storage, read> chosen: array<u32>;      // [token][TOP_K] slots
@group(0) @binding(SINKS) var<storage, read> sinks: array<f32>;
// The same number as the constant: a driver that knows how often a loop runs writes it out, and compiles for seconds.
struct Shape {
  quads: u32,     // HEAD_QUADS
  scale: f32,
}
@group(0) @binding(7) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include "lib/masked.wgsl"
#include "lib/entries.wgsl"
#include PLACE_X
#include PLACE_POOL
#include PLACE_Y
#include KV

const OWN = (HEAD_QUADS + LANES - 1u) / LANES;

var<workgroup> queries: array<vec4f, GROUP_TILE * HEAD_QUADS>;

struct State {
  largest: array<f32, GROUP_TILE>,
  total: array<f32, GROUP_TILE>,
  sums: array<array<vec4f, OWN>, GROUP_TILE>,
}

// Row numbers are those of `rows`, or first slots of entries.
fn keyQuad(isEntry: bool, row: u32, quad: u32) -> vec4f {
  if (isEntry) {
    let vector = quad / VECTOR_QUADS;
    return unpackQuad(poolAt(row + vector / SLOT_VECTORS, vector % SLOT_VECTORS), quad % VECTOR_QUADS);
  }
  return rows[row * HEAD_QUADS + quad];
}

// Adds LANES keys, each lane's own, to all heads. isEntry is the same in all lanes.
fn addKeys(state: ptr<function, State>, isEntry: bool, row: u32, isSeen: bool, lane: u32) {
  var scores = array<f32, GROUP_TILE>();
  for (var quad = 0u; quad < shape.quads; quad++) {
    let key = keyQuad(isEntry, row, quad);
    for (var g = 0u; g < GROUP_TILE; g++) {
      scores[g] += dot(queries[g * HEAD_QUADS + quad], key);
    }
  }
  for (var g = 0u; g < GROUP_TILE; g++) {
    let score = select(MASKED, scores[g] * shape.scale, isSeen);
    let next = max((*state).largest[g], lanesMax(score));
    let rescale = exp((*state).largest[g] - next);
    scores[g] = select(0.0, exp(score - next), isSeen);
    (*state).total[g] = (*state).total[g] * rescale + scores[g];
    (*state).largest[g] = next;
    for (var k = 0u; k < OWN; k++) {
      (*state).sums[g][k] *= rescale;
    }
  }
  for (var u = 0u; u < LANES; u++) {
    let theirs = bitsFromLane(vec4u(row), u).x;
    var weights = array<f32, GROUP_TILE>();
    for (var g = 0u; g < GROUP_TILE; g++) {
      weights[g] = numberFromLane(scores[g], u);
    }
    for (var k = 0u; k < OWN; k++) {
      let value = keyQuad(isEntry, theirs, min(lane + k * LANES, HEAD_QUADS - 1u));
      for (var g = 0u; g < GROUP_TILE; g++) {
        (*state).sums[g][k] += weights[g] * value;
      }
    }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let firstHead = group.y * GROUP_TILE;
  let sequence = batch[BATCH_ROWS + token];
  let position = batch[BATCH_POSITIONS + token];
  for (var i = lane; i < GROUP_TILE * HEAD_QUADS; i += LANES) {
    queries[i] = xAt(token, HEADS * HEAD_QUADS, firstHead * HEAD_QUADS + i);
  }
  workgroupBarrier();
  var state = State();
  for (var g = 0u; g < GROUP_TILE; g++) {
    state.largest[g] = MASKED;
  }
  let window = min(position + 1u, WINDOW);
  let ownRow = token + (sequence + 1u) * WINDOW;
  for (var i = 0u; i < window; i += LANES) {
    addKeys(&state, false, ownRow - (window - 1u - min(i + lane, window - 1u)), i + lane < window, lane);
  }
  if (HAS_ENTRIES) {
    let table = tableOf(token);
    let seen = visibleEntries(token);
    let count = min(seen, TOP_K);
    for (var i = 0u; i < count; i += LANES) {
      let mine = min(i + lane, count - 1u);
      var slot = 0u;
      if (seen > TOP_K) {
        slot = chosen[token * TOP_K + mine];
      } else {
        slot = entrySlot(table, mine);
      }
      addKeys(&state, true, slot, i + lane < count, lane);
    }
  }
  for (var g = 0u; g < GROUP_TILE; g++) {
    let sink = sinks[firstHead + g];
    let next = max(state.largest[g], sink);
    let rescale = exp(state.largest[g] - next);
    let total = lanesSum(state.total[g]) * rescale + exp(sink - next);
    for (var k = 0u; k < OWN; k++) {
      let quad = lane + k * LANES;
      if (quad < HEAD_QUADS) {
        storeY(token, HEADS * HEAD_QUADS, (firstHead + g) * HEAD_QUADS + quad, state.sums[g][k] * rescale / total);
      }
    }
  }
}
