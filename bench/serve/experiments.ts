/**
 * Owns the experiments over HTTP: what each asks of the server in a round, and the number that comes of it, a quotient within the round.
 * Refuses a round in which a request failed, because the rest of it would be a lighter load.
 */
import { summarize } from '../arithmetic.ts';
import { PeerError } from '../child.ts';
import { freshPrompt, type PlannedRequest, planBurst } from './load.ts';
import { joinSeeds } from './random.ts';
import type { Outcome } from './run.ts';
import { describeSamples } from './statistics.ts';
import { firstTokenTime, summarizeLoad, tokenGaps } from './summary.ts';
import type { ExperimentName } from './targets.ts';

/** What stands beside each other in a round. */
export interface Side {
  readonly name: string;
  readonly outcomes: readonly Outcome[];
}

export interface Round {
  /** In the unit of the target. */
  readonly value: number;
  readonly sides: readonly Side[];
}

export interface ExperimentContext {
  /** Puts the load on the server; every outcome is complete. */
  readonly run: (requests: readonly PlannedRequest[]) => Promise<Outcome[]>;
  readonly sizes: Sizes;
  /** Of prompts that nobody has sent before. */
  readonly seed: number;
  /** From 1. */
  readonly round: number;
}

/** Counts and lengths in tokens. */
export interface Sizes {
  readonly streams: { readonly count: number; readonly promptTokens: number; readonly newTokens: number };
  readonly mixed: {
    readonly answers: number;
    readonly newTokens: number;
    readonly prompts: number;
    readonly promptTokens: number;
    /** Between the long prompts, in ms. */
    readonly everyMs: number;
  };
  readonly prefix: { readonly prefixTokens: number; readonly tailTokens: number; readonly pairs: number };
  readonly queued: { readonly few: number; readonly many: number; readonly promptTokens: number; readonly newTokens: number };
  readonly drafts: { readonly documents: number; readonly newTokens: number };
  readonly isolation: { readonly promptTokens: number; readonly samples: number };
}

/** Of the mixed load: tokens of an answer's prompt, and of a long prompt's answer. */
const shortPrompt = 32;
const longPromptAnswer = 8;

/** What the targets name. */
export const fullSizes: Sizes = {
  streams: { count: 8, promptTokens: 16, newTokens: 64 },
  mixed: { answers: 6, newTokens: 128, prompts: 4, promptTokens: 512, everyMs: 4000 },
  prefix: { prefixTokens: 512, tailTokens: 20, pairs: 3 },
  queued: { few: 8, many: 64, promptTokens: 32, newTokens: 32 },
  drafts: { documents: 4, newTokens: 128 },
  isolation: { promptTokens: 2048, samples: 3 },
};

/** Little work, to see that all of it runs; what comes of it is not judged. */
export const quickSizes: Sizes = {
  streams: { count: 2, promptTokens: 4, newTokens: 4 },
  mixed: { answers: 2, newTokens: 8, prompts: 1, promptTokens: 24, everyMs: 20 },
  prefix: { prefixTokens: 32, tailTokens: 4, pairs: 1 },
  queued: { few: 2, many: 4, promptTokens: 4, newTokens: 4 },
  drafts: { documents: 1, newTokens: 8 },
  isolation: { promptTokens: 40, samples: 2 },
};

/** Longest prompt and answer of any of them, over HTTP. */
export function longestOf({ streams, mixed, prefix, queued }: Sizes): number {
  return Math.max(
    streams.promptTokens + streams.newTokens,
    Math.max(mixed.promptTokens + longPromptAnswer, shortPrompt + mixed.newTokens),
    prefix.prefixTokens + prefix.tailTokens + 1,
    queued.promptTokens + queued.newTokens,
  );
}

export type ServedExperiment = Exclude<ExperimentName, 'host' | 'drafts' | 'isolation'>;

export const servedExperiments: Readonly<Record<ServedExperiment, (context: ExperimentContext) => Promise<Round>>> = {
  streams: async ({ run, sizes: { streams }, seed, round }) => {
    const { count, ...lengths } = streams;
    return await compareBursts(run, round, seed, lengths, [1, count], (size) => (size === 1 ? 'one stream' : `${size} streams`));
  },
  queued: async ({ run, sizes: { queued }, seed, round }) => {
    const { few, many, ...lengths } = queued;
    return await compareBursts(run, round, seed, lengths, [few, many], (size) => `${size} requests`);
  },
  mixed: async ({ run, sizes: { mixed }, seed }) => {
    const answers = planBurst({ kind: 'answers', count: mixed.answers, promptTokens: shortPrompt, newTokens: mixed.newTokens, seed });
    const prompts = Array.from({ length: mixed.prompts }, (_, index) => ({
      kind: 'prompts',
      at: (index + 0.5) * mixed.everyMs,
      prompt: freshPrompt(mixed.promptTokens, joinSeeds(seed, 7, index)),
      newTokens: longPromptAnswer,
    }));
    const outcomes = await run([...answers, ...prompts]);
    const gaps = describeSamples(outcomes.flatMap(tokenGaps));
    return { value: gaps === undefined ? Number.NaN : gaps.p99 / gaps.p50, sides: [{ name: 'answers while prompts come', outcomes }] };
  },
  prefix: async ({ run, sizes: { prefix }, seed, round }) => {
    const { prefixTokens, tailTokens, pairs } = prefix;
    const plan = (block: number, index: number): PlannedRequest => ({
      kind: 'prefix',
      at: 0,
      prompt: { length: prefixTokens + tailTokens, blocks: [joinSeeds(seed, 8, block)], blockLength: prefixTokens, seed: joinSeeds(seed, 9, index) },
      newTokens: 1,
    });
    const repeated = 0;
    await run([plan(repeated, 0)]);
    const cold: Outcome[] = [];
    const warm: Outcome[] = [];
    for (let pair = 1; pair <= pairs; pair++) {
      // One alone: beside another it would be a batch.
      const one = async (into: Outcome[], block: number, index: number) => into.push(...(await run([plan(block, index)])));
      await inTurn(round + pair, [() => one(cold, pair, 2 * pair), () => one(warm, repeated, 2 * pair + 1)]);
    }
    const median = (outcomes: readonly Outcome[]): number => summarize(outcomes.map((outcome) => firstTokenTime(outcome) ?? Number.NaN)).median;
    return {
      value: median(warm) / median(cold),
      sides: [
        { name: 'cold prefix', outcomes: cold },
        { name: 'repeated prefix', outcomes: warm },
      ],
    };
  },
};

/** Tokens a second of the second size over that of the first. */
async function compareBursts(
  run: ExperimentContext['run'],
  round: number,
  seed: number,
  lengths: { readonly promptTokens: number; readonly newTokens: number },
  sizes: readonly [number, number],
  label: (size: number) => string,
): Promise<Round> {
  const found = new Map<number, readonly Outcome[]>();
  const measure = (size: number) => async () =>
    found.set(size, await run(planBurst({ kind: label(size), count: size, ...lengths, seed: joinSeeds(seed, 10, size) })));
  await inTurn(round, sizes.map(measure));
  const [base, other] = sizes.map((size) => summarizeLoad(label(size), found.get(size) ?? []).tokensPerSecond);
  return { value: (other ?? Number.NaN) / (base ?? Number.NaN), sides: sizes.map((size) => ({ name: label(size), outcomes: found.get(size) ?? [] })) };
}

/** One after the other, in every second round backwards: what only gets faster or slower with time favours neither. */
async function inTurn(round: number, works: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const work of round % 2 === 0 ? works.toReversed() : works) await work();
}

/** Throws PeerError where a request failed. */
export function demandComplete(outcomes: readonly Outcome[]): Outcome[] {
  const failures = outcomes.flatMap(({ failure }) => failure ?? []);
  if (failures.length > 0) throw new PeerError(`${failures.length} of ${outcomes.length} requests failed (${[...new Set(failures)].join(', ')})`);
  return [...outcomes];
}
