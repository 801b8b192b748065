/**
 * `npm run bench:stages`: what several devices make of a model that is spread over them, against one of them alone. Each device is a software device of one
 * thread, so that a machine with as many cores as stages has room for all. What the words mean: bench/README.md.
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { type Engine, openEngine } from '../runtime/index.ts';
import { listProcesses } from '../runtime/launch.ts';
import { startProgress } from '../scripts/progress.mjs';
import { integer, modelOption } from '../server/cli/options.ts';
import { describeMachine } from './machine.ts';
import { findModel } from './model.ts';

interface StagesOptions {
  readonly model?: string;
  readonly stages: number;
  readonly microBatches: number;
  readonly sequences: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly rounds: number;
}

/** A way to compute, and how many times the work of one device it is given. */
interface Way {
  readonly name: string;
  readonly engine: Engine;
  readonly work: number;
  /** Its processes, one a device. */
  readonly pids: readonly number[];
  readonly times: number[];
  /** Of processors, in ms, for each time. */
  readonly cpuTimes: number[];
}

/** Ticks of a processor a second, as /proc counts them on every Linux that Node runs on. */
const ticks = 100;

export async function main(args: readonly string[]): Promise<void> {
  const options = new Command('inward bench stages')
    .description('Measure a model in stages, each a software device of one thread, against one such device. The last line is JSON.')
    .addOption(modelOption())
    .option('--stages <count>', 'devices; no more than cores', integer(2, 8), 2)
    .option('--micro-batches <count>', 'parts of a step at most', integer(1, 64), 4)
    .option('--sequences <count>', 'side by side on one device; as many more on more devices', integer(1, 256), 8)
    .option('--prompt-tokens <count>', 'tokens of each prompt', integer(1, 1024), 16)
    .option('--new-tokens <count>', 'tokens of each answer', integer(1, 1024), 8)
    .option('--rounds <count>', 'turns of all ways', integer(1, 100), 5)
    .addHelpText('after', '\nExample:\n  npm run bench:stages -- --rounds 9')
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<StagesOptions>();
  // lavapipe's own variable, handed on to each process.
  process.env['LP_NUM_THREADS'] = '1';
  const { stages, microBatches, rounds } = options;
  await using engines = new AsyncDisposableStack();
  const ways: Way[] = [];
  for (const [name, count, parts] of [
    ['one device', 1, 1],
    [`${stages} stages, whole steps`, stages, 1],
    [`${stages} stages, ${microBatches} parts`, stages, microBatches],
  ] as const) {
    const before = listProcesses();
    const engine = engines.use(await open(options, count, parts));
    const pids = listProcesses().filter((pid) => !before.includes(pid));
    ways.push({ name, engine, work: count, pids, times: [], cpuTimes: [] });
  }
  const progress = startProgress('stages');
  for (let round = -1; round < rounds; round++) {
    progress.update((round + 1) / (rounds + 1));
    for (const way of ways) {
      const cpu = readCpu(way);
      const ms = await run(way, options, round);
      if (round < 0) continue;
      way.times.push(ms);
      way.cpuTimes.push(readCpu(way) - cpu);
    }
  }
  progress.end('stages');
  report(ways, options);
}

async function open({ model, sequences, promptTokens, newTokens }: StagesOptions, stages: number, microBatches: number): Promise<Engine> {
  const contextLength = promptTokens + newTokens;
  const maxSequences = sequences * stages;
  const device = 'lavapipe';
  return openEngine({ modelPath: await findModel(model), device, stages, microBatches, contextLength, maxSequences, kvTokens: contextLength * maxSequences });
}

/** Time of processors that its processes have taken so far, in ms: what other programs do changes it little. */
function readCpu({ pids }: Way): number {
  return pids.reduce((sum, pid) => {
    const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ').slice(11, 13).map(Number) ?? [];
    return sum + ((user + system) * 1000) / ticks;
  }, 0);
}

/** In ms, from the first request to the last token of all. */
async function run({ engine, work }: Way, { sequences, promptTokens, newTokens }: StagesOptions, round: number): Promise<number> {
  const started = performance.now();
  const requests = Array.from({ length: sequences * work }, async (_, index) => {
    const promptIds = Uint32Array.from({ length: promptTokens }, (__, i) => (1000 + 7 * i + 31 * index + 101 * (round + 1)) % engine.info.vocabularySize);
    for await (const _event of engine.generate({ promptIds, maxTokens: newTokens, keepsPrefix: false }));
  });
  await Promise.all(requests);
  return performance.now() - started;
}

function report(ways: readonly Way[], options: StagesOptions): void {
  const least = (times: readonly number[]): number => Math.min(...times);
  const [base, baseCpu] = [least(ways[0]?.times ?? []), least(ways[0]?.cpuTimes ?? [])];
  const rows = ways.map(({ name, work, times, cpuTimes }) => {
    const [ms, cpuMs] = [least(times), least(cpuTimes)];
    return { name, work, ms, cpuMs, efficiency: base / ms, cpuEfficiency: (work * baseCpu) / cpuMs };
  });
  for (const { name, work, ms, cpuMs, efficiency, cpuEfficiency } of rows) {
    const numbers = `${ms.toFixed(0).padStart(7)} ms, efficiency ${efficiency.toFixed(2)};   of processors ${cpuMs.toFixed(0).padStart(7)} ms, ${cpuEfficiency.toFixed(2)}`;
    console.log(`${name.padEnd(28)} work x ${work}   least ${numbers}`);
  }
  console.log(JSON.stringify({ date: new Date().toISOString().slice(0, 10), machine: describeMachine(), ...options, rows }));
}
