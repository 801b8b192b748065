/**
 * `npm run bench:deid`: what the detector of identifiers finds in annotated texts, what it takes without need, and how fast it is. No device is needed. What
 * the words mean: bench/README.md.
 */
import { join } from 'node:path';
import { Command } from 'commander';
import { UsageError } from '../../server/cli/options.ts';
import { createDetector, detectorVersion } from '../../server/privacy/deid/detector.ts';
import type { Span } from '../../server/privacy/deid/types.ts';
import { findPresidio } from './peer.ts';
import { type Example, foldRecalls, type Score, scoreSet } from './score.ts';
import { readSet, sets } from './sets.ts';
import { measureSpeed, type Speed } from './speed.ts';
import { formatSet, formatSpeed } from './table.ts';

interface DeidOptions {
  readonly data?: string;
  readonly json?: boolean;
  readonly presidio?: string;
  readonly model: string;
}

export interface SetResult {
  readonly name: string;
  readonly goal: number | undefined;
  readonly score: Score;
  /** Recall of each of five parts, with the examples of a template in one part. */
  readonly folds: readonly number[] | undefined;
  readonly peer?: Score;
}

/** Measures and prints. A goal that is missed is a result, not an error. */
export async function main(args: readonly string[]): Promise<void> {
  const options = new Command('inward bench deid')
    .description('Measure recall, precision and speed of the detector of identifiers on annotated texts.')
    .option('--data <folder>', 'folder of the sets; default data/deid in the folder of INWARD_TEST_DATA')
    .option('--json', 'print JSON instead of tables')
    .option('--presidio <python>', 'a Python with presidio-analyzer, to measure it on the same texts')
    .option('--model <name>', 'spaCy model for Presidio', 'en_core_web_sm')
    .addHelpText('after', '\nExamples:\n  npm run bench:deid\n  npm run bench:deid -- --data sets --json')
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<DeidOptions>();
  const results = measureSets(options);
  const speed = measureSpeed(readTexts(options));
  if (options.json) console.log(JSON.stringify({ detector: detectorVersion, sets: results.map(toRecord), speed }));
  else print(results, speed);
}

function folderOf({ data }: DeidOptions): string {
  const root = process.env['INWARD_TEST_DATA'];
  if (data === undefined && root === undefined) throw new UsageError('The annotated sets are needed: name their folder with --data, or set INWARD_TEST_DATA.');
  return data ?? join(root!, 'data', 'deid');
}

function measureSets(options: DeidOptions): SetResult[] {
  const detector = createDetector();
  const presidio = findPresidio(options.presidio, options.model);
  if (typeof presidio === 'string') console.error(presidio);
  const results: SetResult[] = [];
  for (const { name, file, goal } of sets) {
    const examples = readSet(folderOf(options), file);
    if (examples === undefined) {
      console.error(`${name}: ${file}.dev.jsonl is not in the folder`);
      continue;
    }
    const score = scoreSet(examples, (text) => detector.detect(text));
    const folds = foldRecalls(examples, (text) => detector.detect(text));
    results.push({
      name,
      goal,
      score,
      folds,
      ...(typeof presidio === 'string' ? {} : { peer: scorePeer(examples, presidio.detectAll(examples.map(({ text }) => text))) }),
    });
  }
  if (results.length === 0) throw new UsageError(`No set was found in ${folderOf(options)}: expected files such as ${sets[0]!.file}.dev.jsonl.`);
  return results;
}

function scorePeer(examples: readonly Example[], found: readonly (readonly Span[])[]): Score {
  const byText = new Map(examples.map(({ text }, index) => [text, found[index]!]));
  return scoreSet(examples, (text) => byText.get(text)!);
}

function readTexts(options: DeidOptions): string[] {
  return ['full-notes', 'negatives', 'asq-phi'].flatMap((file) => readSet(folderOf(options), file) ?? []).map(({ text }) => text);
}

function print(results: readonly SetResult[], speed: Speed): void {
  for (const result of results) for (const line of formatSet(result)) console.log(line);
  for (const line of formatSpeed(speed)) console.log(line);
}

function toRecord({ name, goal, score, folds, peer }: SetResult): object {
  const plain = (one: Score): object => ({ ...one, byType: Object.fromEntries(one.byType) });
  return { name, goal, folds, ...plain(score), ...(peer === undefined ? {} : { presidio: plain(peer) }) };
}
