/**
 * `npm run bench:retention`: what keeping nothing costs. Tokens a second of a batch with and without zeroing, scrub and shaping, in rounds in
 * which all of them take turns, and beside it what is left in memory; for another server (--url, --pid) the same two numbers. What the
 * words mean: bench/README.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import type { DeviceName } from '../../runtime/index.ts';
import { startProgress } from '../../scripts/progress.mjs';
import { deviceOption, integer, modelOption, UsageError } from '../../server/cli/options.ts';
import { readVersion } from '../../server/privacy/version.ts';
import { compareRounds, summarize } from '../arithmetic.ts';
import { describeMachine } from '../machine.ts';
import type { Target } from '../serve/client.ts';
import { planBurst } from '../serve/load.ts';
import { standardVocabulary } from '../serve/options.ts';
import { idRange } from '../serve/prompts.ts';
import { joinSeeds } from '../serve/random.ts';
import { runLoad } from '../serve/run.ts';
import { readServedModel } from '../serve/server.ts';
import { prepareSubject } from '../serve/subject.ts';
import { type ArmName, armNames, openArms } from './arms.ts';
import { readCpuSeconds } from './cpu.ts';
import { measureResidue, type Residue } from './residue.ts';

interface RetentionOptions {
  readonly model?: string;
  readonly device: DeviceName | 'auto';
  readonly rounds: number;
  readonly batch: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly requests: number;
  readonly idle: number;
  readonly seed: number;
  readonly url?: string;
  readonly pid?: number;
  readonly key?: string;
}

/** Part of the throughput that may be lost. */
const costLimit = 0.02;
/** The scrub begins a second after the last answer: the second burst comes right into it. */
const pauseMs = 1005;
/** Until a scrub is over, so that the next server does not pay for it. */
const settleMs = 2500;

/** Measures and prints. Throws UsageError, InwardError and commander's CommanderError. */
export async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const { url, pid } = options;
  if ((url === undefined) !== (pid === undefined)) throw new UsageError('--url and --pid go together: the address of a running server, and its process.');
  const measured = url === undefined || pid === undefined ? await measureOurs(options) : await measureOther(options, url, pid);
  for (const line of formatMeasured(measured)) console.log(line);
  const date = new Date().toISOString().slice(0, 10);
  const { rounds, batch, promptTokens, newTokens } = options;
  console.log(JSON.stringify({ date, version: readVersion(), machine: describeMachine(), rounds, batch, promptTokens, newTokens, ...measured }));
}

function parseOptions(args: readonly string[]): RetentionOptions {
  return new Command('inward bench retention')
    .description('Measure what zeroing, scrub and shaping cost, and what is left of requests in memory. Linux. The last line is JSON.')
    .addOption(modelOption())
    .addOption(deviceOption())
    .option('--rounds <count>', 'rounds; in each all of them take turns', integer(1, 1000), 5)
    .option('--batch <count>', 'requests at once', integer(1, 256), 8)
    .option('--prompt-tokens <count>', 'length of each prompt', integer(1, 100_000), 16)
    .option('--new-tokens <count>', 'length of each answer', integer(2, 100_000), 64)
    .option('--requests <count>', 'requests before the memory is searched', integer(1, 100_000), 50)
    .option('--idle <seconds>', 'from the last answer to the last look at the memory', integer(3, 3600), 75)
    .option('--seed <number>', 'seed of prompts and answers', integer(0, 2 ** 31), 1)
    .addOption(new Option('--url <url>', 'measure this running server instead, as it is'))
    .addOption(new Option('--pid <id>', 'its process').argParser(integer(1, 2 ** 31)))
    .addOption(new Option('--key <text>', 'its key'))
    .addHelpText('after', '\nExamples:\n  npm run bench:retention\n  npm run bench:retention -- --url http://127.0.0.1:8080 --pid 4711')
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<RetentionOptions>();
}

interface Speed {
  readonly name: ArmName | 'other';
  /** Tokens a second, a round each. */
  readonly rates: readonly number[];
  /** Tokens a second of the processors' time, scrub included. */
  readonly cpuRates: readonly number[];
}

/** Of one round. */
interface Rate {
  readonly rate: number;
  readonly cpuRate: number;
}

interface Measured {
  readonly device: string | null;
  readonly speeds: readonly Speed[];
  readonly residue: Residue;
}

async function measureOurs(options: RetentionOptions): Promise<Measured> {
  const { model, device } = options;
  const { own, context, ids } = await prepareSubject({ device, context: 1024, ...(model !== undefined && { model }) });
  if (own === undefined) throw new UsageError('There is no model to measure.');
  await using servers = await openArms({ ...own, more: ['--context', String(context), '--max-sequences', String(options.batch)] });
  const found = new Map<ArmName, Rate[]>(armNames.map((name) => [name, []]));
  const progress = startProgress('Rounds');
  // The first is for what is done once.
  for (let round = -1; round < options.rounds; round++) {
    for (let turn = 0; turn < servers.arms.length; turn++) {
      const arm = servers.arms[(turn + round + 1) % servers.arms.length] as (typeof servers.arms)[number];
      const target = createTarget(arm.url, 'default', arm.key, true);
      const rate = await measureRate(target, arm.pid, options, ids, joinSeeds(options.seed, round + 1, turn));
      if (round >= 0) found.get(arm.name)?.push(rate);
    }
    progress.update((round + 1) / options.rounds);
  }
  progress.end('done');
  const speeds = armNames.map((name) => toSpeed(name, found.get(name) ?? []));
  const { url, pacedKey: key, pid } = servers.whole;
  const residue = await measureResidue({ url, key, pid, model: 'default', requests: options.requests, idleMs: options.idle * 1000 });
  return { device: own.device, speeds, residue };
}

const toSpeed = (name: Speed['name'], found: readonly Rate[]): Speed => ({
  name,
  rates: found.map(({ rate }) => rate),
  cpuRates: found.map(({ cpuRate }) => cpuRate),
});

async function measureOther(options: RetentionOptions, url: string, pid: number): Promise<Measured> {
  const { key } = options;
  const model = await readServedModel(url, key);
  const target = createTarget(url, model, key, false);
  const found: Rate[] = [];
  for (let round = -1; round < options.rounds; round++) {
    const rate = await measureRate(target, pid, options, idRange(standardVocabulary), joinSeeds(options.seed, round + 1));
    if (round >= 0) found.push(rate);
  }
  const residue = await measureResidue({ url, key, pid, model, requests: options.requests, idleMs: options.idle * 1000 });
  return { device: null, speeds: [toSpeed('other', found)], residue };
}

const createTarget = (url: string, model: string, key: string | undefined, countsTokens: boolean): Target => ({
  ...{ url, model, key, countsTokens },
  ...{ timeoutMs: 600_000, ignoresEnd: true },
});

/** New tokens a second over two bursts, of which the second comes as the scrub begins; the pause between them does not count. */
async function measureRate(
  target: Target,
  pid: number,
  { batch, promptTokens, newTokens }: RetentionOptions,
  ids: readonly [number, number],
  seed: number,
): Promise<Rate> {
  let [tokens, ms] = [0, 0];
  const before = readCpuSeconds(pid);
  for (const burst of [0, 1]) {
    if (burst === 1) await sleep(pauseMs);
    const outcomes = await runLoad(target, planBurst({ kind: 'burst', count: batch, promptTokens, newTokens, seed: joinSeeds(seed, burst) }), ids);
    const failure = outcomes.find((outcome) => outcome.failure !== undefined)?.failure;
    if (failure !== undefined) throw new UsageError(`A request failed (${failure}): the rest would be a lighter load.`);
    tokens += outcomes.reduce((sum, { completionTokens }) => sum + completionTokens, 0);
    ms += Math.max(...outcomes.map(({ endedAt }) => endedAt)) - Math.min(...outcomes.map(({ sentAt }) => sentAt));
  }
  await sleep(settleMs);
  return { rate: (1000 * tokens) / ms, cpuRate: tokens / (readCpuSeconds(pid) - before) };
}

function formatMeasured({ speeds, residue }: Measured): string[] {
  const spread = (values: readonly number[], digits: number): string => {
    const { median, min, max } = summarize(values);
    return `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
  };
  const bare = speeds.find(({ name }) => name === 'none');
  const beside = (own: readonly number[], others: readonly number[] | undefined): string =>
    others === undefined
      ? ''
      : `  x ${spread(
          own.map((rate, round) => rate / (others[round] ?? Number.NaN)),
          3,
        )}`;
  const rows = speeds.flatMap(({ name, rates, cpuRates }) => [
    `${name.padEnd(10)}${spread(rates, 1).padEnd(26)} tok/s       ${beside(rates, bare?.rates)}`,
    `${''.padEnd(10)}${spread(cpuRates, 1).padEnd(26)} tok/CPU-s   ${beside(cpuRates, bare?.cpuRates)}`,
  ]);
  const all = speeds.find(({ name }) => name === 'all');
  const cost = bare === undefined || all === undefined ? undefined : 1 - compareRounds(all.rates, bare.rates).median;
  const { requests, markers, first, last, processes } = residue;
  return [
    ...rows,
    '',
    ...(cost === undefined
      ? []
      : [`cost of all three: ${(100 * cost).toFixed(1)} % of tok/s   <= ${100 * costLimit} %   ${cost <= costLimit ? 'met' : 'MISSED'}`]),
    `copies of ${markers} markers in ${processes} processes after ${requests} requests: ${first} soon, ${last} at the end   target 0   ${last === 0 ? 'met' : 'MISSED'}`,
  ];
}
