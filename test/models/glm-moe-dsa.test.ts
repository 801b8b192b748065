/**
 * Attention over chosen tokens in the engine, on a tiny GLM-5.2 with a choice of ten: a prompt gives the same logits bit for bit whole, in chunks of any
 * size, token by token, among others, from a kept prefix and from copied blocks, below the count of choices, at it and above; and nothing is left.
 * What the configuration says of indexers is read in all its forms.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { glmMoeDsa } from '../../models/glm_moe_dsa.ts';
import { createConfigReader } from '../../runtime/checkpoint/config.ts';
import { createEngine } from '../../runtime/engine.ts';
import type { Engine, EngineOptions } from '../../runtime/types.ts';
import { firstDifference, type Result, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { readSeeded, writeSeeded } from '../seeded.ts';

const seeded = readSeeded('glm_moe_dsa');
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-glm-'));
  writeSeeded(seeded, folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;
const request = { maxTokens: 6, logits: 'all' } as const;
const open = (options: Partial<EngineOptions>): Promise<Engine> =>
  createEngine({ modelPath: folder, device: testDevice(), contextLength: 128, kvTokens: 1024, ...options });

const long = Uint32Array.from(seeded.prompts['len40']?.ids ?? []);
/** Just below the ten that are chosen, at them, above, and far above, at the edges of blocks of 16. */
const prompts = [1, 4, 9, 10, 11, 15, 16, 17, 33, 40].map((length) => long.slice(0, length));

/** Where only logits of sampled tokens were asked for, those. */
function expectSame(got: Result | undefined, expected: Result | undefined, what: string): void {
  expect(got?.tokens, what).toEqual(expected?.tokens);
  expect(firstDifference(got?.logits ?? [], expected?.logits.slice(-(got?.logits.length ?? 0)) ?? []), what).toBeUndefined();
}

test('the same bits whole, in chunks, token by token, among others, from a prefix and from copies; then zeros', { timeout: patience }, async () => {
  const alone: Result[] = [];
  {
    await using engine = await open({ prefixSeconds: 0, maxSequences: 1, draftLength: 0 });
    for (const ids of prompts) alone.push(await run(engine, ids, request));
    // The prompt and what came of it, whole: what was decoded token by token.
    const last = alone.at(-1);
    const whole = await run(engine, Uint32Array.of(...long, ...(last?.tokens.slice(0, 5) ?? [])), { maxTokens: 1, logits: 'all' });
    expect(firstDifference(whole.logits, last?.logits ?? [])).toBeUndefined();
  }
  for (const tokenBudget of [1, 3]) {
    await using engine = await open({ tokenBudget, maxSequences: 1, prefixSeconds: 0 });
    expectSame(await run(engine, long, request), alone.at(-1), `in chunks of ${tokenBudget}`);
  }
  await using engine = await open({ tokenBudget: 13, maxSequences: 6 });
  const together = await Promise.all(prompts.map((ids) => run(engine, ids, request)));
  for (const [i, result] of together.entries()) expectSame(result, alone[i], `${prompts[i]?.length} tokens in chunks of at most 13, among others`);
  // Ends in the middle of a block, which each of the group goes on with in a copy.
  const again = await Promise.all([1, 2].map(() => run(engine, prompts[8] ?? long, { ...request, logits: 'sampled', group: 5 })));
  expect(engine.stats().prefixHits).toBeGreaterThan(0);
  for (const result of again) expectSame(result, alone[8], 'kept and copied');
  engine.flushPrefixes();
  expect(await engine.checkZeroed()).toMatchObject({ kv: 0, activations: 0, logits: 0, staging: 0, batch: 0 });
});

describe('what the configuration says of indexers', () => {
  const read = (more: object): ReturnType<typeof glmMoeDsa.readConfig> => glmMoeDsa.readConfig(createConfigReader({ ...seeded.config, ...more } as never));
  const indexersOf = (more: object): string =>
    read({ indexer_types: null, num_hidden_layers: 8, ...more })
      .caches.map((cache) => (cache.kind === 'latent' && cache.indexLength !== undefined ? 'F' : 'S'))
      .join('');

  it.each([
    ['none', {}, 'FFFFFFFF'],
    ['one in four, behind the first three', { index_topk_freq: 4, index_skip_topk_offset: 3 }, 'FFFSSSFS'],
    ['a letter a layer, whatever else it says', { index_topk_pattern: 'FSSFSFSS', index_topk_freq: 4 }, 'FSSFSFSS'],
    ['a list, whatever else it says', { indexer_types: [...Array(7).fill('full'), 'shared'], index_topk_pattern: 'FSSSSSSS' }, 'FFFFFFFS'],
  ])('%s', (_, more, expected) => {
    // The freq that the seeded configuration has is GLM-5.2's.
    expect(indexersOf({ index_topk_freq: 1, index_skip_topk_offset: 2, ...more })).toBe(expected);
  });

  it.each([
    ['indexer_types', { indexer_types: ['shared', 'full', 'full', 'full'] }],
    ['indexer_types', { indexer_types: ['full', 'half', 'full', 'full'] }],
    ['indexer_types', { indexer_types: ['full'] }],
    ['index_head_dim', { index_head_dim: 12 }],
    ['index_head_dim', { index_head_dim: 8 }],
    ['index_n_heads', { index_n_heads: 6 }],
    ['index_topk', { index_topk: 0 }],
    ['q_lora_rank', { q_lora_rank: null }],
  ])('%s is refused: %o', (key, more) => {
    expect(() => read(more)).toThrow(key);
  });

  it('DeepSeek-V3.2 turns halves of index keys, GLM pairs, unless it says other', () => {
    const pairsOf = (more: object): unknown => (read(more) as { readonly index?: { readonly pairs?: string } } & object).index?.pairs;
    expect(
      [{ model_type: 'deepseek_v32', indexer_rope_interleave: null }, { indexer_rope_interleave: null }, { indexer_rope_interleave: false }].map(pairsOf),
    ).toEqual(['halfSplit', 'interleaved', 'halfSplit']);
  });
});
