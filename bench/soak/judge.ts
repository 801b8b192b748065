/** Owns the bounds of the soak and what is found against them. Numbers only: nothing of what a request holds can be in a record. */
import type { EngineStats } from '../../runtime/index.ts';
import type { End, Tally } from './clients.ts';
import type { Resident } from './subject.ts';

export interface Bound {
  readonly name: string;
  readonly found: number;
  /** Most that may be; `isLeast`: least. */
  readonly bound: number;
  readonly isLeast?: boolean;
  /** null: not judged. */
  readonly isMet: boolean | null;
}

export interface SoakRecord {
  readonly date: string;
  readonly version: string;
  readonly device: string;
  readonly model: string;
  readonly seed: number;
  readonly clients: number;
  readonly seconds: number;
  readonly ends: Readonly<Record<End, number>>;
  /** Closed names of errors. */
  readonly codes: readonly string[];
  /** Of what took place. */
  readonly counts: Readonly<Record<'tokens' | 'cached' | 'copied' | 'parked' | 'preemptions' | 'guessed' | 'accepted' | 'restarts', number>>;
  /** In bytes, after the first requests and after the last; null with --crashes. */
  readonly resident: { readonly first: Resident; readonly last: Resident } | null;
  readonly bounds: readonly Bound[];
}

/** Part by which resident memory may grow. */
const growthLimit = 0.02;

const atMost = (name: string, found: number, bound = 0): Bound => ({ name, found, bound, isMet: found <= bound });
export const atLeast = (name: string, found: number, bound: number): Bound => ({ name, found, bound, isLeast: true, isMet: found >= bound });

/** What holds for every request. `restarts`: times that a process was to be killed. */
export function judgeEnds({ ends }: Tally, restarts: number, stats: EngineStats): Bound[] {
  return [
    atMost('answers with a wrong token or length', ends.wrong),
    atMost('requests that hang', ends.hung),
    atMost('requests that failed otherwise', ends.failed),
    ...(restarts === 0 ? [atMost('requests that lost their process', ends.restarted)] : []),
    { ...atMost('processes that took over', stats.restarts, restarts), isMet: stats.restarts === restarts },
  ];
}

/** What must be so when nothing runs and no prefix is kept. `left`: words that are not zero. */
export function judgeRest({ running, waiting, kvBlocksFree, kvBlocksTotal, kvBlocksCached }: EngineStats, left: number): Bound[] {
  return [
    atMost('requests left', running + waiting),
    atMost('KV blocks that leaked', kvBlocksTotal - kvBlocksFree + kvBlocksCached),
    atMost('words on the device that are not zero', left),
  ];
}

/** `isJudged`: enough requests came between the two for growth to be told from noise. */
export function judgeGrowth(first: Resident, last: Resident, isJudged: boolean): Bound[] {
  return (['engine', 'parent'] as const).map((name) => {
    const bound = atMost(`growth of the ${name} process`, last[name] / first[name] - 1, growthLimit);
    return isJudged ? bound : { ...bound, isMet: null };
  });
}

export const judgeMemory = (first: EngineStats, last: EngineStats): Bound =>
  atMost('owners of device memory that hold another size', Object.keys(last.memory).filter((owner) => first.memory[owner] !== last.memory[owner]).length);

export function countEvents({ tokens, cached, copied, parked }: Tally, stats: EngineStats): SoakRecord['counts'] {
  const { preemptions, draftTokens: guessed, acceptedTokens: accepted, restarts } = stats;
  return { tokens, cached, copied, parked, preemptions, guessed, accepted, restarts };
}
