/** Owns what the engine under load is to reach, and whether it did. Pure. */
import type { Statistic } from '../arithmetic.ts';

export const experimentNames = ['streams', 'mixed', 'prefix', 'queued', 'host', 'drafts', 'isolation'] as const;
export type ExperimentName = (typeof experimentNames)[number];

export interface LoadTarget {
  readonly what: string;
  readonly unit: 'x' | '%' | 'p';
  readonly limit: number;
  /** Whether less is better. */
  readonly isMost: boolean;
}

/** Above this p, samples are taken to be of one distribution; below, a control must be. */
export const significance = 0.01;

// biome-ignore format: a table
export const loadTargets: Readonly<Record<ExperimentName, LoadTarget>> = {
  streams: { what: 'tokens/s of 8 streams over one', unit: 'x', limit: 3, isMost: false },
  mixed: { what: 'p99 over median of the time between tokens, prompts and answers mixed', unit: 'x', limit: 3, isMost: true },
  prefix: { what: 'time to first token with a repeated prefix of 512 tokens, over a cold one', unit: 'x', limit: 0.25, isMost: true },
  queued: { what: 'tokens/s of 64 requests at once over 8', unit: 'x', limit: 0.9, isMost: false },
  host: { what: 'work of scheduler and host in a step of 8 sequences', unit: '%', limit: 10, isMost: true },
  drafts: { what: 'tokens/s of summaries with guessed tokens over those without', unit: 'x', limit: 1, isMost: false },
  isolation: { what: 'time to first token of a tenant whose prompt another has cached, against cold ones: p', unit: 'p', limit: significance, isMost: false },
};

/** By the median; null where nothing was found. */
export function isTargetMet(name: ExperimentName, found: Statistic | null): boolean | null {
  if (found === null) return null;
  const { limit, isMost } = loadTargets[name];
  return isMost ? found.median <= limit : found.median >= limit;
}
