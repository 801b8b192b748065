// The row of a token's place in its sequence.
fn rowOf(token: u32) -> u32 {
  return batch[BATCH_POSITIONS + token];
}
