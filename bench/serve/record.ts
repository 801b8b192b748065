/** Owns what a run of the load bench leaves behind, as JSON: a closed set of numbers and names, nothing of a prompt or an answer. */
import type { Statistic } from '../arithmetic.ts';
import type { Machine } from '../machine.ts';
import type { LoadSummary, ServiceLevel } from './summary.ts';
import type { ExperimentName } from './targets.ts';

/** What was asked of the server. */
export interface LoadDescription {
  readonly source: 'trace' | 'mix' | 'bursts';
  readonly requests: number;
  readonly seed: number;
  /** Intended requests a second, from the first to the last; null where all came at once. */
  readonly rate: number | null;
}

/** One number beside the result. */
export interface Detail {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ms' | '%' | 'p' | 'tokens';
}

export interface ExperimentRecord {
  readonly name: ExperimentName;
  readonly limit: number;
  /** Null where it could not be measured; `reason` says why. */
  readonly found: Statistic | null;
  readonly isMet: boolean | null;
  readonly reason: string | null;
  readonly sides: readonly LoadSummary[];
  readonly details: readonly Detail[];
}

export interface ServeRecord {
  readonly date: string;
  readonly version: string;
  readonly machine: Machine;
  /** Null: a server that ran already. */
  readonly device: string | null;
  readonly model: string;
  readonly level: ServiceLevel;
  /** Null with experiments. */
  readonly load: LoadDescription | null;
  /** Of all requests, then by kind where there are several. */
  readonly summaries: readonly LoadSummary[];
  readonly rounds: number;
  readonly experiments: readonly ExperimentRecord[];
}
