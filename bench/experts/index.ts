/**
 * `npm run bench:experts`: what it costs when not all experts of a mixture are on the device. A checkpoint of random weights in the shape of a release,
 * one engine for each part of its experts, in interleaved rounds. What the columns mean: bench/README.md. Routing of random weights spreads
 * choices more evenly than a trained model does, so that more has to be brought.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { openCheckpoint } from '../../runtime/checkpoint/index.ts';
import { weightSize } from '../../runtime/checkpoint/loader.ts';
import { type Engine, formatBytes, openEngine } from '../../runtime/index.ts';
import { readModel } from '../../runtime/plan.ts';
import type { DeviceName, EngineStats } from '../../runtime/types.ts';
import { ensureDevice } from '../../scripts/setup/index.ts';
import { deviceOption, integer } from '../../server/cli/options.ts';
import { readVersion } from '../../server/privacy/version.ts';
import { type Statistic, summarize } from '../arithmetic.ts';
import { writeCheckpoint } from '../load/checkpoints.ts';
import { parseSize } from '../load/index.ts';
import { describeMachine } from '../machine.ts';
import { say } from '../rounds.ts';

interface ExpertOptions {
  readonly device: DeviceName | 'auto';
  readonly size: number;
  readonly rounds: number;
  readonly tokens: number;
}

/** Parts of the experts that are on the device; 0: one of each layer. */
const parts = [1, 1 / 2, 1 / 4, 0] as const;
const promptLength = 16;

interface Answer {
  readonly tokens: readonly number[];
  /** From a token to the next, in ms. */
  readonly tokenMs: number;
  /** For a token, in all layers. */
  readonly uses: number;
  readonly loads: number;
}

interface Level {
  readonly part: number;
  readonly expertMemory: number;
  readonly engine: Engine;
  readonly answers: Answer[];
}

/** Measures and prints; exit code 1 where an answer is not that of all experts. */
export async function main(args: readonly string[]): Promise<void> {
  const { device, size, rounds, tokens } = parseOptions(args);
  const driver = await ensureDevice(device);
  const folder = mkdtempSync(join(tmpdir(), 'inward-experts-'));
  const levels: Level[] = [];
  try {
    say('writing a checkpoint');
    const modelPath = writeCheckpoint('experts', folder, size);
    const { whole, one, layers } = measureExperts(modelPath);
    for (const part of parts) {
      const expertMemory = Math.max(one, Math.floor(whole * part));
      const engine = await openEngine({
        modelPath,
        device: driver.name,
        contextLength: 256,
        maxSequences: 1,
        kvTokens: 256,
        draftLength: 0,
        prefixSeconds: 0,
        expertMemory,
      });
      levels.push({ part, expertMemory, engine, answers: [] });
    }
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`);
      for (const { engine, answers } of levels) answers.push(await ask(engine, round, tokens));
    }
    const records = levels.map((level) => report(level, levels[0] ?? level, one / layers));
    print(records);
    const date = new Date().toISOString().slice(0, 10);
    console.log(JSON.stringify({ date, version: readVersion(), machine: describeMachine(), device: driver.name, rounds, tokens, size, records }));
    if (records.some(({ isSame }) => !isSame)) process.exitCode = 1;
  } finally {
    for (const { engine } of levels) await engine[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

function parseOptions(args: readonly string[]): ExpertOptions {
  return new Command('inward bench experts')
    .description('Measure what it costs when only a part of the experts is on the device. The last line is JSON.')
    .addOption(deviceOption())
    .addOption(
      new Option('--size <bytes>', 'of the checkpoint, with M or G behind it: 1,000,000 and 1,000,000,000').argParser(parseSize).default(2.5e9, '2500M'),
    )
    .option('--rounds <count>', 'answers of each engine, in turns', integer(1, 100), 3)
    .option('--tokens <count>', 'of an answer', integer(2, 200), 24)
    .addHelpText('after', '\nExamples:\n  npm run bench:experts\n  npm run bench:experts -- --size 5G --rounds 1')
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<ExpertOptions>();
}

/** Bytes on the device of all experts, and of one of each layer. */
function measureExperts(modelPath: string): { readonly whole: number; readonly one: number; readonly layers: number } {
  using checkpoint = openCheckpoint(modelPath);
  const { family, config } = readModel(checkpoint);
  const specs = family.weights(config);
  const others = weightSize(checkpoint, specs, 0);
  return { whole: weightSize(checkpoint, specs) - others, one: weightSize(checkpoint, specs, 1) - others, layers: config.caches.length };
}

async function ask(engine: Engine, round: number, maxTokens: number): Promise<Answer> {
  const promptIds = Uint32Array.from({ length: promptLength }, (_, i) => 1 + ((i * 7919 + round * 104_729) % 8000));
  // Twice, so that the prompt of the answer finds the device as the counted one did.
  await generate(engine, promptIds, 1);
  const start = await countExperts(engine);
  await generate(engine, promptIds, 1);
  const prompted = await countExperts(engine);
  const { tokens, times } = await generate(engine, promptIds, maxTokens);
  const end = await countExperts(engine);
  const count = tokens.length - 1;
  // What the prompt takes was counted by itself.
  const of = (name: 'expertUses' | 'expertLoads'): number => (end[name] - prompted[name] - (prompted[name] - start[name])) / count;
  return { tokens, tokenMs: ((times.at(-1) ?? 0) - (times[0] ?? 0)) / count, uses: of('expertUses'), loads: Math.max(0, of('expertLoads')) };
}

async function generate(engine: Engine, promptIds: Uint32Array, maxTokens: number): Promise<{ readonly tokens: number[]; readonly times: number[] }> {
  const tokens: number[] = [];
  const times: number[] = [];
  for await (const event of engine.generate({ promptIds, maxTokens })) {
    if (event.type !== 'token') continue;
    tokens.push(event.id);
    times.push(performance.now());
  }
  return { tokens, times };
}

/** The engine's process tells them ten times a second. */
async function countExperts(engine: Engine): Promise<EngineStats> {
  await new Promise((resolve) => setTimeout(resolve, 300));
  return engine.stats();
}

function report({ part, expertMemory, answers }: Level, whole: Level, expertSize: number) {
  const mean = (of: (answer: Answer) => number): number => answers.reduce((sum, answer) => sum + of(answer), 0) / answers.length;
  const times: Statistic = summarize(answers.map(({ tokenMs }, round) => tokenMs / (whole.answers[round]?.tokenMs ?? Number.NaN)));
  const [uses, loads] = [mean((answer) => answer.uses), mean((answer) => answer.loads)];
  const isSame = answers.every(({ tokens }, round) => tokens.join() === whole.answers[round]?.tokens.join());
  return { part, expertMemory, tokenMs: mean(({ tokenMs }) => tokenMs), timesWhole: times, uses, loads, broughtSize: loads * expertSize, isSame };
}

function print(records: readonly ReturnType<typeof report>[]): void {
  console.log('experts there        on the device  a token     x all there        wanted  brought a token');
  for (const { part, expertMemory, tokenMs, timesWhole: times, uses, loads, broughtSize, isSame } of records) {
    const name = part === 0 ? 'one of each layer' : part === 1 ? 'all' : `1 of ${1 / part}`;
    const ratio = `${times.median.toFixed(2)} (${times.min.toFixed(2)} to ${times.max.toFixed(2)})`;
    const cells = [
      name.padEnd(19),
      formatBytes(expertMemory).padStart(13),
      `${tokenMs.toFixed(1)} ms`.padStart(9),
      ratio.padEnd(18),
      uses.toFixed(1).padStart(6),
    ];
    console.log(`${cells.join('  ')}  ${loads.toFixed(1)}, ${formatBytes(Math.round(broughtSize))}${isSame ? '' : '  NOT THE SAME ANSWER'}`);
  }
}
