/**
 * Owns the counts of an engine over all its processes: what counts up goes on where the last process stopped. Refuses to guess
 * what a new field is: the table below must say it.
 */
import { Recorder } from '../recorder.ts';
import type { EngineStats, LatencyHistogram, TenantStats } from '../types.ts';

/** `count`: since the start, only ever more; a number, or numbers by name. `state`: as of now. `own`: has both in it. */
const kinds: Readonly<Record<keyof EngineStats, 'count' | 'state' | 'own'>> = {
  running: 'state',
  waiting: 'state',
  parked: 'state',
  kvBlocksTotal: 'state',
  kvBlocksFree: 'state',
  kvBlocksCached: 'state',
  blockLength: 'state',
  steps: 'count',
  promptTokens: 'count',
  generatedTokens: 'count',
  preemptions: 'count',
  restarts: 'count',
  dispatchesPerStep: 'state',
  memory: 'state',
  prefixQueries: 'count',
  prefixHits: 'count',
  draftTokens: 'count',
  acceptedTokens: 'count',
  forcedTokens: 'count',
  expertUses: 'count',
  expertLoads: 'count',
  expertsAhead: 'count',
  expertsForeseen: 'count',
  expertBytes: 'count',
  expertFileBytes: 'count',
  estimatedWaitMs: 'state',
  finished: 'count',
  stepMs: 'count',
  histograms: 'own',
  tenants: 'own',
};

/** An engine that has done nothing. */
export const emptyStats: EngineStats = {
  ...new Recorder().read(),
  ...{ running: 0, waiting: 0, parked: 0, kvBlocksTotal: 0, kvBlocksFree: 0, kvBlocksCached: 0, blockLength: 0 },
  ...{ steps: 0, promptTokens: 0, generatedTokens: 0, preemptions: 0, restarts: 0, dispatchesPerStep: 0, memory: {} },
  ...{ prefixQueries: 0, prefixHits: 0, draftTokens: 0, acceptedTokens: 0, forcedTokens: 0, estimatedWaitMs: 0, tenants: [] },
  ...{ expertUses: 0, expertLoads: 0, expertsAhead: 0, expertsForeseen: 0, expertBytes: 0, expertFileBytes: 0 },
};

/** State of `later`, counts of both. */
export function addStats(earlier: EngineStats, later: EngineStats): EngineStats {
  const counts = Object.keys(kinds).filter((key) => kinds[key as keyof EngineStats] === 'count') as (keyof EngineStats)[];
  return {
    ...later,
    ...Object.fromEntries(counts.map((key) => [key, add(earlier[key] as Counts, later[key] as Counts)])),
    histograms: addHistograms(earlier.histograms, later.histograms),
    tenants: addTenants(earlier.tenants, later.tenants),
  };
}

/** Between two processes: nothing runs and no memory is taken. */
export function pausedStats(last: EngineStats, waiting: number): EngineStats {
  const tenants = last.tenants.map((tenant) => ({ ...tenant, running: 0, waiting: 0, cachedBlocks: 0 }));
  return { ...last, running: 0, waiting, parked: 0, kvBlocksFree: last.kvBlocksTotal, kvBlocksCached: 0, estimatedWaitMs: 0, memory: {}, tenants };
}

function addHistograms(earlier: EngineStats['histograms'], later: EngineStats['histograms']): EngineStats['histograms'] {
  const sum = (a: LatencyHistogram, b: LatencyHistogram): LatencyHistogram => ({
    ...b,
    counts: b.counts.map((count, bucket) => count + (a.counts[bucket] ?? 0)),
    sum: a.sum + b.sum,
  });
  const names = Object.keys(later) as (keyof EngineStats['histograms'])[];
  return Object.fromEntries(names.map((name) => [name, sum(earlier[name], later[name])])) as EngineStats['histograms'];
}

/** In the order in which they first came, to whichever process. */
function addTenants(earlier: readonly TenantStats[], later: readonly TenantStats[]): TenantStats[] {
  const sums = new Map(earlier.map((tenant) => [tenant.tenant, { ...tenant, running: 0, waiting: 0, cachedBlocks: 0 }]));
  for (const { tenant, running, waiting, cachedBlocks, ...counts } of later)
    sums.set(tenant, { ...(add({ ...sums.get(tenant) }, counts) as typeof counts), tenant, running, waiting, cachedBlocks });
  return [...sums.values()];
}

type Counts = number | undefined | { readonly [name: string]: Counts };

function add(a: Counts, b: Counts): Counts {
  if (typeof a !== 'object') return typeof b === 'object' ? b : (a ?? 0) + (b ?? 0);
  if (typeof b !== 'object') return a;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries(Array.from(names, (name) => [name, add(a[name], b[name])]));
}

/** With what other stages have taken. */
export function withMemory(stats: EngineStats, others: EngineStats['memory']): EngineStats {
  const owners = [...new Set([...Object.keys(stats.memory), ...Object.keys(others)])];
  return { ...stats, memory: Object.fromEntries(owners.map((owner) => [owner, (stats.memory[owner] ?? 0) + (others[owner] ?? 0)])) };
}
