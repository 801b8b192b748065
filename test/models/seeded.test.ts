/**
 * Every family that a bare clone proves: tiny models whose weights follow from the names of their tensors, against Hugging Face transformers.
 * Bound: as in llama.test.ts, 20 x the distance of the reference's own float32 and float64; a lead of 40 x was asked for, so no token may differ.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { families } from '../../models/index.ts';
import { createEngine } from '../../runtime/engine.ts';
import { distance, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { listSeeded, readSeeded, writeSeeded } from '../seeded.ts';

const names = listSeeded();
/** Encoders are in bert.test.ts. */
const decoders = names.filter((name) => Object.keys(readSeeded(name).prompts).length > 0);

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;

test.each(decoders)('%s: tokens and logits of each prompt, side by side', { timeout: patience }, async (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-family-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const seeded = readSeeded(name);
  writeSeeded(seeded, folder);
  await using engine = await createEngine({ modelPath: folder, device: testDevice(), kv: 'f32', activations: 'f32', contextLength: 128, kvTokens: 1024 });
  const prompts = Object.entries(seeded.prompts);
  const results = await Promise.all(prompts.map(([, { ids, greedy }]) => run(engine, Uint32Array.from(ids), { maxTokens: greedy.length, logits: 'sampled' })));
  for (const [i, [prompt, golden]] of prompts.entries()) {
    const result = results[i];
    expect(result?.tokens, prompt).toEqual(golden.greedy);
    for (const [logits, expected] of [
      [result?.logits[0], golden.first],
      [result?.logits.at(-1), golden.last],
    ])
      expect(distance(logits as Float32Array, Float32Array.from(expected as readonly number[])), prompt).toBeLessThan(20 * seeded.tolerance);
  }
});

test('no family is without one', () => {
  const proven = new Set(names.map((name) => String(readSeeded(name).config['model_type'])));
  // Llama has fixtures of its own.
  const missing = families.filter(({ modelTypes }) => !modelTypes.some((type) => type === 'llama' || proven.has(type))).map(({ name }) => name);
  expect(missing).toEqual([]);
});
