// An entry of ENTRY_TOKENS tokens, made where its last one is among the step's (DeepSeek-V4): from rows [values | gates] of projections, per channel
//   entry = sum of softmax(gate + bias of the token's place in the window) * value, over the window's tokens
// then RMSNorm, and its last channels turned as at the first token. OVERLAPS: rows have two halves; the entry mixes the first halves of the
// window before with the second halves of its own, in one softmax. Rows of tokens before the step are in the sequence's state.
// A token a workgroup. A lane has whole vectors of the pool. Sums as they come, with the largest gate so far (Milakov and Gimelshein 2018).
const X = 0u;
const POOL = 1u;
const BATCH = 2u;
const STATE = 3u;

@group(0) @binding(4) var<storage, read> biases: array<vec4f>;       // [place in the window][channel]
@group(0) @binding(5) var<storage, read> rotation: array<vec2f>;     // [position][pair] (cos, sin)
@group(0) @binding(6) var<uniform> normWeights: array<vec4f, ENTRY_QUADS>;
struct Shape {
  own: u32,        // OWN: a driver that knows how often a loop runs writes it out, and compiles for seconds
  epsilon: f32,
}
@group(0) @binding(7) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/states.wgsl"
#include "lib/lanes.wgsl"
#include "lib/entries.wgsl"
#include PLACE_X
#include PLACE_STORED
#include KV
#include "lib/turn_pairs.wgsl"

const PARTS = select(1u, 2u, OVERLAPS);
const ENTRY_VECTORS = (ENTRY_QUADS + VECTOR_QUADS - 1u) / VECTOR_QUADS;
const OWN = (ENTRY_VECTORS + LANES - 1u) / LANES * VECTOR_QUADS;

fn quadOfLane(k: u32, lane: u32) -> u32 {
  return (lane + k / VECTOR_QUADS * LANES) * VECTOR_QUADS + k % VECTOR_QUADS;
}

// Quad of the row of a token at `position`; `token`: the number in the step of the one that ends the window, at `last`.
fn rawAt(token: u32, first: u32, last: u32, position: u32, ring: u32, quad: u32) -> vec4f {
  if (token - first >= last - position) {
    return xAt(token - (last - position), RAW_QUADS, RAW_START + quad);
  }
  return state[ring + position % (PARTS * ENTRY_TOKENS) * RAW_QUADS + RAW_START + quad];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let last = batch[BATCH_POSITIONS + token];
  if ((last + 1u) % ENTRY_TOKENS != 0u) {
    return;
  }
  let sequence = batch[BATCH_ROWS + token];
  let first = batch[BATCH_RUNS + sequence];
  let ring = statePlace(sequence) + RING_START;
  let entry = last / ENTRY_TOKENS;
  let start = entry * ENTRY_TOKENS;
  // Of the first window there is none before.
  let before = select(0u, ENTRY_TOKENS, OVERLAPS && entry > 0u);
  var quads = array<vec4f, OWN>();
  var squares = 0.0;
  for (var k = 0u; k < shape.own; k++) {
    let quad = quadOfLane(k, lane);
    if (quad < ENTRY_QUADS) {
      var largest = vec4f(-3.0e38);
      var total = vec4f();
      var sum = vec4f();
      for (var position = start - before; position <= last; position++) {
        let half = select(0u, ENTRY_QUADS, OVERLAPS && position >= start);
        let value = rawAt(token, first, last, position, ring, half + quad);
        let gate = rawAt(token, first, last, position, ring, PARTS * ENTRY_QUADS + half + quad) + biases[position % ENTRY_TOKENS * PARTS * ENTRY_QUADS + half + quad];
        let next = max(largest, gate);
        let rescale = exp(largest - next);
        let weight = exp(gate - next);
        total = total * rescale + weight;
        sum = sum * rescale + weight * value;
        largest = next;
      }
      quads[k] = sum / total;
      squares += dot(quads[k], quads[k]);
    }
  }
  let factor = 1.0 / sqrt(lanesSum(squares) / f32(ENTRY_QUADS * 4u) + shape.epsilon);
  for (var k = 0u; k < shape.own; k++) {
    let quad = min(quadOfLane(k, lane), ENTRY_QUADS - 1u);
    quads[k] *= factor * normWeights[quad];
    if (quad >= ENTRY_QUADS - ROTARY_QUADS) {
      quads[k] = turnPairs(quads[k], (start * ROTARY_QUADS + quad - (ENTRY_QUADS - ROTARY_QUADS)) * 2u);
    }
  }
  let slot = entrySlot(tableOf(token), entry);
  for (var k = 0u; k < shape.own; k += VECTOR_QUADS) {
    let vector = lane + k / VECTOR_QUADS * LANES;
    if (vector < ENTRY_VECTORS) {
      let at = VECTOR_START + vector;
      // Behind an odd count of quads there is nothing.
      let second = select(quads[min(k + 1u, OWN - 1u)], vec4f(), vector * VECTOR_QUADS + 1u >= ENTRY_QUADS);
      storePool(slot + at / SLOT_VECTORS, at % SLOT_VECTORS, packVector(quads[k], second, 0u));
    }
  }
}
