/** Owns how the results of the kernel bench look in a terminal. Pure: lines out. */
import { alignColumns, formatKernels } from '../report.ts';
import type { Ceilings } from './ceilings.ts';
import { compareRecords, isSlower, type SuiteRecord } from './record.ts';
import type { CaseResult } from './run.ts';

export interface Rate {
  readonly value: number;
  readonly unit: 'GB/s' | 'GFLOP/s';
  /** Of the ceiling that binds, 0 to 1 and a little more: ceilings are measured too. */
  readonly share: number;
}

/** By the ceiling that binds at this ratio of operations to bytes: bandwidth or arithmetic. */
export function rateOf({ ms, bytes, operations }: Pick<CaseResult, 'ms' | 'bytes' | 'operations'>, ceilings: Ceilings): Rate {
  const isArithmetic = operations / ceilings.multiplyAdd > bytes / ceilings.copy;
  const value = (isArithmetic ? operations : bytes) / ms / 1e6;
  return { value, unit: isArithmetic ? 'GFLOP/s' : 'GB/s', share: value / (isArithmetic ? ceilings.multiplyAdd : ceilings.copy) };
}

/** `before`: an earlier record to compare with; `percent`: from where on a case is said to be slower. */
export function formatResults(record: SuiteRecord, before: SuiteRecord | undefined, percent: number): string[] {
  const { device, adapter, machine, ceilings, results, chains, timedBy } = record;
  const changes = new Map((before === undefined ? [] : compareRecords(record, before)).map((change) => [change.name, change]));
  const rows = results.map((result) => {
    const { value, unit, share } = rateOf(result, ceilings);
    const change = changes.get(result.name);
    const verdict = change === undefined ? '-' : `${change.ratio.toFixed(2)} x${isSlower(change, percent) ? ' slower' : ''}`;
    return [
      result.name,
      result.ms.toFixed(3),
      `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`,
      `${(100 * share).toFixed(0)} %`,
      result.error.toExponential(1),
      ...(before === undefined ? [] : [verdict]),
    ];
  });
  const table = [['kernel', 'ms', 'rate', 'of ceiling', 'error', ...(before === undefined ? [] : ['time / before'])], ...rows];
  return [
    `machine  ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`,
    `device   ${device}: ${adapter}`,
    `ceilings ${ceilings.copy.toFixed(1)} GB/s copied, ${ceilings.multiplyAdd.toFixed(0)} GFLOP/s multiplied and added`,
    `times    by ${timedBy === 'timestamps' ? 'timestamps of the device' : 'the clock, from submit to done'}`,
    ...(rows.length > 0 ? ['', ...alignColumns(table, true)] : []),
    ...(chains.length > 0 ? ['', ...formatKernels(chains)] : []),
    ...(before === undefined ? [] : ['', ...formatComparison(record, before, percent)]),
  ];
}

function formatComparison(record: SuiteRecord, before: SuiteRecord, percent: number): string[] {
  const changes = compareRecords(record, before);
  const slower = changes.filter((change) => isSlower(change, percent));
  return [
    ...(before.adapter === record.adapter ? [] : [`compared with another device: ${before.adapter}`]),
    `${slower.length} of ${changes.length} cases slower by more than ${percent} % than on ${before.date}`,
    ...slower.map(({ name, ratio }) => `  ${ratio.toFixed(2)} x  ${name}`),
  ];
}
