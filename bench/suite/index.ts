/**
 * `npm run bench:kernels`: measures every kernel alone on one device: time, rate, share of what the device itself reaches, and error
 * against the reference; on request, chains of matrices beside peers. What the words mean: bench/README.md. A regression is a result,
 * not an error, unless --fail-above says so.
 */
import { statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { chooseDriver, driverEnvironment } from '../../runtime/drivers.ts';
import { ensureDevice } from '../../scripts/setup/index.ts';
import { UsageError } from '../../server/cli/options.ts';
import { Child, PeerError } from '../child.ts';
import { describeMachine } from '../machine.ts';
import { measureSides, say } from '../rounds.ts';
import { type Case, nameCase } from './cases.ts';
import { parseSuiteOptions, type SuiteOptions } from './options.ts';
import type { Answer } from './process.ts';
import { compareRecords, isSlower, noticeable, readSuiteRecord, type SuiteRecord } from './record.ts';
import { formatResults } from './report.ts';
import { drawRoofline } from './roofline.ts';
import type { CaseResult } from './run.ts';
import { chooseFrom, sets } from './sets.ts';

export async function main(args: readonly string[]): Promise<void> {
  const options = parseSuiteOptions(args);
  const before = options.compare === undefined ? undefined : readSuiteRecord(options.compare);
  if (options.failAbove !== undefined && before === undefined) throw new UsageError('--fail-above needs --compare: it is about what was faster before.');
  const { json, svg, failAbove } = options;
  for (const file of [json, svg]) if (file !== undefined) demandFolder(file);
  const record = await measure(options);
  console.log(formatResults(record, before, failAbove ?? noticeable).join('\n'));
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(record, null, 1)}\n`);
  if (svg !== undefined) writeFileSync(svg, drawRoofline(record));
  if (before !== undefined && failAbove !== undefined && compareRecords(record, before).some((change) => isSlower(change, failAbove))) process.exitCode = 1;
}

/** Before minutes of measuring. Throws UsageError. */
export function demandFolder(file: string): void {
  const folder = dirname(file);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new UsageError(`Expected a folder to write ${file} into, found none.`);
}

async function measure({ device, deterministic, set, filter, peers, rounds, threads }: SuiteOptions): Promise<SuiteRecord> {
  const { cases, chains } = chooseFrom(set, filter);
  if (cases.length === 0 && !(peers && chains.length > 0)) {
    const [example] = sets[set].cases;
    throw new UsageError(`No case contains ${JSON.stringify(filter)}; a name is like "${example === undefined ? '' : nameCase(example)}".`);
  }
  const driver = await ensureDevice(device);
  try {
    const measured = await measureCases(driver.name, cases, deterministic);
    const date = new Date().toISOString().slice(0, 10);
    const compared = peers ? await measureSides({ device: driver.name, threadCount: threads, plans: chains }, rounds) : [];
    return { date, device: driver.name, machine: describeMachine(), set, ...measured, chains: compared };
  } catch (error) {
    throw error instanceof PeerError ? new UsageError(`The bench of the kernels failed: ${error.message}`) : error;
  }
}

type Measured = Pick<SuiteRecord, 'adapter' | 'timedBy' | 'ceilings' | 'results'>;

/** In a process of its own, which ends before a peer begins. */
async function measureCases(device: SuiteRecord['device'], cases: readonly Case[], deterministic: boolean): Promise<Measured> {
  await using child = new Child(new URL('process.ts', import.meta.url).pathname, driverEnvironment(chooseDriver(device)));
  say(`ceilings of ${device}`);
  const { adapter, timedBy, ceilings } = await child.ask<Answer<'opened'>>({ type: 'open', device, deterministic });
  const results: CaseResult[] = [];
  for (const [i, one] of cases.entries()) {
    say(`${i + 1} of ${cases.length}: ${nameCase(one)}`);
    try {
      results.push((await child.ask<Answer<'ran'>>({ type: 'run', one })).result);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      say(`${nameCase(one)} is left out: ${error.message}`);
    }
  }
  if (results.length === 0 && cases.length > 0) throw new PeerError('no case could be measured');
  return { adapter, timedBy, ceilings, results };
}
