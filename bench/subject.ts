/**
 * Owns what the bench asks of every engine it measures, ours or another: the one interface makes them do the same
 * work and be timed by the same arithmetic.
 */
import type { Workload } from './arithmetic.ts';
import type { TreeMemory } from './memory.ts';

export interface Subject extends AsyncDisposable {
  /** From the start of its process until it takes requests, in ms. */
  readonly loadMs: number;
  /** Device and driver as the engine names them. */
  readonly device: string;
  /** Runs all prompts at once, greedy; the time of each new token of each sequence, in ms since the call. */
  run(prompts: readonly Uint32Array[], newTokens: number): Promise<readonly (readonly number[])[]>;
  /** Of all its processes. */
  readMemory(): TreeMemory;
}

/** A multiplier and an increment of full period modulo 2^32 (Numerical Recipes). */
const multiplier = 1_664_525;
const increment = 1_013_904_223;

/** For each seed the same ids in every run and for every engine; they mean nothing, which costs the same as text that does. */
export function createPrompts({ sequences, promptTokens }: Workload, vocabularySize: number, seed = 1): Uint32Array[] {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, multiplier) + increment) >>> 0;
    return Math.floor((state / 2 ** 32) * vocabularySize);
  };
  return Array.from({ length: sequences }, () => Uint32Array.from({ length: promptTokens }, next));
}
