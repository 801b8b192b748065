// The row of the id of the token behind: one that is known, or the one that the step has chosen for a row of logits.
@group(0) @binding(RESULTS) var<storage, read> results: array<u32>;

fn rowOf(token: u32) -> u32 {
  let next = batch[BATCH_NEXT_IDS + token];
  if (next < 0x80000000u) {
    return next;
  }
  return results[(next - 0x80000000u) * RESULT_LENGTH];
}
