/**
 * Encoders from the folder layout of sentence-transformers: a tiny BERT whose weights follow from the names of its tensors, against Hugging Face
 * transformers, in every pooling; and what an engine of one takes and refuses. Bound: as in seeded.test.ts, 20 x the distance of the reference's
 * own float32 and float64.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import { openHostedEngine } from '../../runtime/host/host.ts';
import type { Engine, EngineOptions } from '../../runtime/types.ts';
import { distance, firstDifference, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { readSeeded, writeSeeded } from '../seeded.ts';

const seeded = readSeeded('bert');
const goldens = Object.values(seeded.texts);
const texts = goldens.map(({ ids }) => Uint32Array.from(ids));
const bound = 20 * seeded.tolerance;
const exact = { kv: 'f32', activations: 'f32' } as const;
const folder = mkdtempSync(join(tmpdir(), 'inward-bert-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder whose modules pool so. */
function writeModel(name: string, mode: string, ...more: readonly string[]): string {
  const path = join(folder, name);
  mkdirSync(join(path, '1_Pooling'), { recursive: true });
  writeSeeded(seeded, path);
  const modules = ['Transformer', 'Pooling', ...more].map((type, idx) => ({
    idx,
    name: `${idx}`,
    path: idx === 0 ? '' : `${idx}_${type}`,
    type: `models.${type}`,
  }));
  writeFileSync(join(path, 'modules.json'), JSON.stringify(modules));
  writeFileSync(join(path, '1_Pooling/config.json'), JSON.stringify({ word_embedding_dimension: 64, [mode]: true }));
  return path;
}

const open = (modelPath: string, options: Partial<EngineOptions> = {}): Promise<Engine> =>
  createEngine({ modelPath, device: testDevice(), ...exact, ...options });
const valuesOf = async (engine: Engine, ids: readonly Uint32Array[], options = {}): Promise<Float32Array[]> =>
  (await engine.embed(ids, options)).map(({ values }) => values);
const lengthOf = (values: Float32Array | undefined): number => Math.hypot(...(values ?? []));

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;

test.each([
  ['cls', 'pooling_mode_cls_token'],
  ['max', 'pooling_mode_max_tokens'],
] as const)('%s: texts of 1, 7, 33 and 128 tokens', { timeout: patience }, async (pooling, mode) => {
  await using engine = await open(writeModel(pooling, mode));
  expect(engine.info.encoder).toEqual({ pooling, isNormalized: false, length: 64 });
  const found = await valuesOf(engine, texts);
  for (const [i, golden] of goldens.entries()) expect(distance(found[i], golden[pooling]), `${golden.ids.length} tokens`).toBeLessThan(bound);
});

describe('an engine of an encoder', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open(writeModel('normalized', 'pooling_mode_mean_tokens', 'Normalize'), { maxSequences: 4, queueLength: 3 });
  }, patience);
  afterAll(() => engine[Symbol.asyncDispose]());

  test('a mean of texts of 1, 7, 33 and 128 tokens, side by side and alone; of length 1 as the modules say, unless others are asked for', async () => {
    expect(engine.info.encoder).toEqual({ pooling: 'mean', isNormalized: true, length: 64 });
    const [own, plain] = [await valuesOf(engine, texts), await valuesOf(engine, texts, { normalizes: false })];
    const alone = [];
    for (const ids of texts) alone.push(...(await valuesOf(engine, [ids])));
    expect(firstDifference(own, alone)).toBeUndefined();
    for (const [i, golden] of goldens.entries()) {
      expect(Math.abs(lengthOf(own[i]) - 1)).toBeLessThan(1e-6);
      expect(distance(plain[i], golden.mean), `${golden.ids.length} tokens`).toBeLessThan(bound);
      const length = Math.hypot(...golden.mean);
      expect(
        distance(
          own[i]?.map((value) => value * length),
          golden.mean,
        ),
      ).toBeLessThan(2 * bound);
    }
  });

  test('more texts than run or wait at once, and than a step holds, in their order', async () => {
    const many = Array.from({ length: 40 }, (_, i) => texts[(i * 7) % texts.length] ?? new Uint32Array());
    const alone = await valuesOf(engine, texts);
    const found = await engine.embed(many);
    expect(found.map(({ tokens }) => tokens)).toEqual(many.map(({ length }) => length));
    expect(
      firstDifference(
        found.map(({ values }) => values),
        many.map((ids) => alone[texts.indexOf(ids)] ?? new Float32Array()),
      ),
    ).toBeUndefined();
  });

  test('a text of more tokens than positions is refused with both numbers, or loses those before its last one', async () => {
    const long = Uint32Array.from({ length: 131 }, (_, i) => 3 + (i % 150));
    await expect(engine.embed([texts[0] ?? long, long])).rejects.toMatchObject({
      code: 'text_too_long',
      fields: { place: 2, count: 2, found: 131, limit: 128 },
    });
    const [cut] = await engine.embed([long], { truncates: true });
    expect(cut?.tokens).toBe(128);
    const same = Uint32Array.from([...long.subarray(0, 127), long[130] ?? 0]);
    expect(firstDifference([cut?.values ?? new Float32Array()], await valuesOf(engine, [same]))).toBeUndefined();
    expect(long[130]).toBe(133);
  });

  test('it generates nothing, and gives no logits', async () => {
    const [, ids = []] = texts;
    const refusal = { code: 'generation_unsupported', fields: { family: 'bert' } };
    await expect(run(engine, ids, { maxTokens: 1 })).rejects.toMatchObject(refusal);
    await expect(run(engine, ids, { maxTokens: 0, logits: 'all' })).rejects.toMatchObject(refusal);
    await expect(run(engine, ids, { maxTokens: 0, promptLogprobs: 0 })).rejects.toMatchObject(refusal);
  });

  test('an abort ends all of it, and nothing is left on the device', async () => {
    const stop = new AbortController();
    const embedding = engine.embed(
      Array.from({ length: 30 }, () => texts[3] ?? new Uint32Array()),
      {},
      stop.signal,
    );
    setTimeout(() => stop.abort(), 5);
    await expect(embedding).rejects.toMatchObject({ code: 'aborted' });
    const { words, ...found } = await engine.checkZeroed();
    expect(words).toBeGreaterThan(0);
    expect(found).toEqual({ kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0 });
  });
});

test('the same from a process of its own', { timeout: patience }, async () => {
  await using engine = await openHostedEngine({ modelPath: writeModel('hosted', 'pooling_mode_mean_tokens'), device: testDevice(), ...exact });
  const found = await valuesOf(engine, texts);
  for (const [i, golden] of goldens.entries()) expect(distance(found[i], golden.mean)).toBeLessThan(bound);
  await expect(run(engine, texts[1] ?? [], { maxTokens: 1 })).rejects.toMatchObject({ code: 'generation_unsupported' });
});
