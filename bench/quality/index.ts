/**
 * `npm run bench:kv`: what a KV cache in f16 or 8 bits costs in quality. The same passages are scored with each format, and the
 * log-probabilities are held against those with f32. What the words mean: bench/README.md. It needs no quiet machine: nothing is timed.
 */

import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Engine, type EngineOptions, kvFormats, logprobsLimit, openEngine, planModel, type TokenLogprobs } from '../../runtime/index.ts';
import { blockLength } from '../../runtime/plan.ts';
import { openText } from '../../runtime/text/index.ts';
import { startProgress } from '../../scripts/progress.mjs';
import { ensureDevice } from '../../scripts/setup/index.ts';
import { UsageError } from '../../server/cli/options.ts';
import { readVersion } from '../../server/privacy/version.ts';
import { describeMachine } from '../machine.ts';
import { findModel } from '../model.ts';
import { demandFolder } from '../suite/index.ts';
import { parseQualityOptions, type QualityOptions } from './options.ts';
import { drawPassages, readTexts } from './passages.ts';
import { type FormatRecord, formatQuality, type QualityRecord } from './record.ts';
import { measureDistance } from './statistics.ts';

/** Measures and prints. Throws UsageError, InwardError and commander's CommanderError. */
export async function main(args: readonly string[]): Promise<void> {
  const options = parseQualityOptions(args);
  const { json } = options;
  if (json !== undefined) demandFolder(json);
  const record = await measure(options);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(record, null, 1)}\n`);
  console.log(`${formatQuality(record).join('\n')}\n${JSON.stringify(record)}`);
}

/** Likeliest tokens that the divergence is bounded by: as many as the engine names. */
const topCount = logprobsLimit;
/** Passages that are asked for together. An engine has two rows of logits for each sequence, and every position is one: so a step can score as many as its token budget. */
const together = 64;
/** Passages for whose keys and values there is room at a time. */
const atOnce = 4;

type Format = Required<Pick<EngineOptions, 'kv' | 'activations'>>;

/** The reference first. */
function chooseFormats(int8: boolean): Format[] {
  const kvs = ['f32', ...kvFormats.filter((kv) => kv !== 'f32')] as const;
  return (int8 ? (['f32', 'int8'] as const) : (['f32'] as const)).flatMap((activations) => kvs.map((kv) => ({ kv, activations })));
}

async function measure(options: QualityOptions): Promise<QualityRecord> {
  const texts = (options.file.length > 0 ? options.file : findTexts()).map(readTexts);
  const device = (await ensureDevice(options.device)).name;
  const modelPath = await findModel(options.model);
  const { modelContextLength } = await planModel({ modelPath });
  if (options.longest > modelContextLength)
    throw new UsageError(`The context of this model holds ${modelContextLength} tokens, and --longest asks for ${options.longest}.`);
  const passages = await encodePassages(texts, options, modelPath);
  const formats: FormatRecord[] = [];
  let reference: readonly TokenLogprobs[] | undefined;
  for (const format of chooseFormats(options.int8)) {
    const engineOptions = { modelPath, device, ...format, maxSequences: together, contextLength: options.longest, kvTokens: atOnce * options.longest };
    const { kvSize, kvBlocks } = await planModel(engineOptions);
    const scored = await score(engineOptions, passages);
    reference ??= scored;
    const kvBytesPerToken = kvSize / kvBlocks / blockLength;
    formats.push({ ...format, kvBytesPerToken, ...measureDistance(scored, reference) });
  }
  const version = readVersion();
  return {
    date: new Date().toISOString().slice(0, 10),
    version,
    machine: describeMachine(),
    device,
    model: basename(modelPath),
    seed: options.seed,
    passages: passages.length,
    positions: passages.reduce((sum, { length }) => sum + length - 1, 0),
    formats,
  };
}

/** Medical texts by others, where the developer keeps them. */
function findTexts(): string[] {
  const data = process.env['INWARD_TEST_DATA'];
  const folder = data === undefined ? undefined : join(data, 'data', 'eval-text');
  if (folder === undefined || !statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError('Expected --file, or INWARD_TEST_DATA as the name of a folder with data/eval-text in it.');
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  return files.sort().map((name) => join(folder, name));
}

async function encodePassages(texts: readonly (readonly string[])[], options: QualityOptions, modelPath: string): Promise<Uint32Array[]> {
  await using model = await openText({ modelPath });
  const passages = await drawPassages(texts, options, (text) => model.encode(text));
  if (passages.length === 0) throw new UsageError(`No text has ${options.shortest} tokens; ask for fewer with --shortest.`);
  return passages;
}

/** What the model says about every token of every passage but the first, in order. */
async function score(options: EngineOptions & Format, passages: readonly Uint32Array[]): Promise<TokenLogprobs[]> {
  const total = passages.reduce((sum, { length }) => sum + length - 1, 0);
  await using engine = await openEngine(options);
  const progress = startProgress(`KV ${options.kv}, activations ${options.activations}`);
  let done = 0;
  const scored: TokenLogprobs[][] = [];
  for (let first = 0; first < passages.length; first += together) {
    const some = passages.slice(first, first + together);
    scored.push(...(await Promise.all(some.map((promptIds) => scorePassage(engine, promptIds, () => progress.update(++done / total))))));
  }
  progress.end('done');
  return scored.flat();
}

async function scorePassage(engine: Engine, promptIds: Uint32Array, onPosition: () => void): Promise<TokenLogprobs[]> {
  const scored: TokenLogprobs[] = [];
  for await (const event of engine.generate({ promptIds, maxTokens: 0, promptLogprobs: topCount })) {
    if (event.type !== 'prompt' || event.logprobs === undefined) continue;
    scored.push(event.logprobs);
    onPosition();
  }
  return scored;
}
