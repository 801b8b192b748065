/**
 * Owns the reading of a record that an earlier run printed: the last line of its saved output. Refuses what is not a whole record of
 * this version of the bench, because a chart of half a record would look like a result.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { deviceNames } from '../runtime/types.ts';
import { UsageError } from '../server/cli/options.ts';
import type { BenchRecord } from './record.ts';
import { targetNames } from './targets.ts';

const number = z.number();
const text = z.string();
const statistic = z.strictObject({ median: number, min: number, max: number });
const workload = { sequences: number, promptTokens: number, newTokens: number };
const run = z.strictObject({ ...workload, firstTokenMs: statistic, prefillPerSecond: statistic, decodePerSecond: statistic });
const engine = z.strictObject({
  name: text,
  device: text,
  loadMs: statistic,
  coldFirstTokenMs: statistic,
  processes: number,
  residentBytes: statistic,
  proportionalBytes: statistic,
  peakBytes: statistic,
  loadAverage: statistic,
  runs: z.array(run),
});
const kernel = z.strictObject({
  chain: text,
  tokens: number,
  unit: z.enum(['GB/s', 'GFLOP/s']),
  sides: z.array(z.strictObject({ name: text, rate: statistic })),
  ratios: z.array(z.strictObject({ against: text, ratio: statistic })),
});
const record: z.ZodType<BenchRecord> = z.strictObject({
  date: text,
  version: text,
  machine: z.strictObject({ cpu: text, cores: number, memoryBytes: number, node: text }),
  device: z.enum(deviceNames),
  model: z.strictObject({ file: text, bytes: number }),
  rounds: number,
  dispatchesPerToken: number,
  engines: z.array(engine),
  compared: z.strictObject(workload),
  ratios: z.array(z.strictObject({ against: text, decode: statistic, prefill: statistic })),
  streams: z.strictObject({ sequences: number, ratio: statistic }),
  context: z.strictObject({ promptTokens: z.tuple([number, number]), ratio: statistic }).nullable(),
  coldStart: z.strictObject({ warmMs: statistic.nullable(), emptyMs: statistic.nullable() }),
  kernels: z.array(kernel),
  targets: z.array(
    z.strictObject({ name: z.enum(targetNames), limit: number, reach: number.nullable(), found: number.nullable(), isMet: z.boolean().nullable() }),
  ),
});

/** Throws UsageError with the place of the record that does not fit. */
export function readSavedRecord(path: string): BenchRecord {
  const refuse = (found: string): UsageError => new UsageError(`Expected the saved output of this version of the bench in ${path}, found ${found}.`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? '');
  } catch (error) {
    throw refuse(error instanceof SyntaxError ? 'no JSON in its last line' : 'no file that can be read');
  }
  const result = record.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw refuse(`no record: at ${issue?.path.join('.') || 'the top'}: ${issue?.message ?? 'unknown'}`);
}
