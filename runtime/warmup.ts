/**
 * Owns the first steps of an engine: one for every token tile, so that drivers that compile at the first dispatch
 * (lavapipe, for seconds) do it while the model loads and not in a user's request. Refuses to leave anything behind.
 */
import type { Batch } from './batch.ts';
import type { Runner } from './runner.ts';
import type { Scheduler } from './scheduler.ts';
import { Sequence } from './sequence.ts';

/** Tokens of the steps: they reach every tile of kernels/matmul.ts, for tokens and for logit rows. */
const stepLengths = [1, 2, 4, 8];

export async function warmUp(scheduler: Scheduler, batch: Batch, runner: Runner, onStep: (done: number, total: number) => void): Promise<void> {
  const { contextLength, maxLogitRows, maxTokens } = batch.limits;
  const silent = { event: () => undefined, fail: () => undefined };
  const lengths = stepLengths.filter((candidate) => candidate < contextLength && candidate <= Math.min(maxLogitRows, maxTokens));
  for (const [i, length] of lengths.entries()) {
    // `all` asks for a logit row at every position.
    scheduler.add(new Sequence({ promptIds: new Uint32Array(length), maxTokens: 1, logits: 'all' }, contextLength, silent));
    scheduler.schedule(batch);
    batch.wantsLogits = false;
    scheduler.commit(batch, await runner.run(batch));
    onStep(i + 1, lengths.length);
  }
  // The blocks of the last one are zeroed here.
  scheduler.schedule(batch);
  await runner.run(batch);
  batch.zero();
}
