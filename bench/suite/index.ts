/**
 * `npm run bench:kernels`: measures every kernel alone on one device: time, rate, share of what the device itself reaches, and error
 * against the reference. What the words mean: bench/README.md. A regression is a result, not an error.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { chooseDriver, driverEnvironment } from '../../runtime/drivers.ts';
import type { DeviceName } from '../../runtime/index.ts';
import { ensureDevice } from '../../scripts/setup/index.ts';
import { deviceOption, UsageError } from '../../server/cli/options.ts';
import { Child, PeerError } from '../child.ts';
import { describeMachine, type Machine } from '../machine.ts';
import { say } from '../rounds.ts';
import { listCases, nameCase } from './cases.ts';
import { formatResults } from './report.ts';
import { drawRoofline } from './roofline.ts';
import type { CaseResult, Ceilings } from './run.ts';

export interface SuiteRecord {
  readonly date: string;
  readonly device: DeviceName;
  readonly adapter: string;
  readonly machine: Machine;
  readonly ceilings: Ceilings;
  readonly results: readonly CaseResult[];
}

interface Options {
  readonly device: DeviceName | 'auto';
  readonly filter?: string;
  readonly json?: string;
  readonly compare?: string;
  readonly svg?: string;
}

export async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const before = options.compare === undefined ? undefined : readRecord(options.compare);
  const record = await measure(options);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(record, null, 1)}\n`);
  if (options.svg !== undefined) writeFileSync(options.svg, drawRoofline(record));
  console.log(formatResults(record, before).join('\n'));
}

function parseOptions(args: readonly string[]): Options {
  return new Command('inward bench kernels')
    .description('Measure every kernel alone: time, rate, share of what the device reaches, and error against the reference.')
    .addOption(deviceOption())
    .option('--filter <text>', 'only cases whose names contain this, e.g. "matmul Q4_K" or "128 tokens"')
    .option('--json <file>', 'also write the results to a file')
    .option('--compare <file>', 'show the time of each case beside that of a file written before')
    .option('--svg <file>', 'draw a roofline: operations a byte, operations a second, and the two ceilings')
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench:kernels\n  npm run bench:kernels -- --device lavapipe --filter "matmul Q4" --json before.json\n  npm run bench:kernels -- --compare before.json',
    )
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse(args, { from: 'user' })
    .opts<Options>();
}

async function measure({ device, filter }: Options): Promise<SuiteRecord> {
  const cases = listCases().filter((one) => filter === undefined || nameCase(one).toLowerCase().includes(filter.toLowerCase()));
  if (cases.length === 0)
    throw new UsageError(`No case contains ${JSON.stringify(filter)}; a name is like "${nameCase(listCases()[0] as (typeof cases)[number])}".`);
  const driver = await ensureDevice(device);
  await using child = new Child(new URL('process.ts', import.meta.url).pathname, driverEnvironment(chooseDriver(driver.name)));
  try {
    say(`ceilings of ${driver.name}`);
    const { adapter, ceilings } = await child.ask<{ readonly adapter: string; readonly ceilings: Ceilings }>({ type: 'open', device: driver.name });
    const results: CaseResult[] = [];
    for (const [i, one] of cases.entries()) {
      say(`${i + 1} of ${cases.length}: ${nameCase(one)}`);
      results.push((await child.ask<{ readonly result: CaseResult }>({ type: 'run', one })).result);
    }
    return { date: new Date().toISOString().slice(0, 10), device: driver.name, adapter, machine: describeMachine(), ceilings, results };
  } catch (error) {
    throw error instanceof PeerError ? new UsageError(`The bench of the kernels failed: ${error.message}`) : error;
  }
}

function readRecord(path: string): SuiteRecord {
  const expected = new UsageError(`Expected a file that --json has written in ${path}, found none that can be read.`);
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as SuiteRecord;
    if (!Array.isArray(record.results) || !record.results.every(({ name, ms }) => typeof name === 'string' && typeof ms === 'number')) throw expected;
    return record;
  } catch {
    throw expected;
  }
}
