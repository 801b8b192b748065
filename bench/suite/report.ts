/** Owns how the results of the kernel bench look in a terminal. Pure: lines out. */
import { alignColumns } from '../report.ts';
import type { SuiteRecord } from './index.ts';
import type { CaseResult, Ceilings } from './run.ts';

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

export function formatResults({ device, adapter, machine, ceilings, results }: SuiteRecord, before: SuiteRecord | undefined): string[] {
  const old = new Map(before?.results.map(({ name, ms }) => [name, ms]));
  const rows = results.map((result) => {
    const { value, unit, share } = rateOf(result, ceilings);
    const then = old.get(result.name);
    return [
      result.name,
      result.ms.toFixed(3),
      `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`,
      `${(100 * share).toFixed(0)} %`,
      result.error.toExponential(1),
      ...(before === undefined ? [] : [then === undefined ? '-' : `${(result.ms / then).toFixed(2)} x`]),
    ];
  });
  const table = [['kernel', 'ms', 'rate', 'of ceiling', 'error', ...(before === undefined ? [] : ['time / before'])], ...rows];
  return [
    `machine  ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`,
    `device   ${device}: ${adapter}`,
    `ceilings ${ceilings.copy.toFixed(1)} GB/s copied, ${ceilings.multiplyAdd.toFixed(0)} GFLOP/s multiplied and added`,
    '',
    ...alignColumns(table, true),
  ];
}
