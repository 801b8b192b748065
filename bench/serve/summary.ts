/**
 * Owns what outcomes amount to: distributions of times, tokens a second, goodput, failures by kind. Pure. Failed requests count in no
 * distribution, only as failures, and against goodput.
 */
import { type Statistic, summarize } from '../arithmetic.ts';
import type { Outcome } from './run.ts';
import { type Distribution, describeSamples } from './statistics.ts';

/** Limits that a request must keep to be a good one, in ms. */
export interface ServiceLevel {
  /** First token. */
  readonly ttftMs: number;
  /** Mean time between two tokens of the request, as in DistServe (Zhong et al. 2024). */
  readonly itlMs: number;
}

/** All requests of one kind, or of a run. Times in ms; null where there is no sample. */
export interface LoadSummary {
  readonly name: string;
  readonly requests: number;
  readonly complete: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** From the first intended time to the last end. */
  readonly durationMs: number;
  /** New tokens of complete requests over that time. */
  readonly tokensPerSecond: number;
  /** From the intended time to the first token. */
  readonly ttft: Distribution | null;
  /** Between two tokens of a request; tokens that came together share the time since the ones before. */
  readonly itl: Distribution | null;
  /** From the intended time to the end. */
  readonly endToEnd: Distribution | null;
  /** By how much a request was sent late: what the generator itself added. */
  readonly lag: Distribution | null;
  readonly goodput: Goodput | null;
  /** How many failed, by how. */
  readonly failures: Readonly<Record<string, number>>;
  /** What refusals told their clients to wait; null where none did. */
  readonly retryAfterSeconds: Statistic | null;
}

export interface Goodput {
  readonly good: number;
  /** Of all requests, failed ones included. */
  readonly share: number;
  readonly perSecond: number;
}

export function firstTokenTime({ intendedAt, arrivals }: Pick<Outcome, 'intendedAt' | 'arrivals'>): number | undefined {
  const [first] = arrivals;
  return first && first.at - intendedAt;
}

/** Those of one request. The first arrival is what prefill gives, with as many tokens as it has. */
export function tokenGaps({ arrivals }: Pick<Outcome, 'arrivals'>): number[] {
  return arrivals.slice(1).flatMap(({ at, count }, index) => {
    const gap = (at - (arrivals[index]?.at ?? at)) / count;
    return Array.from({ length: count }, () => gap);
  });
}

function isGood(outcome: Outcome, { ttftMs, itlMs }: ServiceLevel): boolean {
  if (outcome.failure !== undefined) return false;
  const gaps = tokenGaps(outcome);
  const mean = gaps.length === 0 ? 0 : gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  return (firstTokenTime(outcome) ?? Number.POSITIVE_INFINITY) <= ttftMs && mean <= itlMs;
}

export function summarizeLoad(name: string, outcomes: readonly Outcome[], level?: ServiceLevel): LoadSummary {
  const complete = outcomes.filter(({ failure }) => failure === undefined);
  const durationMs = Math.max(0, ...outcomes.map(({ endedAt }) => endedAt)) - Math.min(...outcomes.map(({ intendedAt }) => intendedAt));
  const perSecond = (count: number): number => (durationMs > 0 ? (1000 * count) / durationMs : 0);
  const total = (of: (outcome: Outcome) => number): number => complete.reduce((sum, outcome) => sum + of(outcome), 0);
  const describe = (samples: readonly number[]): Distribution | null => describeSamples(samples) ?? null;
  const waits = outcomes.flatMap(({ retryAfterSeconds }) => retryAfterSeconds ?? []);
  const good = level === undefined ? 0 : outcomes.filter((outcome) => isGood(outcome, level)).length;
  return {
    name,
    requests: outcomes.length,
    complete: complete.length,
    promptTokens: total(({ promptTokens }) => promptTokens),
    completionTokens: total(({ completionTokens }) => completionTokens),
    durationMs,
    tokensPerSecond: perSecond(total(({ completionTokens }) => completionTokens)),
    ttft: describe(complete.flatMap((outcome) => firstTokenTime(outcome) ?? [])),
    itl: describe(complete.flatMap(tokenGaps)),
    endToEnd: describe(complete.map(({ endedAt, intendedAt }) => endedAt - intendedAt)),
    lag: describe(outcomes.map(({ sentAt, intendedAt }) => Math.max(0, sentAt - intendedAt))),
    goodput: level === undefined ? null : { good, share: good / outcomes.length, perSecond: perSecond(good) },
    failures: countFailures(outcomes),
    retryAfterSeconds: waits.length > 0 ? summarize(waits) : null,
  };
}

function countFailures(outcomes: readonly Outcome[]): Record<string, number> {
  const kinds = Map.groupBy(
    outcomes.flatMap(({ failure }) => failure ?? []),
    (failure) => failure,
  );
  return Object.fromEntries([...kinds].map(([kind, { length }]) => [kind, length]));
}
