/**
 * Latent rows in the engine: a prompt gives the same logits bit for bit whole, in chunks, among others, from a kept prefix and from copied
 * blocks; nothing of them is left; and f16 rows are as near to the reference as its own half-precision runs. Oracle: oracles.test.ts.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import type { Engine, EngineOptions } from '../../runtime/types.ts';
import { firstDifference, type Result, run } from '../engine-run.ts';
import { distanceFrom } from '../golden.ts';
import { testDevice } from '../gpu.ts';
import { readFolderOracle } from '../oracle.ts';
import { findTestData } from '../test-data.ts';

const data = findTestData('latent rows in the engine, on the oracle of DeepSeek-V3');
const cases = data === undefined ? [] : [join(data, 'oracles', 'deepseek_v3')];
/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;
const names = ['len1', 'len33', 'long', 'batch1', 'batch2'] as const;
const request = { maxTokens: 8, logits: 'all' } as const;

const open = (modelPath: string, options: Partial<EngineOptions>): Promise<Engine> =>
  createEngine({ modelPath, device: testDevice(), contextLength: 256, kvTokens: 2048, ...options });

/** Where only logits of sampled tokens were asked for, those. */
function expectSame(got: Result | undefined, expected: Result | undefined, what: string): void {
  expect(got?.tokens, what).toEqual(expected?.tokens);
  expect(firstDifference(got?.logits ?? [], expected?.logits.slice(-(got?.logits.length ?? 0)) ?? []), what).toBeUndefined();
}

test.each(cases)('the same bits alone, in chunks, among others, from a kept prefix and from copies; then zeros', { timeout: patience }, async (folder) => {
  const oracle = readFolderOracle(folder);
  const alone: Result[] = [];
  {
    await using engine = await open(folder, { prefixSeconds: 0, maxSequences: 1, draftLength: 0 });
    for (const name of names) alone.push(await run(engine, oracle.prompts[name].ids, request));
  }
  for (const [i, name] of names.entries()) {
    const golden = oracle.prompts[name];
    expect(alone[i]?.tokens, name).toEqual(golden.greedy.slice(0, 8));
    expect(distanceFrom(golden, alone[i] as Result, 8), name).toBeLessThan(3 * Math.max(oracle.half.bf16[name], oracle.half.f16?.[name] ?? 0));
  }
  await using engine = await open(folder, { tokenBudget: 7, maxSequences: 4 });
  const together = await Promise.all(names.map((name) => run(engine, oracle.prompts[name].ids, request)));
  for (const [i, name] of names.entries()) expectSame(together[i], alone[i], `${name} in chunks of at most 7, among others`);
  // Ends in the middle of a block, which each of the group goes on with in a copy.
  const again = await Promise.all([1, 2].map(() => run(engine, oracle.prompts.len33.ids, { ...request, logits: 'sampled', group: 5 })));
  expect(engine.stats().prefixHits).toBeGreaterThan(0);
  for (const result of again) expectSame(result, alone[names.indexOf('len33')], 'len33, kept and copied');
  engine.flushPrefixes();
  expect(await engine.checkZeroed()).toMatchObject({ kv: 0, activations: 0, logits: 0, staging: 0, batch: 0 });
});

test.each(cases)('rows in q8 are refused', async (folder) => {
  await expect(open(folder, { kv: 'q8' })).rejects.toMatchObject({ code: 'model_unsupported', fields: { found: 'q8' } });
});
