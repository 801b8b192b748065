// Entries of a layer whose keys are compressed: one for RATIO tokens, in the slots of the last SPREAD of them, vectors one after the other.
// First slot of an entry of the sequence whose blocks are listed from `table` on.
fn entrySlot(table: u32, entry: u32) -> u32 {
  let position = (entry + 1u) * RATIO - SPREAD;
  return batch[table + position / BLOCK_LENGTH] * BLOCK_LENGTH + position % BLOCK_LENGTH;
}

// Entries that a token sees.
fn entriesSeen(token: u32) -> u32 {
  return (batch[BATCH_POSITIONS + token] + 1u) / RATIO;
}
