// Zeroes the KV blocks that the batch names, in the pool of one layer.
const POOL = 0u;
const BATCH = 1u;

#include "lib/batch.wgsl"
#include PLACE_STORED

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = batch[BATCH_CLEARS + group.x] * BLOCK_LENGTH;
  for (var i = lane; i < BLOCK_LENGTH * SLOT_VECTORS; i += LANES) {
    storePool(first + i / SLOT_VECTORS, i % SLOT_VECTORS, vec4u());
  }
}
