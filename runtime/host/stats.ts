/**
 * Owns the counts of an engine over all its processes: what counts up goes on where the last process stopped. Refuses to guess
 * what a new field is: the table below must say it.
 */
import type { EngineStats } from '../types.ts';

/** `count`: since the start, only ever more; a number, or numbers by name or place. `state`: as of now. */
const kinds: Readonly<Record<keyof EngineStats, 'count' | 'state'>> = {
  running: 'state',
  waiting: 'state',
  parked: 'state',
  kvBlocksTotal: 'state',
  kvBlocksFree: 'state',
  steps: 'count',
  promptTokens: 'count',
  generatedTokens: 'count',
  preemptions: 'count',
  restarts: 'count',
  dispatchesPerStep: 'state',
  memory: 'state',
};

/** An engine that has done nothing. */
export const emptyStats: EngineStats = {
  running: 0,
  waiting: 0,
  parked: 0,
  kvBlocksTotal: 0,
  kvBlocksFree: 0,
  steps: 0,
  promptTokens: 0,
  generatedTokens: 0,
  preemptions: 0,
  restarts: 0,
  dispatchesPerStep: 0,
  memory: {},
};

/** State of `later`, counts of both. */
export function addStats(earlier: EngineStats, later: EngineStats): EngineStats {
  const counts = Object.keys(kinds).filter((key) => kinds[key as keyof EngineStats] === 'count') as (keyof EngineStats)[];
  return { ...later, ...Object.fromEntries(counts.map((key) => [key, add(earlier[key], later[key])])) };
}

/** Between two processes: nothing runs and no memory is taken. */
export function pausedStats(last: EngineStats, waiting: number): EngineStats {
  return { ...last, running: 0, waiting, parked: 0, kvBlocksFree: last.kvBlocksTotal, memory: {} };
}

type Counts = number | undefined | readonly Counts[] | { readonly [name: string]: Counts };

function add(a: Counts, b: Counts): Counts {
  if (typeof a !== 'object') return typeof b === 'object' ? b : (a ?? 0) + (b ?? 0);
  if (typeof b !== 'object') return a;
  if (Array.isArray(a) && Array.isArray(b)) return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => add(a[i], b[i]));
  const [first, second] = [a, b] as Readonly<Record<string, Counts>>[];
  const names = new Set([...Object.keys(first ?? {}), ...Object.keys(second ?? {})]);
  return Object.fromEntries(Array.from(names, (name) => [name, add(first?.[name], second?.[name])]));
}
