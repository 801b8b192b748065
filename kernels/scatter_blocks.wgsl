// The second half of copying KV blocks: what gather_blocks put into scratch, to the blocks that the batch names. Slots behind the
// copied ones keep what they hold: the scheduler gives zeroed blocks.
const POOL = 0u;
const BATCH = 2u;
@group(0) @binding(1) var<storage, read> gathered: array<vec4u>;

#include "lib/batch.wgsl"
#include PLACE_STORED

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slot = group.y;
  if (slot < batch[BATCH_COPY_SLOTS + group.x]) {
    let from_ = (group.x * BLOCK_LENGTH + slot) * SLOT_VECTORS;
    let to = batch[BATCH_COPY_TOS + group.x] * BLOCK_LENGTH + slot;
    for (var i = lane; i < SLOT_VECTORS; i += LANES) {
      storePool(to, i, gathered[from_ + i]);
    }
  }
}
