// Recurrent state of a layer: blocks of STATE_QUADS vectors, one for each sequence that runs. What a block holds counts as zero for a sequence
// that begins: nobody has to clear it first.
@group(0) @binding(STATE) var<storage, read_write> state: array<vec4f>;

// First vector of the block of a sequence of this step.
fn statePlace(sequence: u32) -> u32 {
  return (batch[BATCH_STATES + sequence] & 0x7fffffffu) * STATE_QUADS;
}

fn startsAnew(sequence: u32) -> bool {
  return batch[BATCH_STATES + sequence] >> 31u == 1u;
}
