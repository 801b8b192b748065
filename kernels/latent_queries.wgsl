// Queries of multi-head latent attention with absorbed weights (DeepSeek-AI 2024): what a head's plain channels multiply of a latent is
//   q . (W c) = (W^T q) . c
// so a query becomes [W^T q | rotated channels] * scale, as long as a latent row of the pool, for W the head's rows of key weights.
// A workgroup takes a head of TOKENS tokens. ABSORB (absorb/*.wgsl): how the weights lie.
const X = 1u;
const Y = 2u;
const BATCH = 3u;

struct Shape {
  blocks: u32,       // of 32 columns
  rowQuads: u32,     // of a head's rows that are meant
  headPitch: u32,    // quads from a head's first row to the next one's
  headStart: u32,    // quad of the plane with which the first head's rows begin
  planeQuads: u32,
  firstHead: u32,    // in the plane
  scale: f32,
}
@group(0) @binding(4) var<storage, read> rotation: array<vec2f>;   // [position][pair] (cos, sin)
@group(0) @binding(5) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/weights.wgsl"
#include PLACE_X
#include PLACE_Y
#include QUANT
#include "lib/dequantize.wgsl"
#include "lib/turn_pairs.wgsl"
#include ABSORB

const INVOCATIONS = LANES * SUBGROUPS;
const TURNED_QUADS = HEAD_QUADS - VALUE_QUADS;

fn plainQuad(token: u32, head: u32, quad: u32) -> vec4f {
  return xAt(token, HEADS * INPUT_QUADS, head * INPUT_QUADS + quad);
}

fn storeQuery(token: u32, head: u32, quad: u32, value: vec4f) {
  storeY(token, HEADS * HEAD_QUADS, head * HEAD_QUADS + quad, value * shape.scale);
}

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = shape.firstHead + group.x;
  let first = group.y * TOKENS;
  let end = min(first + TOKENS, tokenCount());
  absorb(head, group.x * shape.headPitch + shape.headStart, first, end, lane);
  for (var token = first; token < end; token++) {
    let turns = batch[BATCH_POSITIONS + token] * (ROTARY_LENGTH / 2u);
    for (var quad = lane; quad < TURNED_QUADS; quad += INVOCATIONS) {
      let value = xAt(token, HEADS * INPUT_QUADS, (head + 1u) * INPUT_QUADS - TURNED_QUADS + quad);
      storeQuery(token, head, VALUE_QUADS + quad, turnPairs(value, turns + quad * 2u));
    }
  }
}
