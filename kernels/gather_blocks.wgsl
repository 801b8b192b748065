// The first half of copying KV blocks in the pool of one layer: slots of the blocks that the batch names, one after the other, to
// scratch. A texture cannot be read and written by one dispatch, so a copy is two; and so no copy reads what another wrote.
const POOL = 0u;
const BATCH = 2u;
@group(0) @binding(1) var<storage, read_write> gathered: array<vec4u>;

#include "lib/batch.wgsl"
#include PLACE_POOL

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slot = group.y;
  if (slot < batch[BATCH_COPY_SLOTS + group.x]) {
    let from_ = batch[BATCH_COPY_FROMS + group.x] * BLOCK_LENGTH + slot;
    let to = (group.x * BLOCK_LENGTH + slot) * SLOT_VECTORS;
    for (var i = lane; i < SLOT_VECTORS; i += LANES) {
      gathered[to + i] = poolAt(from_, i);
    }
  }
}
