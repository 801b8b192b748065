// Rows of the last LENGTH tokens of each sequence, from this step's into its state, by position: those that later steps look back to. A token a
// workgroup. A row of x may stand BEHIND rows of each sequence further down.
const X = 0u;
const BATCH = 1u;
const STATE = 2u;

#include "lib/batch.wgsl"
#include "lib/states.wgsl"
#include PLACE_X

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let sequence = batch[BATCH_ROWS + token];
  if (batch[BATCH_RUNS + sequence + 1u] - token > LENGTH) {
    return;
  }
  let place = statePlace(sequence) + RING_START + batch[BATCH_POSITIONS + token] % LENGTH * RAW_QUADS;
  let row = token + (sequence + 1u) * BEHIND;
  for (var quad = lane; quad < RAW_QUADS; quad += LANES) {
    state[place + quad] = xAt(row, RAW_QUADS, quad);
  }
}
