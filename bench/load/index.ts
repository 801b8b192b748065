/**
 * `npm run bench:load`: how fast a checkpoint in the system's cache becomes a ready engine, and what memory the host takes for it. What the words
 * mean: bench/README.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { chunkSize } from '../../runtime/checkpoint/stage.ts';
import type { Driver } from '../../runtime/drivers.ts';
import type { DeviceName } from '../../runtime/types.ts';
import { ensureDevice } from '../../scripts/setup/index.ts';
import { deviceOption, integer, UsageError } from '../../server/cli/options.ts';
import { readVersion } from '../../server/privacy/version.ts';
import { type Statistic, summarize } from '../arithmetic.ts';
import { PeerError } from '../child.ts';
import { describeMachine } from '../machine.ts';
import { say } from '../rounds.ts';
import { type CheckpointName, checkpointNames, standardNames, writeCheckpoint, writeSmall } from './checkpoints.ts';
import { hostSizeOf, type Load, measureLoad, sizeOfFiles, timeReading } from './measure.ts';

interface LoadOptions {
  readonly device: DeviceName | 'auto';
  readonly size: number;
  readonly rounds: number;
  readonly checkpoints: readonly CheckpointName[];
}

/** Of the host beside the device's copy, over the chunk. */
const memoryLimit = 1.2;
/** Bytes of V8's heap and what lies outside of it, whatever the size of the checkpoint. */
const heapLimit = 600e6;

/** Measures and prints; exit code 1 where a bound is broken. */
export async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const driver = await ensureDevice(options.device);
  const folder = mkdtempSync(join(tmpdir(), 'inward-load-'));
  try {
    const records = [];
    for (const name of options.checkpoints) records.push(await measureCheckpoint(name, folder, options, driver));
    const date = new Date().toISOString().slice(0, 10);
    console.log(JSON.stringify({ date, version: readVersion(), machine: describeMachine(), device: driver.name, rounds: options.rounds, chunkSize, records }));
    if (records.some(({ isMet }) => !isMet)) process.exitCode = 1;
  } catch (error) {
    throw error instanceof PeerError ? new UsageError(error.message) : error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parseOptions(args: readonly string[]): LoadOptions {
  return new Command('inward bench load')
    .description('Measure how fast a checkpoint of random weights becomes a ready engine, and what memory the host takes. The last line is JSON.')
    .addOption(deviceOption())
    .addOption(new Option('--size <bytes>', 'of a checkpoint, with M or G behind it: 1,000,000 and 1,000,000,000').argParser(parseSize).default(1e9, '1G'))
    .option('--rounds <count>', 'loads of each checkpoint; each beside a reading of its files', integer(1, 100), 3)
    .addOption(new Option('--checkpoints <list>', `which of ${checkpointNames.join()}`).argParser(parseNames).default(standardNames, standardNames.join()))
    .addHelpText('after', '\nExamples:\n  npm run bench:load\n  npm run bench:load -- --size 8G --checkpoints bf16 --rounds 1')
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<LoadOptions>();
}

/** Bytes of `2G`, for options. */
export function parseSize(text: string): number {
  const [, digits, unit] = /^(\d{1,6})([MG])$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('Expected a whole number with M or G behind it.');
  return Number(digits) * (unit === 'M' ? 1e6 : 1e9);
}

function parseNames(text: string): CheckpointName[] {
  return text.split(',').map((name) => {
    const found = checkpointNames.find((known) => known === name);
    if (found === undefined) throw new InvalidArgumentError(`Expected some of ${checkpointNames.join()}.`);
    return found;
  });
}

async function measureCheckpoint(name: CheckpointName, folder: string, { size, rounds }: LoadOptions, driver: Driver) {
  say(`writing ${name}`);
  const modelPath = writeCheckpoint(name, folder, size);
  const small = writeSmall(name, folder);
  const fileSize = sizeOfFiles(modelPath);
  const open = (first?: string): Promise<Load> =>
    measureLoad({ modelPath, device: driver.name, contextLength: 64, maxSequences: 1, kvTokens: 64 }, driver, first);
  const loads: Load[] = [];
  const readings: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      say(`${name}, round ${round + 1} of ${rounds}`);
      readings.push(timeReading(modelPath));
      loads.push(await open());
    }
    say(`${name}, memory`);
    return report(name, fileSize, readings, loads, await open(small));
  } finally {
    // One at a time is in the system's cache.
    rmSync(modelPath, { recursive: true });
  }
}

function report(name: CheckpointName, fileSize: number, readings: readonly number[], loads: readonly Load[], last: Load) {
  const rate = (times: readonly number[]): Statistic => summarize(times.map((ms) => fileSize / 1e6 / ms));
  const share = (times: readonly number[]): Statistic => summarize(times.map((ms, round) => (readings[round] ?? Number.NaN) / ms));
  const weights = loads.map(({ weightsMs }) => weightsMs);
  const ready = loads.map(({ readyMs }) => readyMs);
  const host = hostSizeOf(last);
  const heap = Math.max(...[...loads, last].map(({ heapPeak, externalPeak }) => heapPeak + externalPeak));
  const record = {
    ...{ name, fileSize, reading: rate(readings), weights: rate(weights), ready: rate(ready) },
    ...{ weightsShare: share(weights), readyShare: share(ready), host, hostOverChunk: host / chunkSize, heap },
    isMet: host / chunkSize <= memoryLimit && heap < heapLimit,
  };
  const show = ({ median, min, max }: Statistic, digits = 2): string => `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
  console.log(`${name}, ${(fileSize / 1e9).toFixed(2)} GB`);
  console.log(`  reading alone          ${show(record.reading)} GB/s`);
  console.log(`  weights to the device  ${show(record.weights)} GB/s   x reading ${show(record.weightsShare)}`);
  console.log(`  to a ready engine      ${show(record.ready)} GB/s   x reading ${show(record.readyShare)}`);
  console.log(
    `  host beside the device's copy ${(host / 1e6).toFixed(1)} MB = ${record.hostOverChunk.toFixed(2)} x the chunk of ${chunkSize / 2 ** 20} MiB (limit ${memoryLimit})`,
  );
  console.log(`  heap and what it holds outside ${(heap / 1e6).toFixed(1)} MB (limit ${heapLimit / 1e6})   ${record.isMet ? 'met' : 'MISSED'}`);
  return record;
}
