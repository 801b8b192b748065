/**
 * `npm run bench:stages`: what several devices make of a model that is spread over them, against one of them alone. Each device is a software device of one
 * thread, so that a machine with as many cores as stages has room for all. What the words mean: bench/README.md.
 */
import { Command } from 'commander';
import { type Engine, openEngine } from '../runtime/index.ts';
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
  readonly times: number[];
}

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
  await using one = await open(options, 1, 1);
  await using whole = await open(options, stages, 1);
  await using parted = await open(options, stages, microBatches);
  const ways: Way[] = [
    { name: 'one device', engine: one, work: 1, times: [] },
    { name: `${stages} stages, whole steps`, engine: whole, work: stages, times: [] },
    { name: `${stages} stages, ${microBatches} parts`, engine: parted, work: stages, times: [] },
  ];
  const progress = startProgress('stages');
  for (let round = -1; round < rounds; round++) {
    progress.update((round + 1) / (rounds + 1));
    for (const way of ways) {
      const ms = await run(way, options, round);
      if (round >= 0) way.times.push(ms);
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
  const base = Math.min(...(ways[0]?.times ?? []));
  const rows = ways.map(({ name, work, times }) => {
    const least = Math.min(...times);
    const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
    return { name, work, leastMs: least, medianMs: median, efficiency: base / least };
  });
  for (const { name, work, leastMs, medianMs, efficiency } of rows)
    console.log(
      `${name.padEnd(28)} work x ${work}   least ${leastMs.toFixed(0).padStart(7)} ms   median ${medianMs.toFixed(0).padStart(7)} ms   efficiency ${efficiency.toFixed(2)}`,
    );
  console.log(JSON.stringify({ date: new Date().toISOString().slice(0, 10), machine: describeMachine(), ...options, rows }));
}
