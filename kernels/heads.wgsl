// From rows [query, key, value heads] of a token to queries and the KV pool: RMSNorm of each head where a family has it, rotary
// position embedding, a scale of queries that may grow with the position, K and V stored in their slot. A workgroup takes a query
// head, or a KV head with both its key and its value. A lane has whole vectors of the pool; what it needs of other lanes (the other
// half of a pair) it reads and norms again. What turns with what is an include (heads/*.wgsl).
const X = 0u;
const Y = 1u;
const POOL = 2u;
const BATCH = 3u;
const ROTATION = 4u;
const NORMS = 5u;

struct Shape {
  scale: f32,            // of queries
  growth: f32,           // scale grows by 1 + growth * ln(1 + floor(position / original)) (Ministral 3)
  original: u32,
  epsilon: f32,          // of the norms
}

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include PLACE_X
#include PLACE_Y
#include PLACE_STORED
#include KV
#include HEAD_NORM
#include TURN
#include STORE

@group(0) @binding(ROTATION) var<storage, read> rotation: array<vec2f>;   // [position][pair] (cos, sin)
@group(0) @binding(SHAPE) var<uniform> shape: Shape;

// Heads of a row.
const QUERY = 0u;
const KEY = 1u;
const VALUE = 2u;

// A head in a row of x: where its quads begin, what it is, and 1 / rms where it is normed.
struct Head {
  token: u32,
  start: u32,
  kind: u32,
  factor: f32,
  turns: u32,
}

fn headAt(token: u32, start: u32, kind: u32, lane: u32) -> Head {
  var factor = 1.0;
  if (isNormed(kind)) {
    var squares = 0.0;
    for (var quad = lane; quad < HEAD_QUADS; quad += LANES) {
      let value = xAt(token, ROW_QUADS, start + quad);
      squares += dot(value, value);
    }
    factor = inverseSqrt(lanesSum(squares) / f32(HEAD_LENGTH) + shape.epsilon);
  }
  return Head(token, start, kind, factor, batch[BATCH_POSITIONS + token] * (ROTARY_LENGTH / 2u));
}

fn normedQuad(head: Head, quad: u32) -> vec4f {
  return weighQuad(xAt(head.token, ROW_QUADS, head.start + quad) * head.factor, head.kind, quad);
}

// Zero past the head: a vector of the pool may be longer.
fn finishedQuad(head: Head, quad: u32) -> vec4f {
  if (quad >= HEAD_QUADS) {
    return vec4f();
  }
  let inRotary = quad - ROTARY_START / 4u;   // huge before the first
  if (head.kind == VALUE || quad < ROTARY_START / 4u || inRotary >= (ROTARY_LENGTH + 3u) / 4u) {
    return normedQuad(head, quad);
  }
  return turnQuad(head, quad, inRotary);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  if (group.y < HEADS) {
    let head = headAt(token, group.y * QUERY_PITCH, QUERY, lane);
    let turn = floor(f32(batch[BATCH_POSITIONS + token] / shape.original));
    let scale = shape.scale * (1.0 + shape.growth * log(1.0 + turn));
    for (var quad = lane; quad < HEAD_QUADS; quad += LANES) {
      storeY(token, HEADS * HEAD_QUADS, group.y * HEAD_QUADS + quad, finishedQuad(head, quad) * scale);
    }
  } else {
    let kvHead = group.y - HEADS;
    let slot = batch[BATCH_SLOTS + token];
    let key = headAt(token, KEY_START + kvHead * HEAD_QUADS, KEY, lane);
    let value = headAt(token, VALUE_START + kvHead * HEAD_QUADS, VALUE, lane);
    storeHeads(slot, kvHead, key, value, lane);
  }
}
