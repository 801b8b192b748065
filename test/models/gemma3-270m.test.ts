/**
 * A real Gemma 3: 270M in Q4_K_M (four storages) against transformers on the same dequantized weights. Its terms let nobody hand the file on, so
 * it is looked for where an operator would put it, and the golden in the larger material. Minutes on a CPU device: only in the full suite.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheFolder } from '../../runtime/drivers.ts';
import { createEngine } from '../../runtime/engine.ts';
import type { Engine } from '../../runtime/types.ts';
import { distance, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { logProbabilities, meanNlls, type RealGolden, tieAt } from '../real-model.ts';
import { findTestData } from '../test-data.ts';

const file = 'gemma-3-270m-q4_k_m.gguf';
const modelPath = join(cacheFolder(), 'models', file);
const isFull = process.env['INWARD_FULL'] === '1';
const data = isFull ? findTestData('the golden of Gemma 3 270M') : undefined;

function checkModel(folder: string): void {
  const golden: RealGolden = JSON.parse(readFileSync(join(folder, 'real-models', file.replace('.gguf', '.golden.json')), 'utf8'));

  describe.each([
    { mode: 'exact', options: { kv: 'f32', activations: 'f32' }, bound: 0.002, nll: 0.0005 },
    { mode: 'default', options: {}, bound: 0.02, nll: 0.001 },
  ] as const)('Gemma 3 270M, $mode', ({ options, bound, nll }) => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await createEngine({ modelPath, device: testDevice(), contextLength: 512, kvTokens: 2048, ...options });
    }, 400_000);
    afterAll(() => engine[Symbol.asyncDispose]());

    test('the likeliest next tokens, and greedy up to the first near tie', { timeout: 400_000 }, async () => {
      const results = await Promise.all(golden.cases.map(({ ids }) => run(engine, ids, { maxTokens: 48, logits: 'sampled' })));
      for (const [i, expected] of golden.cases.entries()) {
        const logprobs = logProbabilities(results[i]?.logits[0] ?? new Float32Array());
        const found = expected.top20.map(([id]) => logprobs[id] ?? Number.NaN);
        expect(
          distance(
            found,
            expected.top20.map(([, logprob]) => logprob),
          ),
          `case ${i}`,
        ).toBeLessThan(bound);
        const certain = tieAt(expected);
        expect(results[i]?.tokens.slice(0, certain), `case ${i}`).toEqual(expected.greedy.slice(0, certain));
      }
    });

    test('a passage is as likely as the reference holds it', { timeout: 400_000 }, async () => {
      for (const found of await meanNlls(engine, golden.passage.ids)) expect(Math.abs(found / golden.passage.mean_nll - 1)).toBeLessThan(nll);
    });
  });
}

if (!isFull) test('Gemma 3 270M', ({ skip }) => skip('takes minutes: only in the full suite'));
else if (data === undefined) test('Gemma 3 270M', ({ skip }) => skip('INWARD_TEST_DATA names no folder with its golden'));
else if (!existsSync(modelPath)) test('Gemma 3 270M', ({ skip }) => skip(`${file} is not in the cache`));
else checkModel(data);
