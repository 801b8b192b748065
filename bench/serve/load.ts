/**
 * Owns what is asked when: from a trace, from a mix with Poisson arrivals, or from bursts, a list of requests with their intended times. Pure:
 * the same options and seed give the same list.
 */
import type { PromptPlan } from './prompts.ts';
import { createRandom, drawExponential, drawInteger, joinSeeds, type Random } from './random.ts';
import { type TraceEntry, traceBlockLength } from './trace.ts';

/** One request to come. */
export interface PlannedRequest {
  /** What the report puts it under. */
  readonly kind: string;
  /** When it is to be sent, in ms since the beginning. */
  readonly at: number;
  readonly prompt: PromptPlan;
  readonly newTokens: number;
}

/** Names and mean lengths of what a mix is made of, in tokens. */
export const mixKinds = {
  chat: { promptTokens: 64, newTokens: 32 },
  prompt: { promptTokens: 1024, newTokens: 16 },
  answer: { promptTokens: 32, newTokens: 128 },
} as const;
export type MixKind = keyof typeof mixKinds;
/** Parts of the whole, in any unit. */
export type Mix = Readonly<Record<MixKind, number>>;

/** The tokens of prompt and answer of the longest request. */
export function longestRequest(requests: readonly PlannedRequest[]): number {
  return Math.max(0, ...requests.map(({ prompt, newTokens }) => prompt.length + newTokens));
}

/** A prompt that shares nothing with any other seed's. */
export function freshPrompt(length: number, seed: number): PromptPlan {
  return { length, blocks: [], blockLength: 0, seed };
}

/** `rate` in requests a second; lengths vary evenly by half of their mean. */
export function planMix(options: { readonly mix: Mix; readonly rate: number; readonly requests: number; readonly seed: number }): PlannedRequest[] {
  const { mix, rate, requests, seed } = options;
  const random = createRandom(joinSeeds(seed, 1));
  let at = 0;
  return Array.from({ length: requests }, (_, index) => {
    const kind = drawKind(random, mix);
    const { promptTokens, newTokens } = mixKinds[kind];
    const vary = (mean: number): number => drawInteger(random, mean / 2, mean * 1.5);
    const planned = { kind, at, prompt: freshPrompt(vary(promptTokens), joinSeeds(seed, 2, index)), newTokens: vary(newTokens) };
    at += drawExponential(random, 1000 / rate);
    return planned;
  });
}

function drawKind(random: Random, mix: Mix): MixKind {
  const kinds = Object.keys(mixKinds) as MixKind[];
  let left = random() * kinds.reduce((sum, kind) => sum + mix[kind], 0);
  return kinds.find((kind) => (left -= mix[kind]) < 0) ?? 'chat';
}

/** So many at once, all of the same lengths. */
export function planBurst(options: {
  readonly kind: string;
  readonly count: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly seed: number;
}): PlannedRequest[] {
  const { kind, count, promptTokens, newTokens, seed } = options;
  return Array.from({ length: count }, (_, index) => ({ kind, at: 0, prompt: freshPrompt(promptTokens, joinSeeds(seed, 3, index)), newTokens }));
}

/** How a trace is fitted to a device. */
export interface TraceScale {
  /** Factor of all lengths; undefined: what lets the longest request fit `context`. */
  readonly length: number | undefined;
  /** Factor of all times; undefined: what makes the mean rate `rate`. */
  readonly time: number | undefined;
  /** Requests a second. */
  readonly rate: number;
  /** Tokens. */
  readonly context: number;
  readonly seed: number;
}

/** A trace of lengths alone gets Poisson arrivals. Blocks shrink with the lengths, so that the part that prompts share stays the same. */
export function planTrace(entries: readonly TraceEntry[], scale: TraceScale): PlannedRequest[] {
  const { seed, context } = scale;
  const longest = Math.max(...entries.map(({ promptTokens, outputTokens }) => promptTokens + outputTokens));
  // Two tokens less, because both parts are rounded.
  const factor = scale.length ?? Math.min(1, (context - 2) / longest);
  const shrink = (length: number): number => Math.max(1, Math.round(length * factor));
  const times = scaleTimes(entries, scale);
  return entries.map(({ promptTokens, outputTokens, blocks }, index) => ({
    kind: 'trace',
    at: times[index] ?? 0,
    prompt: {
      length: shrink(promptTokens),
      blocks: blocks.map((block) => joinSeeds(seed, 4, block)),
      blockLength: shrink(traceBlockLength),
      seed: joinSeeds(seed, 5, index),
    },
    newTokens: shrink(outputTokens),
  }));
}

function scaleTimes(entries: readonly TraceEntry[], { time, rate, seed }: TraceScale): number[] {
  const random = createRandom(joinSeeds(seed, 6));
  let next = 0;
  const times = entries.map(({ at }) => {
    if (at !== undefined) return at;
    const own = next;
    next += drawExponential(random, 1000 / rate);
    return own;
  });
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const span = last - first;
  const hasTimes = entries.every(({ at }) => at !== undefined);
  // n requests have n - 1 times between them.
  const standard = hasTimes && span > 0 ? ((entries.length - 1) * 1000) / rate / span : 1;
  return times.map((at) => (at - first) * (time ?? standard));
}
