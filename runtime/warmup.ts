/**
 * Owns the first steps of an engine: one for every token tile, so that drivers that compile at the first dispatch
 * (lavapipe, for seconds) do it while the model loads and not in a user's request. Refuses to leave anything behind.
 */
import type { KernelFamily } from '../kernels/tiles.ts';
import type { StepRunner } from './open.ts';
import type { Batch } from './scheduling/batch.ts';
import type { Scheduler } from './scheduling/scheduler.ts';
import { Sequence } from './scheduling/sequence.ts';
import type { BlockId } from './types.ts';

interface Step {
  readonly tokens: number;
  /** A logit row at every position, or at the last one. */
  readonly logits: 'all' | 'last';
}

const all = (tokens: number): Step => ({ tokens, logits: 'all' });
/** They reach every tile (kernels/tiles.ts), for tokens and for logit rows, and on GPUs the form of attention for prefill. */
const narrowSteps: readonly Step[] = [1, 2, 4, 8].map(all);
const wideSteps: readonly Step[] = [...narrowSteps, all(16), { tokens: 64, logits: 'last' }];

export async function warmUp(
  scheduler: Scheduler,
  batch: Batch,
  runner: Pick<StepRunner, 'run'>,
  family: KernelFamily,
  onStep: (done: number, total: number) => void,
): Promise<void> {
  const { contextLength, maxLogitRows, maxTokens: most, isEncoder = false } = batch.limits;
  const silent = { event: () => undefined, fail: () => undefined };
  const fits = ({ tokens, logits }: Step): boolean => tokens < contextLength && tokens <= Math.min(logits === 'all' ? maxLogitRows : most, most);
  const steps = (family === 'narrow' ? narrowSteps : wideSteps).filter(fits);
  for (const [i, { tokens, logits }] of steps.entries()) {
    const asked = logits === 'all' && !isEncoder ? { logits } : {};
    const maxTokens = isEncoder ? 0 : 1;
    scheduler.add(new Sequence({ promptIds: new Uint32Array(tokens), maxTokens, keepsPrefix: false, ...asked }, contextLength, silent));
    scheduler.schedule(batch);
    batch.wantsLogits = false;
    scheduler.commit(batch, await runner.run(batch));
    onStep(i + 1, steps.length);
  }
  // The blocks of the last one are zeroed here; nothing is copied to nothing, so that what copies is compiled too.
  scheduler.schedule(batch);
  batch.addCopy(0 as BlockId, 1 as BlockId, 1);
  await runner.run(batch);
  batch.zero();
}
