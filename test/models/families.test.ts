/**
 * The tiny Llama by kernels that CPU devices do not choose by themselves, and on devices that lack what others have:
 * wide matmuls and attention, matrix matmuls, no subgroups, bindings so small that every matrix is cut.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DevicePretence } from '../../runtime/device.ts';
import { cacheFolder } from '../../runtime/drivers.ts';
import { createEngine } from '../../runtime/engine.ts';
import type { Engine, EngineOptions } from '../../runtime/types.ts';
import { defaultModel } from '../../scripts/setup/model.ts';
import { distance, firstDifference, type Result, run } from '../engine-run.ts';
import { distanceFrom } from '../golden.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { sampleCases } from '../sample.ts';
import { readFixture } from '../test-data.ts';

const oracle = readOracle('gguf_llama_q4_1');
const names = ['len7', 'len33'] as const;

function open(pretence: DevicePretence, more: Partial<EngineOptions> = {}): Promise<Engine> {
  const options = { modelPath: oracle.modelPath, device: testDevice(), kv: 'f32', activations: 'f32', contextLength: 512, kvTokens: 1024 } as const;
  return createEngine({ ...options, ...more }, pretence);
}

/** Prompts alone, then side by side: tokens are the reference's, logits within its bound. */
async function check(engine: Engine, bound: number, isSameInBatch: boolean): Promise<Result[]> {
  const request = (name: (typeof names)[number]) => run(engine, oracle.prompts[name].ids, { maxTokens: 24, logits: 'sampled' });
  const alone: Result[] = [];
  for (const name of names) {
    const golden = oracle.prompts[name];
    const result = await request(name);
    alone.push(result);
    expect(result.tokens, name).toEqual(golden.greedy);
    expect(distance(result.logits[0], golden.lastLogits64), name).toBeLessThan(bound);
    expect(distance(result.logits[23], golden.greedyFinalLogits), name).toBeLessThan(bound);
  }
  const together = await Promise.all(names.map(request));
  for (const [i, name] of names.entries()) {
    expect(together[i]?.tokens, name).toEqual(oracle.prompts[name].greedy);
    if (isSameInBatch) expect(firstDifference(together[i]?.logits ?? [], alone[i]?.logits ?? []), name).toBeUndefined();
  }
  return alone;
}

/** Compiling for a CPU device takes most of it. */
const patience = 400_000;

/** By wide kernels, with and without subgroups: its lanes and its results. Once for each, whichever test asks first. */
const wide = new Map<boolean, Promise<{ readonly lanes: number; readonly results: readonly Result[] }>>();
function checkWide(withoutSubgroups: boolean): Promise<{ readonly lanes: number; readonly results: readonly Result[] }> {
  const made = wide.get(withoutSubgroups) ?? openAndCheckWide(withoutSubgroups);
  wide.set(withoutSubgroups, made);
  return made;
}

async function openAndCheckWide(withoutSubgroups: boolean): Promise<{ readonly lanes: number; readonly results: readonly Result[] }> {
  // Few tokens a step, so that few kernels are compiled: with barriers in place of shuffles each takes long.
  const few = withoutSubgroups ? { maxSequences: 2, tokenBudget: 4 } : {};
  await using engine = await open({ family: 'wide', withoutSubgroups }, few);
  // Warming up has run prompts of whole blocks, which are nobody's prefix.
  expect(engine.stats()).toMatchObject({ kvBlocksCached: 0, kvBlocksFree: engine.stats().kvBlocksTotal });
  return { lanes: engine.info.subgroupSize, results: await check(engine, 20 * oracle.tolerance, true) };
}

test.each([
  ['wide kernels', false],
  ['wide kernels without subgroups', true],
])('%s: exact, and the same alone and in a batch', { timeout: patience }, async (_, withoutSubgroups) => {
  await checkWide(withoutSubgroups);
});

test('wide kernels: the same bits with and without subgroups', { timeout: patience }, async ({ skip }) => {
  const [native, emulated] = [await checkWide(false), await checkWide(true)];
  skip(native.lanes !== emulated.lanes, `splits of the columns go by the lanes, and ${native.lanes} are not ${emulated.lanes}`);
  names.forEach((name, i) => {
    expect(firstDifference(emulated.results[i]?.logits ?? [], native.results[i]?.logits ?? []), name).toBeUndefined();
  });
});

test.for(sampleCases('matrix units of floats', ['f16', 'f32'] as const, 1))(
  'matrix kernels in emulated form, of %s',
  { timeout: patience },
  async (element, { skip }) => {
    skip(element === 'f16' && testDevice() === 'swiftshader', 'SwiftShader has no f16');
    const unit = { m: 16, n: 16, k: 16, element, form: 'emulated' } as const;
    // They add in another order than the tiles that decode, so the deterministic mode leaves them out.
    // Attention takes units where keys and values are not in f32.
    await using engine = await open({ family: 'matrix', matrixUnit: unit }, { deterministic: false, ...(element === 'f16' && { kv: 'f16' }) });
    expect(engine.info.tuning.shapes.length).toBeGreaterThan(0);
    for (const { shape, chosen } of engine.info.tuning.shapes) expect(chosen.at(-1), shape).toContain('/matrix');
    await check(engine, element === 'f32' ? 20 * oracle.tolerance : oracle.half.f16.len33, false);
  },
);

test('matrix kernels in emulated form, of int8', { timeout: patience }, async ({ skip }) => {
  skip(testDevice() === 'swiftshader', 'int8 activations need subgroups of 8, and those of SwiftShader have 4');
  const unit = { m: 16, n: 16, k: 32, element: 'i8', form: 'emulated' } as const;
  await using engine = await open({ family: 'matrix', int8Unit: unit }, { deterministic: false, activations: 'int8' });
  for (const { shape, chosen } of engine.info.tuning.shapes) expect(chosen.at(-1), shape).toContain('/matrix/16x16x32i8');
  // As near as the narrow kernels of int8: see llama.test.ts.
  for (const name of ['len33', 'long'] as const) {
    const golden = oracle.prompts[name];
    const result = await run(engine, golden.ids, { maxTokens: 1, logits: 'all' });
    expect(distanceFrom(golden, result, 1), name).toBeLessThan(3 * oracle.half.bf16[name]);
  }
  await using steady = await open({ family: 'matrix', int8Unit: unit }, { activations: 'int8' });
  for (const { shape, chosen } of steady.info.tuning.shapes) expect(chosen.at(-1), shape).toMatch(/\/wide$/);
});

const smol = join(cacheFolder(), 'models', defaultModel.file);
test(
  'SmolLM2 without subgroups: the likeliest next tokens',
  async (context) => {
    context.skip(process.env['INWARD_FULL'] !== '1', 'takes a minute: only in the full suite');
    context.skip(!existsSync(smol), 'its file is not in the cache: node scripts/setup.mjs fetches it');
    const golden = JSON.parse(readFixture('smollm2/golden.json').toString('utf8'));
    const options = { modelPath: smol, device: testDevice(), kv: 'f32', contextLength: 512, kvTokens: 512, maxSequences: 2, tokenBudget: 8 } as const;
    await using engine = await createEngine(options, { withoutSubgroups: true });
    const { ids, top20, greedy } = golden.cases[1];
    const { tokens, logprobs } = await run(engine, ids, { maxTokens: 2, logprobs: 20 });
    expect(tokens).toEqual(greedy.slice(0, 2));
    const named = new Map(logprobs[0]?.top.map(({ id, logprob }) => [id, logprob]));
    for (const [id, logprob] of top20.slice(0, 10)) expect(Math.abs((named.get(id) ?? Number.NaN) - logprob)).toBeLessThan(0.002);
  },
  patience,
);

test('bindings of 256 KiB: matrices in shards, the same tokens', async () => {
  // Pools are not cut: where they are buffers, they must fit.
  await using engine = await open({ bindingLimit: 2 ** 18 }, { contextLength: 448, kvTokens: 448 });
  await check(engine, 20 * oracle.tolerance, true);
});

test('what cannot be cut is refused with its size', async () => {
  await expect(open({ bindingLimit: 2 ** 14, family: 'wide' })).rejects.toThrow(/^The KV cache of a layer needs .+, and 16\.0 KiB are free/);
});
