// Zeroes the blocks of recurrent state that the batch names, in one layer.
const BATCH = 0u;

@group(0) @binding(1) var<storage, read_write> state: array<vec4f>;

#include "lib/batch.wgsl"

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = batch[BATCH_STATE_CLEARS + group.x] * STATE_QUADS;
  for (var quad = group.y * LANES * RUN + lane; quad < min(STATE_QUADS, (group.y + 1u) * LANES * RUN); quad += LANES) {
    state[first + quad] = vec4f();
  }
}
