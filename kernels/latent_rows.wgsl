// What multi-head latent attention keeps of a token, from a row [latent | rotated channels] of the projection to its slot of the pool:
// RMSNorm of the latent, rotary position embedding of the others. A token a workgroup; a lane has whole vectors of the pool.
const X = 0u;
const POOL = 1u;
const BATCH = 2u;

@group(0) @binding(3) var<storage, read> rotation: array<vec2f>;   // [position][pair] (cos, sin)
@group(0) @binding(4) var<uniform> normWeights: array<vec4f, VALUE_QUADS>;
@group(0) @binding(5) var<uniform> epsilon: vec4f;

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include PLACE_X
#include PLACE_STORED
#include KV
#include "lib/turn_pairs.wgsl"

fn finishedQuad(token: u32, quad: u32, factor: f32) -> vec4f {
  if (quad >= HEAD_QUADS) {
    return vec4f();
  }
  let value = xAt(token, HEAD_QUADS, quad);
  if (quad < VALUE_QUADS) {
    return value * factor * normWeights[quad];
  }
  return turnPairs(value, batch[BATCH_POSITIONS + token] * (ROTARY_LENGTH / 2u) + (quad - VALUE_QUADS) * 2u);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  var squares = 0.0;
  for (var quad = lane; quad < VALUE_QUADS; quad += LANES) {
    let value = xAt(token, HEAD_QUADS, quad);
    squares += dot(value, value);
  }
  let factor = 1.0 / sqrt(lanesSum(squares) / f32(VALUE_QUADS * 4u) + epsilon.x);
  for (var vector = lane; vector < HEAD_VECTORS; vector += LANES) {
    let quad = vector * VECTOR_QUADS;
    let value = packVector(finishedQuad(token, quad, factor), finishedQuad(token, quad + 1u, factor), 0u);
    storePool(batch[BATCH_SLOTS + token], vector, value);
  }
}
