/** Owns the steps that are profiled, in a process that bench/profile.ts starts with the driver's environment. Refuses to outlive its parent. */
import { openParts, type Parts } from '../runtime/open.ts';
import { Sequence } from '../runtime/sequence.ts';
import { shortPause, waitFor } from '../runtime/waiting.ts';
import { answerMessages } from './answer.ts';
import { summarize } from './arithmetic.ts';
import type { ProfileOptions, StepProfile } from './profile.ts';

/** Steps of each way. */
const repeats = 7;
const sink = { event: () => undefined, fail: () => undefined };

async function profile(options: ProfileOptions): Promise<StepProfile[]> {
  const { promptTokens, batch, model, device } = options;
  const contextLength = promptTokens + 4 * repeats;
  const { parts } = await openParts({ modelPath: model, device, contextLength, maxSequences: Math.max(1, batch) });
  const emptyMs = await timeEmptySubmits(parts);
  const decode = async (sequences: number): Promise<StepProfile> => {
    const running = Array.from({ length: sequences }, () => addSequence(parts, promptTokens, contextLength));
    while (running.some(({ pending }) => pending > 1)) await runStep(parts);
    const found = await profileSteps(parts, emptyMs, () => undefined);
    for (const sequence of running) sequence.aborted = true;
    await runStep(parts);
    return { step: `decode, ${sequences} x ${promptTokens} of context`, ...found };
  };
  // A longer prompt takes several steps, each of as many tokens as one holds.
  const prefillTokens = Math.min(promptTokens, parts.batch.limits.maxTokens);
  const prefill = await profileSteps(parts, emptyMs, () => addSequence(parts, prefillTokens, prefillTokens + 1));
  const profiles = [await decode(1), ...(batch > 1 ? [await decode(batch)] : []), { step: `prefill, ${prefillTokens} tokens`, ...prefill }];
  parts.open[Symbol.dispose]();
  return profiles;
}

function addSequence({ scheduler }: Parts, promptTokens: number, contextLength: number): Sequence {
  const sequence = new Sequence({ promptIds: new Uint32Array(promptTokens), maxTokens: contextLength - promptTokens }, contextLength, sink);
  scheduler.add(sequence);
  return sequence;
}

async function runStep({ scheduler, batch, runner }: Parts, onDispatch?: (kernel: string, ms: number) => void): Promise<void> {
  scheduler.schedule(batch);
  scheduler.commit(batch, await (onDispatch === undefined ? runner.run(batch) : runner.runTimed(batch, onDispatch)));
}

/** A step as the engine makes it; gives what the host did of it while the device had nothing to do, in ms. */
async function runCounted({ scheduler, batch, runner }: Parts): Promise<number> {
  const started = performance.now();
  scheduler.schedule(batch);
  const results = await runner.run(batch);
  const { submittedAt } = runner;
  const done = performance.now();
  scheduler.commit(batch, results);
  batch.zero();
  results.zero();
  return submittedAt - started + (performance.now() - done);
}

/** `before` makes the work of a step. */
async function profileSteps(parts: Parts, emptyMs: number, before: () => void): Promise<Omit<StepProfile, 'step'>> {
  const whole: number[] = [];
  const host: number[] = [];
  const times = new Map<string, { count: number; sums: number[] }>();
  for (let i = 0; i < repeats; i++) {
    before();
    const started = performance.now();
    host.push(await runCounted(parts));
    whole.push(performance.now() - started);
    before();
    const step = new Map<string, { count: number; ms: number }>();
    await runStep(parts, (kernel, ms) => {
      const { count, ms: sum } = step.get(kernel) ?? { count: 0, ms: 0 };
      step.set(kernel, { count: count + 1, ms: sum + ms });
    });
    for (const [kernel, { count, ms }] of step) {
      const sums = times.get(kernel)?.sums ?? [];
      times.set(kernel, { count, sums: [...sums, ms - count * emptyMs] });
    }
  }
  const kernels = [...times].map(([kernel, { count, sums }]) => ({ kernel, count, ms: Math.max(0, summarize(sums).median) }));
  return { stepMs: summarize(whole).median, hostMs: summarize(host).median, emptyMs, kernels: kernels.sort((a, b) => b.ms - a.ms) };
}

async function timeEmptySubmits({ open: { device } }: Parts): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 50; i++) {
    const encoder = device.createCommandEncoder();
    encoder.beginComputePass().end();
    const started = performance.now();
    device.queue.submit([encoder.finish()]);
    await waitFor(device.queue.onSubmittedWorkDone(), shortPause);
    times.push(performance.now() - started);
  }
  return summarize(times).median;
}

answerMessages(async (options: { readonly type: 'profile' } & ProfileOptions) => ({ type: 'profiled', profiles: await profile(options) }));
