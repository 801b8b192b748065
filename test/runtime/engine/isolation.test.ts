/** Tenants share nothing but the device: no hit across tenants or salts, none lost by another's flood, and the same tokens for all. */
import { expect, test, vi } from 'vitest';
import { createRandom, drawInteger } from '../../../bench/serve/random.ts';
import { createEngine } from '../../../runtime/engine.ts';
import type { Engine, EngineOptions, GenerateRequest } from '../../../runtime/types.ts';
import { run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { readOracle } from '../../oracle.ts';

// Several engines a test, whose kernels SwiftShader compiles for long.
vi.setConfig({ testTimeout: 600_000 });
const oracle = readOracle('gguf_llama_q4_1');
const open = (options: Partial<EngineOptions>): Promise<Engine> =>
  createEngine({ modelPath: oracle.modelPath, device: testDevice(), contextLength: 512, kvTokens: 4096, ...options });
const blockLength = 16;
const maxTokens = 8;
const draw = (length: number, seed: number): Uint32Array => {
  const random = createRandom(seed);
  return Uint32Array.from({ length }, () => drawInteger(random, 180, 360));
};
/** Full blocks and one token more: all but the last can be found. */
const prompt = draw(20 * blockLength + 1, 1);
const found = prompt.length - 1;

/** Tokens of it that were kept from before, by the request itself and by the tenant's counters. */
async function ask(engine: Engine, rest: Partial<GenerateRequest>): Promise<{ tokens: number[]; hits: number }> {
  const hitsOf = (): number => engine.stats().tenants.find(({ tenant }) => tenant === (rest.tenant ?? 0))?.prefixHits ?? 0;
  const before = hitsOf();
  const { tokens } = await run(engine, prompt, { maxTokens, ...rest });
  return { tokens, hits: hitsOf() - before };
}

test('a long prompt of one tenant is found by himself alone, and with the same salt alone', async () => {
  await using plain = await open({ prefixSeconds: 0, draftLength: 0 });
  const { tokens } = await run(plain, prompt, { maxTokens });
  await using engine = await open({});
  const [one, two] = [Uint32Array.of(1), Uint32Array.of(2)];
  const rows: readonly [Partial<GenerateRequest>, number][] = [
    [{ tenant: 1 }, 0],
    [{ tenant: 2 }, 0],
    [{ tenant: 0xffff_ffff }, 0],
    [{ tenant: 1 }, found],
    [{ tenant: 2 }, found],
    [{ tenant: 1, cacheSalt: one }, 0],
    [{ tenant: 1, cacheSalt: two }, 0],
    [{ tenant: 2, cacheSalt: one }, 0],
    [{ tenant: 1, cacheSalt: one }, found],
    [{ tenant: 1, cacheSalt: two }, found],
    // A tenant and a salt are not the same words in another order.
    [{ tenant: 3, cacheSalt: one }, 0],
    [{ tenant: 1, cacheSalt: Uint32Array.of(3) }, 0],
    [{ tenant: 1, keepsPrefix: false }, 0],
    [{ tenant: 4, keepsPrefix: false }, 0],
    [{ tenant: 4 }, 0],
    [{ tenant: 1 }, found],
  ];
  for (const [rest, hits] of rows) {
    const what = JSON.stringify({ ...rest, cacheSalt: rest.cacheSalt && [...rest.cacheSalt] });
    expect(await ask(engine, rest), what).toEqual({ tokens, hits });
  }
  // At the same time too, and a flush reaches only whom it names.
  engine.flushPrefixes(1);
  const together = await Promise.all([1, 2].map((tenant) => ask(engine, { tenant })));
  expect(together).toEqual([
    { tokens, hits: 0 },
    { tokens, hits: found },
  ]);
});

test('a flood of one tenant takes nothing of what another keeps', async () => {
  await using engine = await open({ prefixQuota: 30 });
  const first = await ask(engine, { tenant: 2 });
  const other = draw(64, 2);
  for (let round = 0; round < 3; round++) {
    // In each round more than all blocks there are; several at once, some with salts.
    const flood = Array.from({ length: 12 }, (_, i) =>
      run(engine, draw(400, 100 * (round + 1) + i), { maxTokens: 4, tenant: 1, ...(i % 3 === 0 && { cacheSalt: Uint32Array.of(i) }) }),
    );
    const beside = run(engine, other, { maxTokens, tenant: 2 });
    await Promise.all([...flood, beside]);
    expect(await ask(engine, { tenant: 2 }), `round ${round}`).toEqual({ tokens: first.tokens, hits: found });
  }
  const [flooding, quiet] = [1, 2].map((number) => engine.stats().tenants.find(({ tenant }) => tenant === number));
  expect(flooding?.evictedBlocks).toBeGreaterThan(0);
  expect(quiet?.evictedBlocks).toBe(0);
  expect(flooding?.cachedBlocks).toBeLessThanOrEqual(engine.stats().kvBlocksTotal * 0.3);
});
