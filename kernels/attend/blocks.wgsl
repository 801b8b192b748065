// Where the blocks of a token's sequence are listed, and where a position lies in the pool.
fn tableOf(token: u32) -> u32 {
  return BATCH_TABLES + batch[BATCH_ROWS + token] * TABLE_LENGTH;
}

fn slotInBlocks(table: u32, position: u32) -> u32 {
  return batch[table + position / BLOCK_LENGTH] * BLOCK_LENGTH + position % BLOCK_LENGTH;
}
