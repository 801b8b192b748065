// The row of a token's id.
fn rowOf(token: u32) -> u32 {
  return batch[BATCH_IDS + token];
}
