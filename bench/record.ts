/**
 * Owns what a bench run leaves behind: one record of closed keys, from which the table is drawn and which is the
 * last line as JSON; and the targets with what was found. Pure.
 */
import { compareRounds, type Statistic, summarize, type Workload } from './arithmetic.ts';
import type { Machine } from './machine.ts';
import type { Sample } from './round.ts';

/** What is to be reached on a CPU device, and where it is written: issue 3. */
const targets = { decode: 4, prefill: 2, modelCopies: 2, extraBytes: 400e6 } as const;

export interface RunRecord extends Workload {
  readonly firstTokenMs: Statistic;
  readonly prefillPerSecond: Statistic;
  readonly decodePerSecond: Statistic;
}

export interface EngineRecord {
  readonly name: string;
  readonly device: string;
  readonly loadMs: Statistic;
  readonly coldFirstTokenMs: Statistic;
  readonly processes: number;
  /** By VmRSS, which counts a shared page twice: the stricter count, by which the target is judged. */
  readonly residentBytes: Statistic;
  /** By Pss, each page once. */
  readonly proportionalBytes: Statistic;
  readonly peakBytes: Statistic;
  readonly loadAverage: Statistic;
  readonly runs: readonly RunRecord[];
}

export interface RatioRecord {
  readonly against: string;
  readonly decode: Statistic;
  readonly prefill: Statistic;
}

export interface TargetRecord {
  readonly name: 'decode' | 'prefill' | 'resident';
  readonly limit: number;
  /** Null where the peer was not measured. */
  readonly found: number | null;
  readonly isMet: boolean | null;
}

export interface BenchRecord {
  readonly date: string;
  readonly version: string;
  readonly machine: Machine;
  readonly device: string;
  readonly model: { readonly file: string; readonly bytes: number };
  readonly rounds: number;
  readonly dispatchesPerToken: number;
  readonly engines: readonly EngineRecord[];
  readonly compared: Workload;
  readonly ratios: readonly RatioRecord[];
  readonly targets: readonly TargetRecord[];
}

/** Samples of one engine, one a round; all rounds ran the same workloads. */
export interface Series {
  readonly name: string;
  readonly workloads: readonly Workload[];
  readonly samples: readonly Sample[];
}

export function summarizeEngine({ name, workloads, samples }: Series): EngineRecord {
  const over = (read: (sample: Sample) => number): Statistic => summarize(samples.map(read));
  return {
    name,
    device: samples[0]?.device ?? '',
    loadMs: over((sample) => sample.loadMs),
    coldFirstTokenMs: over((sample) => sample.coldFirstTokenMs),
    processes: samples[0]?.memory.processes ?? 0,
    residentBytes: over((sample) => sample.memory.resident),
    proportionalBytes: over((sample) => sample.memory.proportional),
    peakBytes: over((sample) => sample.memory.peak),
    loadAverage: over((sample) => sample.load),
    runs: workloads.map((workload, index) => ({
      ...workload,
      firstTokenMs: over((sample) => sample.speeds[index]?.firstTokenMs ?? Number.NaN),
      prefillPerSecond: over((sample) => sample.speeds[index]?.prefillPerSecond ?? Number.NaN),
      decodePerSecond: over((sample) => sample.speeds[index]?.decodePerSecond ?? Number.NaN),
    })),
  };
}

/** The compared workload is the last one of either side. */
export function compareSeries(ours: Series, theirs: Series): RatioRecord {
  const read = ({ samples }: Series, key: 'decodePerSecond' | 'prefillPerSecond'): number[] => samples.map(({ speeds }) => speeds.at(-1)?.[key] ?? Number.NaN);
  const compare = (key: 'decodePerSecond' | 'prefillPerSecond'): Statistic => compareRounds(read(ours, key), read(theirs, key));
  return { against: theirs.name, decode: compare('decodePerSecond'), prefill: compare('prefillPerSecond') };
}

/** `ratio` is the one against the Vulkan peer, if it was measured. */
export function judgeTargets(ratio: RatioRecord | undefined, residentBytes: number, modelBytes: number): TargetRecord[] {
  const atLeast = (name: 'decode' | 'prefill', found: number | undefined): TargetRecord => ({
    name,
    limit: targets[name],
    found: found ?? null,
    isMet: found === undefined ? null : found >= targets[name],
  });
  const limit = targets.modelCopies * modelBytes + targets.extraBytes;
  return [
    atLeast('decode', ratio?.decode.median),
    atLeast('prefill', ratio?.prefill.median),
    { name: 'resident', limit, found: residentBytes, isMet: residentBytes <= limit },
  ];
}
