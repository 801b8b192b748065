/**
 * A model with recurrent state beside paged KV: however a prompt is cut into steps, whoever else is in the batch and whether a sequence had to
 * start over, every logit has the same bits; and nothing of a state is left when its sequence has ended. That the numbers are right: seeded.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import { openParts } from '../../runtime/open.ts';
import { Sequence } from '../../runtime/scheduling/sequence.ts';
import type { BlockId, EngineOptions } from '../../runtime/types.ts';
import { firstDifference, type Result, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { readSeeded, writeSeeded } from '../seeded.ts';

const seeded = readSeeded('qwen3_5');
const { ids: long = [], greedy = [] } = seeded.prompts['len40'] ?? {};
/** Three that begin small and grow over the borders of blocks, and the one with a golden. */
const prompts = [long.slice(0, 7), long.slice(10, 30), long.slice(7, 20), long];
const modelPath = mkdtempSync(join(tmpdir(), 'inward-recurrent-'));
beforeAll(() => writeSeeded(seeded, modelPath));
afterAll(() => rmSync(modelPath, { recursive: true, force: true }));

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;
const common = { modelPath, device: testDevice(), kv: 'f32', activations: 'f32', contextLength: 64, kvTokens: 1024, maxSequences: 4, tune: 'off' } as const;
const nothing = { kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0 };

async function runAll(options: Partial<EngineOptions>): Promise<{ results: Result[]; preemptions: number }> {
  await using engine = await createEngine({ ...common, ...options });
  const results = await Promise.all(prompts.map((ids) => run(engine, ids, { maxTokens: 20, logits: 'all' })));
  expect(await engine.checkZeroed()).toMatchObject(nothing);
  // The rule of such models: nothing is shared, nothing is guessed.
  expect(engine.stats()).toMatchObject({ prefixHits: 0, kvBlocksCached: 0, draftTokens: 0 });
  return { results, preemptions: engine.stats().preemptions };
}

test('alone; and together in chunks of 7 tokens, some starting over for want of room', { timeout: patience }, async () => {
  const alone = await runAll({ maxSequences: 1 });
  expect(alone.results.at(-1)?.tokens.slice(0, greedy.length)).toEqual(greedy);
  // Room for one context and a block more, so that those who run together cannot all go on.
  const { results, preemptions } = await runAll({ tokenBudget: 7, kvTokens: common.contextLength });
  expect(preemptions).toBeGreaterThan(0);
  for (const [i, { tokens, logits }] of results.entries()) {
    expect(tokens, `prompt ${i}`).toEqual(alone.results[i]?.tokens);
    expect(firstDifference(logits, alone.results[i]?.logits ?? []), `prompt ${i}`).toBeUndefined();
  }
});

test('several answers to one prompt compute it each for itself, and a text said before is no prefix', { timeout: patience }, async () => {
  await using engine = await createEngine(common);
  const ask = (rest: { readonly group?: number }): Promise<Result> => run(engine, long, { maxTokens: greedy.length, ...rest });
  const together = await Promise.all([1, 2, 3].map(() => ask({ group: 7 })));
  for (const { tokens } of [...together, await ask({})]) expect(tokens).toEqual(greedy);
  expect(engine.stats().promptTokens).toBe(4 * long.length);
});

test('a state that is in use is found by the look that finds none afterwards', { timeout: patience }, async () => {
  const { parts } = await openParts(common);
  using _ = parts.open;
  const { scheduler, batch, runner, pool, states } = parts;
  const silent = { event: () => undefined, fail: () => undefined };
  const sequence = new Sequence({ promptIds: Uint32Array.from(long), maxTokens: 3 }, common.contextLength, silent);
  const step = async (): Promise<void> => {
    scheduler.schedule(batch);
    scheduler.commit(batch, await runner.run(batch));
  };
  const left = async (state: readonly BlockId[]): Promise<number> => (await runner.readResidue({ kv: [], state }, pool.total)).state;
  expect(await left([0, 1, 2, 3] as BlockId[])).toBe(0);
  scheduler.add(sequence);
  await step();
  const own = sequence.state;
  expect(own === undefined ? 0 : await left([own])).toBeGreaterThan(0);
  expect(await left(states?.freeBlocks ?? [])).toBe(0);
  for (let steps = 0; scheduler.hasWork; steps++) {
    expect(steps).toBeLessThan(10);
    await step();
  }
  expect(states?.freeCount).toBe(common.maxSequences);
  expect(await left(states?.freeBlocks ?? [])).toBe(0);
});
