// Entries of a layer's pool: one for ENTRY_TOKENS tokens, in the slots of the last ENTRY_SLOTS of them, SLOT_VECTORS of its vectors in each.
#include "attend/blocks.wgsl"

// First slot of an entry of the sequence whose blocks are listed from `table` on.
fn entrySlot(table: u32, entry: u32) -> u32 {
  return slotInBlocks(table, (entry + 1u) * ENTRY_TOKENS - ENTRY_SLOTS);
}

// Entries that a token sees: those that are whole with the token itself.
fn visibleEntries(token: u32) -> u32 {
  return (batch[BATCH_POSITIONS + token] + 1u) / ENTRY_TOKENS;
}
