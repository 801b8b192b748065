// The other way round: rows that a sequence's state has of the LENGTH tokens before this step, in front of its rows of the step (turned.wgsl).
// A row of a sequence a workgroup.
const Y = 0u;
const BATCH = 1u;
const STATE = 2u;

#include "lib/batch.wgsl"
#include "lib/states.wgsl"
#include PLACE_Y

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let sequence = group.x;
  let first = batch[BATCH_RUNS + sequence];
  // Rows before the sequence's first token are nobody's, and nobody reads them.
  let position = batch[BATCH_POSITIONS + first] + group.y;
  if (position < LENGTH) {
    return;
  }
  let source = statePlace(sequence) + RING_START + (position - LENGTH) % LENGTH * RAW_QUADS;
  for (var quad = lane; quad < RAW_QUADS; quad += LANES) {
    storeY(first + sequence * LENGTH + group.y, RAW_QUADS, quad, state[source + quad]);
  }
}
