/**
 * `npm run bench:audit`: what the audit trail costs: records a second, how long a request waits for its record, how long a log of a
 * million records takes to verify, and one proof. No device is needed. What the words mean: bench/README.md.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { startProgress } from '../scripts/progress.mjs';
import { integer } from '../server/cli/options.ts';
import type { EventOf } from '../server/privacy/audit/events.ts';
import { AuditLog } from '../server/privacy/audit/log.ts';
import { describeMachine as describePlace } from '../server/privacy/audit/machine.ts';
import { Prover } from '../server/privacy/audit/proof.ts';
import { LogReader } from '../server/privacy/audit/reader.ts';
import { readVersion } from '../server/privacy/version.ts';
import { summarize } from './arithmetic.ts';
import { describeMachine } from './machine.ts';
import { type Distribution, describeSamples } from './serve/statistics.ts';

interface AuditOptions {
  readonly folder: string;
  readonly records: number;
  readonly rounds: number;
}

/** Records of one wave of the throughput test: as many requests as a busy server has open. */
const waveLength = 1024;
const wavesPerRound = 40;
/** Requests at the same time, each with its own record to wait for. */
const clientCounts = [1, 8, 64] as const;
const waitsPerClient = 100;
const proofCount = 10;
const goals = { recordsPerSecond: 10_000, verifySeconds: 20, proofSeconds: 1 };

/** Measures and prints; exit code 1 where a bound is broken. */
export async function main(args: readonly string[]): Promise<void> {
  const options = new Command('inward bench audit')
    .description('Measure what the audit trail costs, and how long verifying it takes. The last line is JSON.')
    .option('--folder <path>', 'folder on the disk that is measured; a new one in it is made and taken away', tmpdir())
    .option('--records <count>', 'records of the log that is verified', integer(1000, 100_000_000), 1_000_000)
    .option('--rounds <count>', 'rounds; medians are shown', integer(1, 100), 5)
    .addHelpText('after', '\nExamples:\n  npm run bench:audit\n  npm run bench:audit -- --records 100000 --folder /var/lib/inward')
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<AuditOptions>();
  const folder = mkdtempSync(join(options.folder, 'inward-audit-'));
  try {
    await measure(folder, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string, { records, rounds }: AuditOptions): Promise<void> {
  const sync = await timeSyncs(join(folder, 'sync'));
  const { rates, waits, intervals } = await timeLog(join(folder, 'log'), rounds);
  const whole = join(folder, 'whole');
  await fillLog(whole, records);
  const verifySeconds = await timeVerifier(whole);
  const proofs = timeProofs(whole, records);
  const rate = summarize(rates).median;
  const busiest = clientCounts.at(-1) ?? 1;
  // Both are of the same groups; the first group of each run has no interval.
  const [wait, longest] = [waits.get(busiest)?.p50 ?? Number.NaN, 1.05 * intervals.p50];
  const bounds = [
    { name: 'records a second, in groups', found: rate, bound: goals.recordsPerSecond, isMet: rate >= goals.recordsPerSecond },
    { name: `wait of a request for its record, ms at p50, ${busiest} at once; one commit`, found: wait, bound: longest, isMet: wait <= longest },
    { name: `verifying ${records} records, s`, found: verifySeconds, bound: goals.verifySeconds, isMet: verifySeconds <= goals.verifySeconds },
    { name: 'one proof, s', found: Math.max(...proofs), bound: goals.proofSeconds, isMet: Math.max(...proofs) <= goals.proofSeconds },
  ];
  const show = (name: string, { p50, p99 }: Distribution): void =>
    console.log(`${name.padEnd(60)} p50 ${p50.toFixed(3).padStart(8)} ms   p99 ${p99.toFixed(3).padStart(8)} ms`);
  show('a sync of the disk alone, with 512 bytes', sync);
  show(`a commit, ${busiest} requests at once: from one to the next`, intervals);
  for (const [clients, distribution] of waits) show(`wait of a request for its record, ${clients} at once`, distribution);
  console.log('');
  for (const { name, found, bound, isMet } of bounds)
    console.log(`${name.padEnd(74)} ${formatNumber(found).padStart(9)}  ${formatNumber(bound).padStart(9)}  ${isMet ? 'met' : 'MISSED'}`);
  const short = ({ count, p50, p95, p99 }: Distribution): object => ({ count, p50, p95, p99 });
  const date = new Date().toISOString().slice(0, 10);
  const shown = Object.fromEntries([...waits].map(([clients, distribution]) => [clients, short(distribution)]));
  const found = { sync: short(sync), commit: short(intervals), waits: shown, rates, verifySeconds, proofs };
  console.log(JSON.stringify({ date, version: readVersion(), machine: describeMachine(), records, rounds, ...found, bounds }));
  if (bounds.some(({ isMet }) => !isMet)) process.exitCode = 1;
}

/** In ms: what the disk itself takes, for comparison. */
async function timeSyncs(path: string): Promise<Distribution> {
  await using file = await open(path, 'w');
  await file.write(new Uint8Array(2 ** 20));
  await file.sync();
  const times: number[] = [];
  for (let index = 0; index < 300; index++) {
    const start = performance.now();
    await file.write(new Uint8Array(512).fill(index), 0, 512, index * 512);
    await file.datasync();
    times.push(performance.now() - start);
  }
  return describeSamples(times) as Distribution;
}

interface LogTimes {
  readonly rates: readonly number[];
  /** By how many requests there were at once. */
  readonly waits: ReadonlyMap<number, Distribution>;
  /** From one checkpoint to the next. */
  readonly intervals: Distribution;
}

/** Throughput and waits take turns. */
async function timeLog(folder: string, rounds: number): Promise<LogTimes> {
  await using log = await openLog(folder);
  const rates: number[] = [];
  const waits = new Map<number, number[]>(clientCounts.map((count) => [count, []]));
  const intervals: number[] = [];
  let last: number | undefined;
  let isBusiest = false;
  log.onCheckpoint(() => {
    const now = performance.now();
    if (isBusiest && last !== undefined) intervals.push(now - last);
    last = now;
  });
  const progress = startProgress('throughput and waits');
  for (let round = -1; round < rounds; round++) {
    const rate = await timeWaves(log);
    for (const count of clientCounts) {
      isBusiest = round >= 0 && count === clientCounts.at(-1);
      last = undefined;
      const times = (await Promise.all(Array.from({ length: count }, () => timeWaits(log)))).flat();
      // The first round is for the compiler.
      if (round >= 0) waits.get(count)?.push(...times);
    }
    isBusiest = false;
    if (round >= 0) rates.push(rate);
    progress.update((round + 2) / (rounds + 1));
  }
  progress.end('throughput and waits');
  return {
    rates,
    waits: new Map([...waits].map(([count, times]) => [count, describeSamples(times) as Distribution])),
    intervals: describeSamples(intervals) as Distribution,
  };
}

/** Records a second. */
async function timeWaves(log: AuditLog): Promise<number> {
  const start = performance.now();
  for (let wave = 0; wave < wavesPerRound; wave++) {
    await Promise.all(Array.from({ length: waveLength / 2 }, createRequest).flatMap(([intent, outcome]) => [log.append(intent), log.append(outcome)]));
  }
  return (1000 * waveLength * wavesPerRound) / (performance.now() - start);
}

/** In ms: one request after the other, as a client sends them. */
async function timeWaits(log: AuditLog): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < waitsPerClient; index++) {
    const [intent, outcome] = createRequest();
    const start = performance.now();
    await log.append(intent);
    times.push(performance.now() - start);
    void log.append(outcome);
  }
  return times;
}

async function fillLog(folder: string, records: number): Promise<void> {
  await using log = await openLog(folder);
  const progress = startProgress(`a log of ${records} records`);
  for (let written = log.checkpoint.size; written < records; written = log.checkpoint.size) {
    const pairs = Math.ceil(Math.min(waveLength, records - written) / 2);
    await Promise.all(Array.from({ length: pairs }, createRequest).flatMap(([intent, outcome]) => [log.append(intent), log.append(outcome)]));
    progress.update(written / records);
  }
  await log.idle();
  progress.end(`a log of ${records} records`);
}

/** Seconds of a process of its own, as an auditor starts it. */
async function timeVerifier(folder: string): Promise<number> {
  const file = fileURLToPath(new URL('../server/privacy/audit/verify.mjs', import.meta.url));
  const start = performance.now();
  const child = spawn(process.execPath, [file, folder, '--json'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the verifier ended with exit code ${code}`);
  return (performance.now() - start) / 1000;
}

/** Seconds of each, from the opening of the log on. */
function timeProofs(folder: string, records: number): number[] {
  return Array.from({ length: proofCount }, (_, index) => {
    const start = performance.now();
    using prover = new Prover(new LogReader(folder));
    prover.include(Math.floor(((index + 0.5) * records) / proofCount));
    return (performance.now() - start) / 1000;
  });
}

async function openLog(folder: string): Promise<AuditLog> {
  const log = await AuditLog.open(folder, { now: Date.now, machine: describePlace() });
  if (log === undefined) throw new Error('another process writes the log');
  return log;
}

/** Both records of a request, with every field that most requests have. */
function createRequest(): [EventOf<'intent'>, EventOf<'outcome'>] {
  const request = randomUUID();
  return [
    {
      ...{ event: 'intent', request, route: '/v1/chat/completions', address: '10.1.2.3', tenant: 'cardiology', key: '0123456789' },
      ...{ purpose: 'documentation', agreement: 'agr-0123456789abcdef', region: 'us-east', data: 'phi', priority: 'interactive' },
      ...{ model: 'Llama-3.1-8B-Instruct.Q4_K_M', manifest: 'ab'.repeat(32) },
    },
    { event: 'outcome', request, ending: 'stop', status: 200, promptTokens: 2048, completionTokens: 512, cached: true, duration: 8192 },
  ];
}

function formatNumber(value: number): string {
  return value >= 1000 ? Math.round(value).toString() : value.toFixed(3);
}
