/**
 * `npm run bench:http`: what HTTP costs on the way of a token: the processors' time of the server's own process for each token of eight streams,
 * beside the time of a step, and how much later than the engine's first token a client has its first byte. What the words mean: bench/README.md.
 */
import { Command } from 'commander';
import { deviceOption, integer, modelOption, UsageError } from '../server/cli/options.ts';
import { readVersion } from '../server/privacy/version.ts';
import { listTree, toKind } from '../server/prove/tree.ts';
import { type Statistic, summarize } from './arithmetic.ts';
import { describeMachine } from './machine.ts';
import { readOwnCpuSeconds } from './retention/cpu.ts';
import { authorize, type Target } from './serve/client.ts';
import { planBurst } from './serve/load.ts';
import { joinSeeds } from './serve/random.ts';
import { type Outcome, runLoad } from './serve/run.ts';
import { type RunningServer, startServer } from './serve/server.ts';
import { prepareSubject } from './serve/subject.ts';
import { firstTokenTime } from './serve/summary.ts';

interface HttpOptions {
  readonly model?: string;
  readonly device: Parameters<typeof prepareSubject>[0]['device'];
  readonly newTokens: number;
  readonly requests: number;
  readonly rounds: number;
}

/** Streams at the same time. */
export const batch = 8;
const promptTokens = 16;
const goal = 0.05;

/** What was counted over one burst. */
export interface Counted {
  /** Of the server's own process: gate, body, ids to text, frames; its engine and its text process are others. */
  readonly cpuSeconds: number;
  readonly tokens: number;
  readonly steps: number;
  /** Of all parts of a step, waiting for the device included. */
  readonly stepSeconds: number;
}

/** Microseconds for a token, and for those of a step as part of it. */
export function judgeBurst({ cpuSeconds, tokens, steps, stepSeconds }: Counted): { readonly tokenUs: number; readonly share: number } {
  const perToken = cpuSeconds / tokens;
  return { tokenUs: perToken * 1e6, share: (perToken * batch) / (stepSeconds / steps) };
}

/** Measures and prints; exit code 1 where the bound is broken. */
export async function main(args: readonly string[]): Promise<void> {
  const options = new Command('inward bench http')
    .description('Measure what HTTP costs on the way of a token, and on the way to the first byte. The last line is JSON.')
    .addOption(modelOption())
    .addOption(deviceOption())
    .option('--new-tokens <count>', 'of each stream', integer(1, 100_000), 128)
    .option('--requests <count>', 'one after the other, for the time to the first byte; in each round', integer(1, 10_000), 10)
    .option('--rounds <count>', 'rounds; medians are shown', integer(1, 100), 5)
    .addHelpText('after', '\nExamples:\n  npm run bench:http\n  npm run bench:http -- --device gpu --rounds 9')
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<HttpOptions>();
  const { own, ids, name } = await prepareSubject(options);
  if (own === undefined) throw new UsageError('Expected a model to serve.');
  const context = promptTokens + options.newTokens;
  await using server = await startServer({ ...own, more: ['--context', String(Math.max(context, 64))] });
  const rounds: Round[] = [];
  // The first one is for the compiler.
  for (let round = -1; round < options.rounds; round++) {
    const measured = await measureRound(server, ids, options, round);
    if (round >= 0) rounds.push(measured);
  }
  report(rounds, { device: own.device, model: name, newTokens: options.newTokens });
}

interface Round {
  readonly tokenUs: number;
  readonly share: number;
  readonly stepMs: number;
  /** First byte at the client, first token in the engine, and their difference; means of the round, in ms. */
  readonly byteMs: number;
  readonly engineMs: number;
  readonly httpMs: number;
}

async function measureRound(server: RunningServer, ids: readonly [number, number], options: HttpOptions, round: number): Promise<Round> {
  const target: Target = { url: server.url, model: 'default', key: server.key, timeoutMs: 600_000, ignoresEnd: true, countsTokens: false };
  const ask = async (count: number, newTokens: number, seed: number): Promise<Outcome[]> => {
    const outcomes = await runLoad(target, planBurst({ kind: 'http', count, promptTokens, newTokens, seed: joinSeeds(seed, round + 1) }), ids);
    const failure = outcomes.find((outcome) => outcome.failure !== undefined)?.failure;
    if (failure !== undefined) throw new UsageError(`A request failed: ${failure}.`);
    return outcomes;
  };
  const [cpu, before] = [readServerCpu(server.pid), await readMetrics(server)];
  const outcomes = await ask(batch, options.newTokens, 1);
  const [cpuSeconds, after] = [readServerCpu(server.pid) - cpu, await readMetrics(server)];
  const tokens = outcomes.reduce((sum, { completionTokens }) => sum + completionTokens, 0);
  const counted = { cpuSeconds, tokens, steps: after.steps - before.steps, stepSeconds: after.stepSeconds - before.stepSeconds };
  let waited = 0;
  for (let index = 0; index < options.requests; index++) {
    const [outcome] = await ask(1, 1, joinSeeds(2, index));
    waited += (outcome && firstTokenTime(outcome)) ?? Number.NaN;
  }
  const last = await readMetrics(server);
  const [byteMs, engineMs] = [waited / options.requests, (1000 * (last.firstSeconds - after.firstSeconds)) / options.requests];
  return { ...judgeBurst(counted), stepMs: (1000 * counted.stepSeconds) / counted.steps, byteMs, engineMs, httpMs: byteMs - engineMs };
}

/** Its launcher too, if there is one; not the engine and the text process. */
function readServerCpu(pid: number): number {
  return listTree(pid)
    .filter((one) => toKind(one) !== 'engine' && toKind(one) !== 'text')
    .reduce((sum, one) => sum + readOwnCpuSeconds(one), 0);
}

interface EngineCounts {
  readonly steps: number;
  readonly stepSeconds: number;
  /** Of all requests, from their arrival in the engine to their first token. */
  readonly firstSeconds: number;
}

async function readMetrics({ url, key }: RunningServer): Promise<EngineCounts> {
  // The engine's numbers are at most this old.
  await new Promise((resolve) => setTimeout(resolve, 150));
  const page = await (await fetch(`${url}/metrics`, { headers: authorize(key) })).text();
  const sum = (name: string): number =>
    [...page.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].reduce((all, [, value]) => all + Number(value), 0);
  return { steps: sum('inward_steps_total'), stepSeconds: sum('inward_step_seconds_total'), firstSeconds: sum('vllm:time_to_first_token_seconds_sum') };
}

function report(rounds: readonly Round[], what: object): void {
  const over = (name: keyof Round): Statistic => summarize(rounds.map((round) => round[name]));
  const lines: readonly (readonly [keyof Round, string, string])[] = [
    ['tokenUs', "server's own process, a token", 'us'],
    ['stepMs', `a step of ${batch}`, 'ms'],
    ['byteMs', 'first byte at the client', 'ms'],
    ['engineMs', 'first token in the engine', 'ms'],
    ['httpMs', 'between them: gate, HTTP, client', 'ms'],
  ];
  for (const [name, label, unit] of lines) {
    const { median, min, max } = over(name);
    console.log(`${label.padEnd(36)} ${median.toFixed(2).padStart(9)} ${unit} (${min.toFixed(2)} to ${max.toFixed(2)})`);
  }
  const { median: share } = over('share');
  const isMet = share <= goal;
  console.log(`\n${`HTTP, of a step of ${batch}`.padEnd(36)} ${(100 * share).toFixed(2).padStart(9)} %  <= ${100 * goal} %  ${isMet ? 'met' : 'MISSED'}`);
  const numbers = Object.fromEntries([...lines.map(([name]) => name), 'share' as const].map((name) => [name, over(name)]));
  const date = new Date().toISOString().slice(0, 10);
  console.log(JSON.stringify({ date, version: readVersion(), machine: describeMachine(), ...what, batch, ...numbers, goal, isMet }));
  if (!isMet) process.exitCode = 1;
}
