/**
 * `npm run bench:experts`: what it costs when not all experts of a mixture are on the device, and whether more bytes move than must. A checkpoint of random
 * weights in the layout of a release, one engine for each place that experts can be in, in interleaved rounds. What the columns mean: bench/README.md.
 * Routing of random weights spreads choices more evenly than a trained model does, so that more has to be brought.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ExpertsSpec } from '../../models/index.ts';
import { findExperts } from '../../runtime/checkpoint/experts.ts';
import { type Checkpoint, openCheckpoint } from '../../runtime/checkpoint/index.ts';
import { specSize, weightSize } from '../../runtime/checkpoint/loader.ts';
import { rawSizeOf } from '../../runtime/checkpoint/strips.ts';
import type { Driver } from '../../runtime/drivers.ts';
import type { ExpertCounts } from '../../runtime/experts/pager.ts';
import { formatBytes } from '../../runtime/index.ts';
import { readModel } from '../../runtime/plan.ts';
import { billCheckpoint } from '../../runtime/sizing/bill.ts';
import { decodeFloor } from '../../runtime/sizing/floor.ts';
import type { DeviceName, EngineOptions } from '../../runtime/types.ts';
import { ensureDevice } from '../../scripts/setup/index.ts';
import { deviceOption, integer, UsageError } from '../../server/cli/options.ts';
import { readVersion } from '../../server/privacy/version.ts';
import { type Statistic, summarize } from '../arithmetic.ts';
import { PeerError } from '../child.ts';
import { writeCheckpoint } from '../load/checkpoints.ts';
import { parseSize } from '../load/index.ts';
import { describeMachine } from '../machine.ts';
import { say } from '../rounds.ts';
import { LevelProcess } from './measure.ts';
import type { LevelAnswer, LevelMemory } from './process.ts';

/** Part of the experts that is on the device (0: one of each layer), and whether the others are in host memory or in files. */
const levels = {
  all: { part: 1, isHosted: false },
  half: { part: 1 / 2, isHosted: false },
  'quarter-host': { part: 1 / 4, isHosted: true },
  quarter: { part: 1 / 4, isHosted: false },
  one: { part: 0, isHosted: false },
} as const;
type LevelName = keyof typeof levels;

const models = { 'deepseek-v4': 'fp4', qwen3: 'experts' } as const;

interface ExpertOptions {
  readonly device: DeviceName | 'auto';
  readonly model: keyof typeof models;
  readonly size: number;
  readonly rounds: number;
  readonly tokens: number;
  readonly levels: readonly LevelName[];
}

const promptLength = 16;
const contextLength = 256;
/** Of bytes that must move to those that do. */
const leastRatio = 0.7;

interface Level {
  readonly name: LevelName;
  readonly expertMemory: number;
  readonly process: LevelProcess;
  readonly answers: LevelAnswer[];
  memory: LevelMemory | undefined;
}

/** What is known of a checkpoint before anything runs; bytes. */
interface Facts {
  readonly fileSize: number;
  /** Of all experts and of one of each layer, on the device. */
  readonly whole: number;
  readonly one: number;
  /** Of an expert of one layer, as files have it. */
  readonly expert: number;
  readonly layers: number;
  readonly chosen: number;
  readonly experts: number;
  /** That a token must read of weights, as files have them, and as the device does. */
  readonly leastRead: number;
  readonly read: number;
}

/** Measures and prints; exit code 1 where an answer is not that of the first level, or more is moved than the bound allows. */
export async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const { size, rounds, tokens } = options;
  const driver = await ensureDevice(options.device);
  const folder = mkdtempSync(join(tmpdir(), 'inward-experts-'));
  const open: Level[] = [];
  try {
    say('writing a checkpoint');
    const modelPath = writeCheckpoint(models[options.model], folder, size);
    const facts = readFacts(modelPath);
    for (const name of options.levels) {
      say(`opening ${name}`);
      open.push(await openLevel(name, modelPath, facts, driver));
    }
    // What is timed of host memory is not its filling.
    say('filling host memory');
    for (const level of open) if (levels[level.name].isHosted) for (let round = 0; round < rounds; round++) await level.process.ask(promptOf(round), tokens);
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`);
      for (const level of open) await ask(level, round, tokens);
    }
    const records = open.map((level) => report(level, open[0] ?? level, facts));
    print(facts, records);
    const date = new Date().toISOString().slice(0, 10);
    const run = { date, version: readVersion(), machine: describeMachine(), device: driver.name, model: options.model, rounds, tokens };
    console.log(JSON.stringify({ ...run, ...facts, records }));
    if (records.some(({ isSame, isMet }) => !isSame || !isMet) || facts.leastRead / facts.read < leastRatio) process.exitCode = 1;
  } catch (error) {
    throw error instanceof PeerError ? new UsageError(error.message) : error;
  } finally {
    for (const level of open) level.process[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

function parseOptions(args: readonly string[]): ExpertOptions {
  return new Command('inward bench experts')
    .description('Measure what it costs when only a part of the experts is on the device. The last line is JSON.')
    .addOption(deviceOption())
    .addOption(new Option('--model <name>', 'whose layout the checkpoint has').choices(Object.keys(models)).default('deepseek-v4'))
    .addOption(
      new Option('--size <bytes>', 'of the checkpoint, with M or G behind it: 1,000,000 and 1,000,000,000').argParser(parseSize).default(3.5e9, '3500M'),
    )
    .addOption(
      new Option('--levels <list>', `which of ${Object.keys(levels).join()}; the others are held against the first`)
        .argParser(parseLevels)
        .default(['all', 'quarter-host', 'quarter', 'one'], 'all,quarter-host,quarter,one'),
    )
    .option('--rounds <count>', 'answers of each engine, in turns', integer(1, 100), 3)
    .option('--tokens <count>', 'of an answer', integer(2, 200), 24)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench:experts\n  npm run bench:experts -- --model qwen3 --size 2500M\n  npm run bench:experts -- --size 7G --levels quarter-host,quarter',
    )
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<ExpertOptions>();
}

function parseLevels(text: string): LevelName[] {
  return text.split(',').map((name) => {
    if (!Object.hasOwn(levels, name)) throw new InvalidArgumentError(`Expected some of ${Object.keys(levels).join()}.`);
    return name as LevelName;
  });
}

function readFacts(modelPath: string): Facts {
  using checkpoint = openCheckpoint(modelPath);
  const { family, config } = readModel(checkpoint);
  const specs = family.weights(config);
  const others = weightSize(checkpoint, specs, 0);
  const routed = [...specs.values()].filter((spec): spec is ExpertsSpec => spec.kind === 'experts' && spec.isRouted === true);
  const experts = routed[0]?.experts ?? 1;
  const bill = billCheckpoint(checkpoint, 'f16', false);
  const layerCount = config.caches.length;
  const range = { firstLayer: 0, layerCount, isFirst: true, isLast: true };
  // Without caches, which are no weights.
  const weights = { ...bill, caches: [] };
  const device = { name: '', label: '', memory: 0 };
  const { stepSize } = decodeFloor(weights, [range], device, { sequences: 1, contextLength, expertMemory: undefined });
  const inFiles = [...checkpoint.tensors.values()].reduce((sum, { size }) => sum + size, 0);
  const expertFiles = routed.reduce((sum, spec) => sum + fileSizeOf(checkpoint, spec), 0);
  const tables = [...specs.values()].flatMap((spec) => (spec.kind === 'ids' || (spec.kind === 'matrix' && spec.isTable) ? [spec] : []));
  const tableSize = tables.reduce((sum, spec) => sum + specSize(checkpoint, spec) * (spec.kind === 'ids' ? 2 : 1), 0);
  return {
    fileSize: checkpoint.fileSize,
    whole: weightSize(checkpoint, specs) - others,
    one: weightSize(checkpoint, specs, 1) - others,
    expert: expertFiles / layerCount,
    ...{ layers: layerCount, chosen: bill.chosen, experts },
    leastRead: inFiles - tableSize - expertFiles * (experts - bill.chosen),
    read: stepSize,
  };
}

/** Of one expert, in the files. */
function fileSizeOf(checkpoint: Checkpoint, spec: ExpertsSpec): number {
  // A word behind each chunk is not of the files.
  return findExperts(checkpoint, spec)
    .sourcesOf(0, 0)
    .reduce((sum, { stored }) => sum + rawSizeOf(stored, 0, stored.rows) - 4, 0);
}

async function openLevel(name: LevelName, modelPath: string, { whole, one, fileSize }: Facts, driver: Driver): Promise<Level> {
  const { part, isHosted } = levels[name];
  const expertMemory = Math.max(one, Math.floor(whole * part));
  const options: EngineOptions = {
    ...{ modelPath, device: driver.name, contextLength, maxSequences: 1, kvTokens: contextLength, draftLength: 0, prefixSeconds: 0, tokenBudget: promptLength },
    ...{ expertMemory, ...(isHosted && { expertHostMemory: 2 * fileSize }) },
  };
  return { name, expertMemory, process: await LevelProcess.open(options, driver), answers: [], memory: undefined };
}

function promptOf(round: number): number[] {
  return Array.from({ length: promptLength }, (_, i) => 1 + ((i * 7919 + round * 104_729) % 8000));
}

async function ask(level: Level, round: number, tokens: number): Promise<void> {
  const { answer, memory } = await level.process.ask(promptOf(round), tokens);
  level.answers.push(answer);
  level.memory = memory;
}

function report({ name, expertMemory, answers, memory }: Level, first: Level, { experts, expert, fileSize }: Facts) {
  const { part, isHosted } = levels[name];
  const mean = (of: (answer: LevelAnswer) => number): number => answers.reduce((sum, answer) => sum + of(answer), 0) / answers.length;
  const count = (field: keyof ExpertCounts): number => mean(({ counts }) => counts[field]);
  const timesFirst: Statistic = summarize(answers.map(({ tokenMs }, round) => tokenMs / (first.answers[round]?.tokenMs ?? Number.NaN)));
  const [uses, loads, ahead, foreseen] = [count('expertUses'), count('expertLoads'), count('expertsAhead'), count('expertsForeseen')];
  const slots = Math.max(1, Math.floor(experts * part));
  const [needed, moved] = [(loads + foreseen) * expert, count('expertBytes')];
  return {
    ...{ name, expertMemory, tokenMs: mean(({ tokenMs }) => tokenMs), timesFirst, uses, loads, ahead, foreseen },
    /** Bytes a token: by the floor of even choices, of what was chosen and not there, and of what was brought; read from files. */
    ...{ evenSize: uses * (1 - slots / experts) * expert, neededSize: needed, movedSize: moved, filesSize: count('expertFileBytes') },
    ratio: moved === 0 ? 1 : needed / moved,
    ...memory,
    /** Of the host, beside the device's memory and what it was told to keep. */
    host: (memory?.resident ?? 0) - (memory?.device ?? 0) - (isHosted ? Math.min(fileSize, memory?.external ?? 0) : 0),
    isMet: moved === 0 || needed / moved >= leastRatio,
    isSame: answers.every(({ tokens }, round) => tokens.join() === first.answers[round]?.tokens.join()),
  };
}

function print(facts: Facts, records: readonly ReturnType<typeof report>[]): void {
  const mb = (size: number): string => `${(size / 1e6).toFixed(1)} MB`;
  const { layers, experts, chosen, fileSize, expert, leastRead, read } = facts;
  console.log(
    `${(fileSize / 1e9).toFixed(2)} GB in files: ${layers} layer${layers === 1 ? '' : 's'} of ${experts} experts of ${mb(expert)}, ${chosen} of them a token`,
  );
  console.log(`weights a token reads: ${mb(leastRead)} in files, ${mb(read)} on the device: ${(leastRead / read).toFixed(2)} (least ${leastRatio})`);
  console.log('experts there  on the device  a token     x the first           wanted  waited for  ahead, right');
  for (const { name, expertMemory, tokenMs, timesFirst: times, uses, loads, ahead, foreseen, isSame } of records) {
    const cells = [
      name.padEnd(13),
      formatBytes(expertMemory).padStart(13),
      `${tokenMs.toFixed(1)} ms`.padStart(10),
      `${times.median.toFixed(2)} (${times.min.toFixed(2)} to ${times.max.toFixed(2)})`.padEnd(20),
      uses.toFixed(1).padStart(6),
      loads.toFixed(1).padStart(10),
      `${ahead.toFixed(1)}, ${foreseen.toFixed(1)}`,
    ];
    console.log(`${cells.join('  ')}${isSame ? '' : '  NOT THE SAME ANSWER'}`);
  }
  console.log('bytes a token  if even     needed      brought     of files    needed/brought');
  for (const { name, evenSize, neededSize, movedSize, filesSize, ratio, isMet } of records) {
    const sizes = [evenSize, neededSize, movedSize, filesSize].map((size) => mb(size).padEnd(10));
    console.log(`${name.padEnd(13)}  ${sizes.join('  ')}  ${ratio.toFixed(2)} ${isMet ? 'met' : 'MISSED'} (least ${leastRatio})`);
  }
  console.log('memory         device      resident    host beside it  heap      outside it');
  for (const { name, device = 0, resident = 0, host, heap = 0, external = 0 } of records) {
    console.log(`${name.padEnd(13)}  ${mb(device).padEnd(10)}  ${mb(resident).padEnd(10)}  ${mb(host).padEnd(14)}  ${mb(heap).padEnd(8)}  ${mb(external)}`);
  }
}
