// A query sees WINDOW positions, its own the last of them. The first one of an item that its token sees; behind the item's end where
// it sees none of it.
fn firstSeen(token: u32, item: u32) -> u32 {
  let seen = batch[BATCH_POSITIONS + token] + 1u;
  return max(batch[BATCH_ITEM_STARTS + item], seen - min(seen, WINDOW));
}

fn endSeen(token: u32, item: u32) -> u32 {
  return batch[BATCH_ITEM_ENDS + item];
}

#include "attend/blocks.wgsl"

// Where a token's keys are found.
fn keysOf(token: u32) -> u32 {
  return tableOf(token);
}

fn slotOf(keys: u32, position: u32) -> u32 {
  return slotInBlocks(keys, position);
}
