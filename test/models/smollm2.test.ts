/**
 * A real model: SmolLM2-135M-Instruct in Q4_1 against transformers on the same dequantized weights. Needs the file
 * that set-up fetches, and says so when it is not there.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheFolder } from '../../runtime/drivers.ts';
import { createEngine } from '../../runtime/engine.ts';
import { openText } from '../../runtime/text/index.ts';
import type { Engine } from '../../runtime/types.ts';
import { defaultModel } from '../../scripts/setup/model.ts';
import { distance, firstDifference, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { logProbabilities, meanNlls, type RealGolden, tieAt } from '../real-model.ts';
import { readFixture } from '../test-data.ts';

const golden: RealGolden = JSON.parse(readFixture('smollm2/golden.json').toString('utf8'));
const modelPath = join(cacheFolder(), 'models', defaultModel.file);
const isHere = existsSync(modelPath);

function checkModel(): void {
  test('the golden belongs to the file that set-up fetches', () => expect(golden.sha256).toBe(defaultModel.sha256));

  describe.each([
    { mode: 'exact', options: { kv: 'f32', activations: 'f32' }, best: 20, bound: 0.002, nll: 0.0005, steps: 48 },
    { mode: 'default', options: {}, best: 10, bound: 0.15, nll: 0.005, steps: 8 },
  ] as const)('$mode', ({ options, best, bound, nll, steps }) => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await createEngine({ modelPath, device: testDevice(), contextLength: 512, kvTokens: 2048, ...options });
    });
    afterAll(() => engine[Symbol.asyncDispose]());

    test('the likeliest next tokens, and greedy up to the first near tie', async () => {
      const results = await Promise.all(golden.cases.map(({ ids }) => run(engine, ids, { maxTokens: steps, logits: 'sampled', logprobs: 20 })));
      for (const [i, expected] of golden.cases.entries()) {
        const logprobs = logProbabilities(results[i]?.logits[0] ?? new Float32Array());
        const top = expected.top20.slice(0, best);
        expect(
          distance(
            top.map(([id]) => logprobs[id] ?? Number.NaN),
            top.map(([, logprob]) => logprob),
          ),
          `case ${i}`,
        ).toBeLessThan(bound);
        // The device's own log-probabilities, in its own order.
        const named = results[i]?.logprobs[0]?.top ?? [];
        expect(named.length).toBe(20);
        expect(
          distance(
            top.map(([id], place) => (named.find((entry) => entry.id === id) ?? named[place])?.logprob ?? Number.NaN),
            top.map(([, logprob]) => logprob),
          ),
          `case ${i}, named`,
        ).toBeLessThan(bound);
        const certain = Math.min(steps, tieAt(expected));
        expect(results[i]?.tokens.slice(0, certain), `case ${i}`).toEqual(expected.greedy.slice(0, certain));
      }
    });

    test('a passage is as likely as the reference holds it', async () => {
      for (const found of await meanNlls(engine, golden.passage.ids)) expect(Math.abs(found / golden.passage.mean_nll - 1)).toBeLessThan(nll);
    });

    test('a sequence gives the same alone and among others, bit for bit', async () => {
      const lengths = [0, 5, 1];
      const request = { maxTokens: 6, logits: 'sampled' } as const;
      const together = await Promise.all(lengths.map((i) => run(engine, golden.cases[i]?.ids ?? [], request)));
      for (const [place, i] of lengths.entries()) {
        const alone = await run(engine, golden.cases[i]?.ids ?? [], request);
        expect(together[place]?.tokens).toEqual(alone.tokens);
        expect(firstDifference(together[place]?.logits ?? [], alone.logits)).toBeUndefined();
      }
    });
  });

  test('the text door makes of a chat the ids that the golden was computed from', async () => {
    await using text = await openText({ modelPath });
    const chats = golden.cases.filter(({ chat }) => chat !== undefined);
    expect(chats.length).toBe(3);
    for (const { chat = [], ids } of chats) expect([...(await text.encodeChat(chat))]).toEqual(ids);
  });
}

if (isHere) checkModel();
else test('SmolLM2', ({ skip }) => skip('its file is not in the cache: node scripts/setup.mjs fetches it'));
