/** Layers spread over several devices: the tokens and logits of one device, bit for bit, whatever the family, the cuts and the parts of a step. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createEngine } from '../../../runtime/engine.ts';
import type { Engine, EngineOptions } from '../../../runtime/types.ts';
import { firstDifference, type Result, run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { sampleCases } from '../../sample.ts';
import { listSeeded, readSeeded, type SeededFamily, writeSeeded } from '../../seeded.ts';
import { openStaged } from '../../stages.ts';

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;
/** What cannot be cut: an encoder, and an embedding that enters every layer. */
const whole = ['bert', 'gemma4_e2b'];
const cuttable = listSeeded().filter((name) => !whole.includes(name));

function optionsOf(seeded: SeededFamily): EngineOptions {
  const modelPath = mkdtempSync(join(tmpdir(), 'inward-stages-'));
  onTestFinished(() => rmSync(modelPath, { recursive: true, force: true }));
  writeSeeded(seeded, modelPath);
  return { modelPath, device: testDevice(), contextLength: 256, kvTokens: 1024 };
}

/** All prompts side by side, some with what the sampler does besides. */
function runAll(engine: Engine, { prompts }: SeededFamily): Promise<Result[]> {
  const more = [{ logprobs: 3 }, { sampling: { temperature: 1, seed: 5, repetitionPenalty: 1.3 } }, { promptLogprobs: 2 }];
  return Promise.all(
    Object.values(prompts).map(({ ids, greedy }, i) => run(engine, Uint32Array.from(ids), { maxTokens: greedy.length, logits: 'sampled', ...more[i % 3] })),
  );
}

function expectSame(results: readonly Result[], expected: readonly Result[]): void {
  results.forEach((result, i) => {
    const { logits, ...rest } = expected[i] as Result;
    expect({ ...result, logits: undefined }).toEqual({ ...rest, logits: undefined });
    expect(firstDifference(result.logits, logits)).toBeUndefined();
  });
}

test.each(sampleCases('families in stages', cuttable, 1))('%s in two stages', { timeout: patience }, async (name) => {
  const seeded = readSeeded(name);
  const options = optionsOf(seeded);
  await using one = await createEngine(options);
  const expected = await runAll(one, seeded);
  const { engine, sent, order } = await openStaged(options, 2);
  await using two = engine;
  expectSame(await runAll(two, seeded), expected);
  // The prompt of 40 tokens came in parts, and rows with each of them.
  const steps = sent[0]?.filter((message) => message.type === 'step') ?? [];
  expect(steps.some(({ counts, rows }) => counts.tokens > 0 && counts.tokens < 40 && rows.length > 0 && rows.length % counts.tokens === 0)).toBe(true);
  // Two steps were under way: parts of one step have four tokens at least.
  let small = 0;
  const counts = order.map(({ from, message }) => {
    if (from === 0 && message.type === 'step' && message.counts.tokens > 0 && message.counts.tokens < 4) small++;
    else if (message.type === 'results') small = Math.max(0, small - 1);
    return small;
  });
  expect(Math.max(...counts)).toBe(2);
});

test('an engine in this process has one stage', async () => {
  const refusal = 'The option stages breaks the rule "stages have processes of their own: openEngine starts them".';
  await expect(createEngine({ modelPath: 'nowhere.gguf', stages: 2 })).rejects.toThrow(refusal);
});
