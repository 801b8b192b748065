// What a lightning indexer keeps of a token (DeepSeek-AI 2025, V3.2): from the first channels of a row to the index key of the token's slot,
// LayerNorm and rotary position embedding of the channels that turn. A token a workgroup; a lane has whole vectors of the pool, and reads and
// norms again what it needs of others. TURN (heads/*.wgsl): which channels turn together.
const X = 0u;
const POOL = 1u;
const BATCH = 2u;

@group(0) @binding(3) var<storage, read> rotation: array<vec2f>;   // [position][pair] (cos, sin)
@group(0) @binding(4) var<uniform> normWeights: array<vec4f, INDEX_QUADS>;
@group(0) @binding(5) var<uniform> normBiases: array<vec4f, INDEX_QUADS>;
@group(0) @binding(6) var<uniform> epsilon: vec4f;

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include PLACE_X
#include PLACE_STORED
#include KV
#include TURN

struct Head {
  token: u32,
  mean: f32,
  factor: f32,   // 1 / standard deviation
  turns: u32,
}

fn normedQuad(head: Head, quad: u32) -> vec4f {
  return (xAt(head.token, ROW_QUADS, quad) - head.mean) * head.factor * normWeights[quad] + normBiases[quad];
}

// Zero past the key: a vector of the pool may be longer.
fn finishedQuad(head: Head, quad: u32) -> vec4f {
  if (quad >= INDEX_QUADS) {
    return vec4f();
  }
  let inRotary = quad - ROTARY_START / 4u;   // huge before the first
  if (inRotary >= ROTARY_LENGTH / 4u) {
    return normedQuad(head, quad);
  }
  return turnQuad(head, quad, inRotary);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  var sums = vec4f();
  for (var quad = lane; quad < INDEX_QUADS; quad += LANES) {
    sums += xAt(token, ROW_QUADS, quad);
  }
  let mean = lanesSum(sums.x + sums.y + sums.z + sums.w) / f32(INDEX_QUADS * 4u);
  var squares = vec4f();
  for (var quad = lane; quad < INDEX_QUADS; quad += LANES) {
    let value = xAt(token, ROW_QUADS, quad) - mean;
    squares += value * value;
  }
  let variance = lanesSum(squares.x + squares.y + squares.z + squares.w) / f32(INDEX_QUADS * 4u);
  let head = Head(token, mean, 1.0 / sqrt(variance + epsilon.x), batch[BATCH_POSITIONS + token] * (ROTARY_LENGTH / 2u));
  for (var vector = lane; vector < INDEX_VECTORS; vector += LANES) {
    let quad = vector * VECTOR_QUADS;
    storePool(batch[BATCH_SLOTS + token], INDEX_START + vector, packVector(finishedQuad(head, quad), finishedQuad(head, quad + 1u), 0u));
  }
}
