// The batch of one step, written by the one upload of the step; runtime/batch.ts owns the layout and
// compose gives the BATCH_ constants (word offsets). Words 0..4: counts of tokens, logit rows,
// attention items, KV blocks to clear and KV blocks to copy.
@group(0) @binding(BATCH) var<storage, read> batch: array<u32>;

fn tokenCount() -> u32 {
  return batch[0];
}
