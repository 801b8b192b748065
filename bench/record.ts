/**
 * Owns what a bench run leaves behind: one record of closed keys, from which table and charts are drawn and which is the
 * last line as JSON. Pure.
 */
import type { DeviceName } from '../runtime/index.ts';
import { compareRounds, type Statistic, summarize, type Workload } from './arithmetic.ts';
import type { KernelSample } from './kernels/side.ts';
import type { Machine } from './machine.ts';
import type { Sample } from './round.ts';
import type { TargetRecord } from './targets.ts';

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

/** Decoding of the batch over decoding of one sequence with the same prompt and new tokens. */
export interface StreamsRecord {
  readonly sequences: number;
  readonly ratio: Statistic;
}

/** Decoding after the longest prompt over decoding after the first one, of one sequence with the same new tokens. */
export interface ContextRecord {
  /** Tokens of the shorter and of the longer prompt. */
  readonly promptTokens: readonly [number, number];
  readonly ratio: Statistic;
}

/** From the start of the process to the first text, in ms; null where it was not measured. */
export interface ColdStartRecord {
  readonly warmMs: Statistic | null;
  /** With an empty cache of compiled kernels. */
  readonly emptyMs: Statistic | null;
}

/** One chain of matrices with this many vectors, on every side. */
export interface KernelRecord {
  readonly chain: string;
  readonly tokens: number;
  readonly unit: 'GB/s' | 'GFLOP/s';
  readonly sides: readonly { readonly name: string; readonly rate: Statistic }[];
  /** The first side over each of the others. */
  readonly ratios: readonly { readonly against: string; readonly ratio: Statistic }[];
}

export interface BenchRecord {
  readonly date: string;
  readonly version: string;
  readonly machine: Machine;
  readonly device: DeviceName;
  readonly model: { readonly file: string; readonly bytes: number };
  readonly rounds: number;
  readonly dispatchesPerToken: number;
  readonly engines: readonly EngineRecord[];
  readonly compared: Workload;
  readonly ratios: readonly RatioRecord[];
  readonly streams: StreamsRecord;
  /** Null where all prompts have one length. */
  readonly context: ContextRecord | null;
  readonly coldStart: ColdStartRecord;
  readonly kernels: readonly KernelRecord[];
  readonly targets: readonly TargetRecord[];
}

/** Samples of one engine, one a round; all rounds ran the same workloads. */
export interface Series {
  readonly name: string;
  readonly workloads: readonly Workload[];
  readonly samples: readonly Sample[];
}

/** Samples of one side of the kernel comparison: all of a round, round by round. */
export interface KernelSeries {
  readonly name: string;
  readonly samples: readonly (readonly KernelSample[])[];
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

/** The batch is the workload before the compared one, one sequence like each of it the first. */
export function compareStreams({ workloads, samples }: Series): StreamsRecord {
  const batch = workloads.length - 2;
  const read = (index: number): number[] => samples.map(({ speeds }) => speeds[index]?.decodePerSecond ?? Number.NaN);
  return { sequences: workloads[batch]?.sequences ?? 0, ratio: compareRounds(read(batch), read(0)) };
}

/** The single sequences are the workloads before the batch. */
export function compareContexts({ workloads, samples }: Series): ContextRecord | null {
  const lengths = workloads.slice(0, -2).map(({ promptTokens }) => promptTokens);
  const longest = lengths.indexOf(Math.max(...lengths));
  const [first = 0, last = 0] = [lengths[0], lengths[longest]];
  if (first === last) return null;
  const read = (index: number): number[] => samples.map(({ speeds }) => speeds[index]?.decodePerSecond ?? Number.NaN);
  return { promptTokens: [first, last], ratio: compareRounds(read(longest), read(0)) };
}

/** The first series is ours; every series ran the same work. */
export function summarizeKernels(series: readonly KernelSeries[]): KernelRecord[] {
  const [ours, ...others] = series;
  const work = ours?.samples[0] ?? [];
  return work.map(({ chain, tokens }, index) => {
    const rates = ({ samples }: KernelSeries): number[] => samples.map((round) => round[index]?.rate ?? Number.NaN);
    return {
      chain,
      tokens,
      unit: tokens === 1 ? 'GB/s' : 'GFLOP/s',
      sides: series.map((side) => ({ name: side.name, rate: summarize(rates(side)) })),
      ratios: others.map((side) => ({ against: side.name, ratio: compareRounds(rates(ours as KernelSeries), rates(side)) })),
    };
  });
}
