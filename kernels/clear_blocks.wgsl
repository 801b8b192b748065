// Zeroes the KV blocks that the batch names, in the pool of one layer.
const BATCH = 1u;

@group(0) @binding(0) var<storage, read_write> pool: array<vec4u>;

#include "lib/batch.wgsl"

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = batch[BATCH_CLEARS + group.x] * BLOCK_VECTORS;
  for (var i = lane; i < BLOCK_VECTORS; i += LANES) {
    pool[first + i] = vec4u();
  }
}
