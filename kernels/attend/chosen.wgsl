// A query sees the slots that were chosen for it (choose_keys.wgsl), a position being a place in their list. The token's items share the
// list in equal parts; the last ones may be empty.

@group(0) @binding(CHOSEN) var<storage, read> chosen: array<u32>;   // [token][TOP_K] slots

fn chosenCount(token: u32) -> u32 {
  return min(TOP_K, batch[BATCH_POSITIONS + token] + 1u);
}

fn shareOf(token: u32) -> u32 {
  let items = batch[BATCH_TOKEN_ITEMS + token + 1u] - batch[BATCH_TOKEN_ITEMS + token];
  return (chosenCount(token) + items - 1u) / items;
}

fn firstSeen(token: u32, item: u32) -> u32 {
  return min((item - batch[BATCH_TOKEN_ITEMS + token]) * shareOf(token), chosenCount(token));
}

fn endSeen(token: u32, item: u32) -> u32 {
  return min((item - batch[BATCH_TOKEN_ITEMS + token] + 1u) * shareOf(token), chosenCount(token));
}

// Where a token's keys are found.
fn keysOf(token: u32) -> u32 {
  return token * TOP_K;
}

fn slotOf(keys: u32, position: u32) -> u32 {
  return chosen[keys + position];
}
