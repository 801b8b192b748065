/**
 * `npm run bench:grammar`: how many schemas of public sets the compiler reaches, and what masks and compiling cost with a real vocabulary.
 * No device is needed, but for `--answers`: a model's own answers under random schemas. What the words mean: bench/README.md.
 */
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { openCheckpoint } from '../../runtime/checkpoint/index.ts';
import type { DeviceName } from '../../runtime/index.ts';
import { startProgress } from '../../scripts/progress.mjs';
import { ensureDefaultModel, ensureDevice } from '../../scripts/setup/index.ts';
import { deviceOption, integer, UsageError } from '../../server/cli/options.ts';
import { readVersion } from '../../server/privacy/version.ts';
import { describeMachine } from '../machine.ts';
import { describeSamples } from '../serve/statistics.ts';
import { judgeAnswers } from './answers.ts';
import { timeMasks } from './masks.ts';
import { createReach, judgeSchema, type Reach } from './reach.ts';
import { judgeParsing, judgeSuite, readCases } from './sets.ts';

interface GrammarOptions {
  readonly data?: string;
  readonly model?: readonly string[];
  readonly schemas?: number;
  readonly answers?: number;
  readonly seed: number;
  readonly longest: number;
  readonly device: DeviceName | 'auto';
}

/** Least part of MaskBench that must be reached; longest mask and compilation, in ms at p50. */
const bounds = { reach: 0.85, mask: 0.05, compile: 50 };

/** Measures and prints; exit code 1 where a bound is broken. */
export async function main(args: readonly string[]): Promise<void> {
  const options = new Command('inward bench grammar')
    .description('Measure which JSON schemas can be enforced, and what masks cost. The last line is JSON.')
    .option('--data <folder>', 'folder with maskbench.dev.jsonl.gz and the like; default json-schema in the data of INWARD_TEST_DATA')
    .option('--model <path...>', 'models whose vocabularies are measured; default SmolLM2')
    .option('--schemas <count>', 'only so many schemas of MaskBench', Number)
    .option('--answers <count>', 'instead of all that, so many whole answers of the first model under random schemas, judged by ajv', integer(1, 100_000))
    .option('--longest <tokens>', 'of an answer', integer(1, 1024), 200)
    .option('--seed <number>', 'of schemas and answers', integer(1), 1)
    .addOption(deviceOption())
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench:grammar\n  npm run bench:grammar -- --schemas 200 --model large.gguf\n  npm run bench:grammar -- --answers 500',
    )
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<GrammarOptions>();
  if (options.answers !== undefined) return showAnswers(options, options.answers);
  const folder = options.data ?? findData();
  const cases = readCases(join(folder, 'maskbench.dev.jsonl.gz')).slice(0, options.schemas);
  const reach = createReach();
  for (const each of cases) judgeSchema(reach, each);
  const suites = (['draft7', 'draft2020-12'] as const).map((draft) => ({ name: `JSON-Schema-Test-Suite ${draft}`, reach: judgeSuite(folder, draft) }));
  printReaches([{ name: 'MaskBench', reach }, ...suites]);
  const parsing = judgeParsing(folder);
  console.log(
    `\nRFC 8259: ${parsing.count - parsing.wrong.length} of ${parsing.count} texts as they must be${parsing.wrong.map((name) => `\n  not: ${name}`).join('')}`,
  );
  const vocabularies = [];
  for (const path of options.model ?? [await ensureDefaultModel()]) {
    using checkpoint = openCheckpoint(path);
    const times = await timeMasks(checkpoint, cases);
    console.log(`\n${basename(path)}, ${times.tokens} tokens; ${times.steps} masks of valid instances, ${times.stopped} instances stopped by a bound`);
    for (const [name, { p50, p90, p99, max }] of Object.entries(times.ms))
      console.log(`${name.padEnd(28)} ms  p50 ${p50.toFixed(4)}  p90 ${p90.toFixed(4)}  p99 ${p99.toFixed(3)}  max ${max.toFixed(1)}`);
    vocabularies.push({ model: basename(path), ...times });
  }
  const compileMs = describeSamples(reach.compileMs)?.p50 ?? 0;
  const found = [
    {
      name: 'share of MaskBench that is reached',
      found: reach.reached / reach.schemas,
      bound: bounds.reach,
      isMet: reach.reached / reach.schemas > bounds.reach,
    },
    { name: 'invalid instances that are taken', found: reach.wrong, bound: 0, isMet: reach.wrong === 0 },
    { name: 'compiling, ms at p50', found: compileMs, bound: bounds.compile, isMet: compileMs < bounds.compile },
    ...vocabularies.map(({ model, ms }) => ({ name: `mask, ms at p50 (${model})`, found: ms.mask.p50, bound: bounds.mask, isMet: ms.mask.p50 <= bounds.mask })),
  ];
  console.log('');
  for (const { name, found: value, bound, isMet } of found) console.log(`${name.padEnd(72)} ${value.toFixed(4)}  bound ${bound}  ${isMet ? 'met' : 'MISSED'}`);
  const record = { date: new Date().toISOString().slice(0, 10), version: readVersion(), machine: describeMachine(), reach: toRecord(reach), vocabularies };
  console.log(JSON.stringify(record));
  if (found.some(({ isMet }) => !isMet)) process.exitCode = 1;
}

async function showAnswers({ model: [model] = [], device, seed, longest }: GrammarOptions, count: number): Promise<void> {
  const modelPath = model ?? (await ensureDefaultModel());
  const driver = await ensureDevice(device);
  const progress = startProgress('Answers');
  const record = await judgeAnswers({ modelPath, device: driver.name, count, seed, longest, onProgress: progress.update });
  progress.end(`on ${driver.name}`);
  const { answers, valid, rejected, cut, stopped, refused, tokens, forced } = record;
  console.log(`${answers} answers of ${basename(modelPath)} under random schemas (${refused} more were refused): ${valid} valid, ${rejected} rejected by ajv, ${cut} cut at ${longest} tokens, ${stopped} stopped by a bound`); // biome-ignore format: one line
  console.log(`${tokens} tokens, ${forced} of them (${((100 * forced) / tokens).toFixed(1)} %) without a step of the model`);
  console.log(
    JSON.stringify({
      date: new Date().toISOString().slice(0, 10),
      version: readVersion(),
      machine: describeMachine(),
      model: basename(modelPath),
      seed,
      longest,
      ...record,
    }),
  );
  if (rejected > 0) process.exitCode = 1;
}

function findData(): string {
  const folder = process.env['INWARD_TEST_DATA'];
  if (folder === undefined) throw new UsageError('Expected the folder of the schemas: give it with --data, or set INWARD_TEST_DATA.');
  return join(folder, 'data', 'json-schema');
}

function printReaches(rows: readonly { readonly name: string; readonly reach: Reach }[]): void {
  for (const { name, reach } of rows) {
    const { schemas, reached, refused, missed, wrong, reasons } = reach;
    console.log(`${name}: ${reached} of ${schemas} schemas (${((100 * reached) / schemas).toFixed(1)} %), ${refused} refused, ${missed} valid instances missed, ${wrong} invalid ones taken`); // biome-ignore format: one line
    for (const [reason, count] of [...reasons].sort(([, a], [, b]) => b - a)) console.log(`${String(count).padStart(6)}  ${reason}`);
  }
}

function toRecord({ reasons, compileMs, ...counts }: Reach): object {
  const { curve: _, ...compile } = describeSamples(compileMs) ?? { curve: [] };
  return { ...counts, reasons: Object.fromEntries(reasons), compileMs: compile };
}
