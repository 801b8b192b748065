/** Owns what a run of the kernel bench leaves behind, how an earlier one is read, and what is slower than it was. Refuses what is not such a file. */
import { readFileSync } from 'node:fs';
import type { DeviceName } from '../../runtime/index.ts';
import { UsageError } from '../../server/cli/options.ts';
import type { Machine } from '../machine.ts';
import type { KernelRecord } from '../record.ts';
import type { Ceilings } from './ceilings.ts';
import type { CaseResult } from './run.ts';
import type { SetName } from './sets.ts';
import type { TimedBy } from './stopwatch.ts';

export interface SuiteRecord {
  readonly date: string;
  readonly device: DeviceName;
  readonly adapter: string;
  readonly machine: Machine;
  readonly set: SetName;
  readonly timedBy: TimedBy;
  readonly ceilings: Ceilings;
  readonly results: readonly CaseResult[];
  /** Beside the peers; empty without --peers. */
  readonly chains: readonly KernelRecord[];
}

/** In percent: what is less may be noise, also on a quiet machine. */
export const noticeable = 10;

export interface Change {
  readonly name: string;
  /** Time now over time then. */
  readonly ratio: number;
}

/** Cases that both have, in today's order. */
export function compareRecords(now: SuiteRecord, before: SuiteRecord): Change[] {
  const then = new Map(before.results.map(({ name, ms }) => [name, ms]));
  return now.results.flatMap(({ name, ms }) => {
    const old = then.get(name);
    return old === undefined ? [] : [{ name, ratio: ms / old }];
  });
}

export function isSlower({ ratio }: Change, percent: number): boolean {
  return ratio > 1 + percent / 100;
}

/** Throws UsageError. */
export function readSuiteRecord(path: string): SuiteRecord {
  const expected = new UsageError(`Expected a file that --json has written in ${path}, found none that can be read.`);
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as SuiteRecord;
    if (!Array.isArray(record.results) || !record.results.every(({ name, ms }) => typeof name === 'string' && ms > 0)) throw expected;
    return record;
  } catch {
    throw expected;
  }
}
