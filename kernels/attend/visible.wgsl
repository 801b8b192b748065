// Entries that a token sees, each made of ENTRY_TOKENS tokens: those that are whole with the token itself.
fn visibleEntries(token: u32) -> u32 {
  return (batch[BATCH_POSITIONS + token] + 1u) / ENTRY_TOKENS;
}
