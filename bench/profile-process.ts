/** Owns the steps that are profiled, in a process that bench/profile.ts starts with the driver's environment. Refuses to outlive its parent. */
import { EventChannel } from '../runtime/channel.ts';
import { openParts, type Parts } from '../runtime/open.ts';
import type { StepResults } from '../runtime/results.ts';
import { Runner } from '../runtime/runner.ts';
import { Sequence, type SequenceSink } from '../runtime/scheduling/sequence.ts';
import type { TokenEvent } from '../runtime/types.ts';
import { shortPause, waitFor } from '../runtime/waiting.ts';
import { answerMessages } from './answer.ts';
import { summarize } from './arithmetic.ts';
import { type ProfileOptions, type StepPart, type StepProfile, stepParts } from './profile.ts';

/** Steps of each way. */
const repeats = 7;
/** Of the step that runs, in ms: events given to those who read them. */
let publishMs = 0;

async function profile(options: ProfileOptions): Promise<StepProfile[]> {
  const { promptTokens, batch, model, device, deterministic } = options;
  const contextLength = promptTokens + 4 * repeats;
  const { parts } = await openOne({ modelPath: model, device, deterministic, contextLength, maxSequences: Math.max(1, batch) });
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

/** All of the model on one device, whose runner tells more than those of stages. */
type OneDevice = Parts & { readonly runner: Runner<StepResults> };

async function openOne(options: Parameters<typeof openParts>[0]): Promise<{ readonly parts: OneDevice }> {
  const { parts } = await openParts(options);
  const { runner } = parts;
  if (!(runner instanceof Runner)) throw new Error('a profile is of one device');
  return { parts: { ...parts, runner } };
}

let added = 0;

/** A prompt that none before began like, because a prefix that is known is not computed; with a reader, as every request has one. */
function addSequence({ scheduler }: OneDevice, promptTokens: number, contextLength: number): Sequence {
  const promptIds = new Uint32Array(promptTokens);
  promptIds[0] = added++;
  let sequence: Sequence | undefined;
  const channel = new EventChannel(undefined, (sink) => {
    sequence = new Sequence({ promptIds, maxTokens: contextLength - promptTokens }, contextLength, timePublishing(sink));
    scheduler.add(sequence);
    return { cancel: () => undefined, park: () => undefined };
  });
  void readAll(channel).catch(() => undefined);
  if (sequence === undefined) throw new Error('a channel starts its request with the first read');
  return sequence;
}

function timePublishing(sink: SequenceSink): SequenceSink {
  return {
    event: (event) => {
      const started = performance.now();
      sink.event(event);
      publishMs += performance.now() - started;
    },
    fail: (error) => sink.fail(error),
  };
}

async function readAll(events: AsyncIterable<TokenEvent>): Promise<void> {
  for await (const _ of events);
}

async function runStep({ scheduler, batch, runner }: OneDevice, onDispatch?: (kernel: string, ms: number) => void): Promise<void> {
  scheduler.schedule(batch);
  scheduler.commit(batch, await (onDispatch === undefined ? runner.run(batch) : runner.runTimed(batch, onDispatch)));
}

type Times = Record<StepPart, number>;

/** A step as the engine makes it; gives what each part of it took, in ms. */
async function runCounted({ scheduler, batch, runner }: OneDevice): Promise<Times> {
  publishMs = 0;
  const started = performance.now();
  scheduler.schedule(batch);
  const scheduled = performance.now();
  const results = await runner.run(batch);
  const done = performance.now();
  scheduler.commit(batch, results);
  const committed = performance.now();
  batch.zero();
  results.zero();
  const zeroed = performance.now();
  const { submittedAt } = runner;
  const { uploaded, encoded, encodedAhead, mapped } = runner.times;
  return {
    'schedule and fill': scheduled - started,
    upload: uploaded - scheduled,
    encode: encoded - uploaded,
    submit: submittedAt - encoded,
    'encode the next': encodedAhead - submittedAt,
    wait: mapped - encodedAhead,
    read: done - mapped,
    commit: committed - done - publishMs,
    publish: publishMs,
    zero: zeroed - committed,
  };
}

/** Of all parts but some. */
function sumParts(times: Times, but: readonly StepPart[]): number {
  return stepParts.reduce((sum, part) => sum + (but.includes(part) ? 0 : times[part]), 0);
}

/** `before` makes the work of a step. */
async function profileSteps(parts: OneDevice, emptyMs: number, before: () => void): Promise<Omit<StepProfile, 'step'>> {
  const whole: number[] = [];
  const counted: Times[] = [];
  const times = new Map<string, { count: number; sums: number[] }>();
  for (let i = 0; i < repeats; i++) {
    before();
    const started = performance.now();
    counted.push(await runCounted(parts));
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
  const median = (of: (times: Times) => number): number => summarize(counted.map(of)).median;
  return {
    stepMs: summarize(whole).median,
    hostMs: median((times) => sumParts(times, ['encode the next', 'wait'])),
    workMs: median((times) => sumParts(times, ['wait'])),
    parts: stepParts.map((part) => ({ part, ms: median((times) => times[part]) })),
    emptyMs,
    kernels: kernels.sort((a, b) => b.ms - a.ms),
  };
}

async function timeEmptySubmits({ open: { device } }: OneDevice): Promise<number> {
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
