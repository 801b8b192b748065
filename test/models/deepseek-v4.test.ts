/**
 * DeepSeek-V4 in the engine, on its seeded model: a prompt gives the same logits bit for bit whole, in chunks that end before, at and behind windows,
 * entries, blocks and what the indexer chooses from, and among others; nothing of it is left, and nothing of it is used again. Goldens: seeded.test.ts.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import type { Engine, EngineOptions } from '../../runtime/types.ts';
import { firstDifference, type Result, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { sampleCases } from '../sample.ts';
import { readSeeded, writeSeeded } from '../seeded.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-deepseek-v4-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const seeded = readSeeded('deepseek_v4');
writeSeeded(seeded, folder);

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;
/** Decode goes on over the border of the second entry of 128 tokens. */
const random = (length: number, seed: number): Uint32Array => Uint32Array.from({ length }, (_, i) => 3 + ((i * 37 + seed * 11 + ((i * i) % 29)) % 120));
const prompts = [random(252, 1), random(1, 2), random(7, 3), random(131, 4)];
const request = { maxTokens: 8, logits: 'all' } as const;

const open = (options: Partial<EngineOptions>): Promise<Engine> =>
  createEngine({ modelPath: folder, device: testDevice(), contextLength: 288, kvTokens: 1024, ...options });

function expectSame(got: Result | undefined, expected: Result | undefined, what: string): void {
  expect(got?.tokens, what).toEqual(expected?.tokens);
  expect(firstDifference(got?.logits ?? [], expected?.logits ?? []), what).toBeUndefined();
}

let whole: Promise<Result[]> | undefined;
async function runWhole(): Promise<Result[]> {
  await using engine = await open({ maxSequences: 1, tokenBudget: 288 });
  const results: Result[] = [];
  for (const ids of prompts) results.push(await run(engine, ids, request));
  return results;
}

test.each(sampleCases('chunks of prompts', [1, 3, 4, 5, 63, 127, 128, 129, 251], 1))('in chunks of at most %i', { timeout: patience }, async (tokenBudget) => {
  const expected = await (whole ??= runWhole());
  await using engine = await open({ maxSequences: 1, tokenBudget });
  expectSame(await run(engine, prompts[0] as Uint32Array, request), expected[0], 'the longest');
});

test('among others, whatever came before, and nothing is left', { timeout: patience }, async () => {
  const expected = await (whole ??= runWhole());
  await using engine = await open({ maxSequences: 3, tokenBudget: 50 });
  for (const round of [1, 2]) {
    const results = await Promise.all(prompts.map((ids) => run(engine, ids, request)));
    for (const [i, result] of results.entries()) expectSame(result, expected[i], `prompt ${i} in round ${round}`);
  }
  // A state holds all tokens up to one of them, so what was computed of a prompt is not the beginning of another.
  expect(engine.stats().prefixHits).toBe(0);
  expect(await engine.checkZeroed()).toMatchObject({ kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0 });
});

/** Of 262,144 entries there is room for the scores of 64 tokens: the prompt is chosen for in parts, the last of which is not full. */
test('with the context of the release, the longest prompt in one step', { timeout: patience }, async () => {
  const modelPath = mkdtempSync(join(tmpdir(), 'inward-deepseek-v4-long-'));
  onTestFinished(() => rmSync(modelPath, { recursive: true, force: true }));
  writeSeeded(seeded, modelPath);
  const path = join(modelPath, 'config.json');
  const contextLength = 1_048_576;
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), max_position_embeddings: contextLength }));
  const [expected] = await (whole ??= runWhole());
  await using engine = await open({ modelPath, contextLength, maxSequences: 1, tokenBudget: 512 });
  expect(engine.info.contextLength).toBe(contextLength);
  // Whoever asks for all logits gets a prompt in steps of few tokens.
  const result = await run(engine, prompts[0] as Uint32Array, { maxTokens: 8, logits: 'sampled' });
  expectSame(result, expected && { ...expected, logits: expected.logits.slice(-8) }, 'the longest');
});

test('entries in q8 are refused', async () => {
  await expect(open({ kv: 'q8' })).rejects.toMatchObject({ code: 'model_unsupported', fields: { found: 'q8' } });
});
