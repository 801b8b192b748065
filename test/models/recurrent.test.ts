/**
 * Models with recurrent state beside paged KV, from the oracles: however a prompt is cut into steps, whoever else is in the batch and whether a
 * sequence had to start over, every logit has the same bits; and nothing of a state is left when its sequence has ended.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import { openParts } from '../../runtime/open.ts';
import { Sequence } from '../../runtime/scheduling/sequence.ts';
import type { BlockId, EngineOptions } from '../../runtime/types.ts';
import { firstDifference, type Result, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { type FolderOracle, type PromptName, readFolderOracle } from '../oracle.ts';
import { findTestData } from '../test-data.ts';

const data = findTestData('oracles of models with recurrent state');
const names = data === undefined ? [] : ['qwen3_5'];
/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;
const common = { device: testDevice(), kv: 'f32', activations: 'f32', contextLength: 64, kvTokens: 1024, maxSequences: 4, tune: 'off' } as const;
const prompts: readonly PromptName[] = ['len33', 'batch2', 'batch1', 'batch3'];
const nothing = { kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0 };

async function runAll(oracle: FolderOracle, options: Partial<EngineOptions>): Promise<{ results: Result[]; preemptions: number }> {
  await using engine = await createEngine({ modelPath: oracle.modelPath, ...common, ...options });
  const results = await Promise.all(prompts.map((prompt) => run(engine, oracle.prompts[prompt].ids, { maxTokens: 24, logits: 'all' })));
  expect(await engine.checkZeroed()).toMatchObject(nothing);
  // The rule of such models: nothing is shared, nothing is guessed.
  expect(engine.stats()).toMatchObject({ prefixHits: 0, kvBlocksCached: 0, draftTokens: 0 });
  return { results, preemptions: engine.stats().preemptions };
}

describe.each(names)('%s', (name) => {
  const oracle = readFolderOracle(join(data ?? '', 'oracles', name));

  test('alone; and together in chunks of 7 tokens, some starting over for want of room', { timeout: patience }, async () => {
    const alone = await runAll(oracle, { maxSequences: 1 });
    for (const [i, prompt] of prompts.entries()) expect(alone.results[i]?.tokens, prompt).toEqual(oracle.prompts[prompt].greedy);
    // Room for the longest sequence and a block more, so that those who run together cannot all go on.
    const { results, preemptions } = await runAll(oracle, { tokenBudget: 7, kvTokens: common.contextLength });
    expect(preemptions).toBeGreaterThan(0);
    for (const [i, { tokens, logits }] of results.entries()) {
      expect(tokens, prompts[i]).toEqual(alone.results[i]?.tokens);
      expect(firstDifference(logits, alone.results[i]?.logits ?? []), prompts[i]).toBeUndefined();
    }
  });

  test('several answers to one prompt compute it each for itself, and a text said before is no prefix', { timeout: patience }, async () => {
    await using engine = await createEngine({ modelPath: oracle.modelPath, ...common });
    const { ids, greedy } = oracle.prompts.len33;
    const together = await Promise.all([1, 2, 3].map(() => run(engine, ids, { maxTokens: 24, group: 7 })));
    const later = await run(engine, ids, { maxTokens: 24 });
    for (const { tokens } of [...together, later]) expect(tokens).toEqual(greedy);
    expect(engine.stats().promptTokens).toBe(4 * ids.length);
  });

  test('a state that is in use is found by the look that finds none afterwards', { timeout: patience }, async () => {
    const { parts } = await openParts({ modelPath: oracle.modelPath, ...common });
    using _ = parts.open;
    const { scheduler, batch, runner, pool, states } = parts;
    const sequence = new Sequence({ promptIds: oracle.prompts.len7.ids, maxTokens: 3 }, common.contextLength, {
      event: () => undefined,
      fail: () => undefined,
    });
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
});
