// Rotary position embedding (Su et al. 2021) of queries and keys, interleaved pairs (2i, 2i+1) of each head;
// keys and values go to their slot of the KV pool, queries (times shape.scale) to the attention's input.
// rotation[position][pair] = (cos, sin) comes from the CPU in double precision: sin() of a large angle is
// not accurate on every device. Work is in quads of four values; lanes run over the quads of a token.
enable subgroups;
const BATCH = 5u;

struct Shape {
  stride: u32,   // quads in a row of the projections: queries, keys, values
  scale: f32,    // of the queries
}
@group(0) @binding(0) var<storage, read> projected: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> queries: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> keys: array<KvQuad>;
@group(0) @binding(3) var<storage, read_write> values: array<KvQuad>;
@group(0) @binding(4) var<storage, read> rotation: array<vec4f>;
@group(0) @binding(6) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include KV

fn rotate(value: vec4f, position: u32, quad: u32) -> vec4f {
  if (quad >= ROTARY_QUADS) {
    return value;
  }
  let turn = rotation[position * ROTARY_QUADS + quad];
  return vec4f(
    value.x * turn.x - value.y * turn.y, value.x * turn.y + value.y * turn.x,
    value.z * turn.z - value.w * turn.w, value.z * turn.w + value.w * turn.z);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let position = batch[BATCH_POSITIONS + token];
  let slot = batch[BATCH_SLOTS + token];
  let source = token * shape.stride;
  for (var quad = lane; quad < HEADS * HEAD_QUADS; quad += LANES) {
    queries[token * (HEADS * HEAD_QUADS) + quad] = rotate(projected[source + quad], position, quad % HEAD_QUADS) * shape.scale;
  }
  let keySource = source + HEADS * HEAD_QUADS;
  let valueSource = keySource + KV_HEADS * HEAD_QUADS;
  for (var quad = lane; quad < KV_HEADS * HEAD_QUADS; quad += LANES) {
    let target_ = slot * (KV_HEADS * HEAD_QUADS) + quad;
    keys[target_] = packQuad(rotate(projected[keySource + quad], position, quad % HEAD_QUADS));
    values[target_] = packQuad(projected[valueSource + quad]);
  }
}
