/** Every operation of the kernel bench with small sizes: that its set-up computes what it says, and gives a time. Speed is not judged. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Case, kindNames, nameCase } from '../../bench/suite/cases.ts';
import { Suite } from '../../bench/suite/run.ts';
import { elementwiseBound } from '../../kernels/activations.ref.ts';
import { attentionBound } from '../../kernels/attention.ref.ts';
import { compressedBound } from '../../kernels/compressed.ref.ts';
import { deltaBound } from '../../kernels/delta.ref.ts';
import { routerBound } from '../../kernels/router.ref.ts';
import { streamsBound } from '../../kernels/streams.ref.ts';
import { matmulF32Bound, matmulInt8Bound } from '../../kernels/weights.ref.ts';
import { Gpu, testDevice } from '../gpu.ts';

let gpu: Gpu;
let suite: Suite;
beforeAll(async () => {
  gpu = await Gpu.create();
  suite = new Suite(gpu.open);
});
afterAll(() => gpu.open[Symbol.dispose]());

/** With the error that the kernel's own tests allow. */
const cases: readonly (readonly [Case, bound: number])[] = [
  [{ kind: 'matmul', storage: 'Q5_0', rows: 68, columns: 96, tokens: 3 }, matmulF32Bound],
  // More rows than are made at random.
  [{ kind: 'matmul', storage: 'Q5_0', rows: 8292, columns: 96, tokens: 1 }, matmulF32Bound],
  [{ kind: 'gate and up', storage: 'Q4_1', rows: 64, columns: 96, tokens: 3 }, matmulF32Bound],
  [{ kind: 'matmul', storage: 'Q4_K', rows: 68, columns: 256, tokens: 3, activations: 'int8' }, matmulInt8Bound],
  [{ kind: 'embed', storage: 'Q4_K', rows: 40, columns: 256, tokens: 3 }, matmulF32Bound],
  [{ kind: 'repack', storage: 'Q6_K', rows: 64, columns: 256 }, matmulF32Bound],
  // With a grid.
  [{ kind: 'repack', storage: 'IQ3_S', rows: 36, columns: 512 }, matmulF32Bound],
  // Several tensors: packed along columns and rows, scales of groups, of blocks of 128 x 128, of runs.
  ...(['AWQ', 'GPTQ3', 'CT_INT8', 'FP8', 'FP4', 'NF4'] as const).flatMap((storage): [Case, number][] => [
    [{ kind: 'matmul', storage, rows: 160, columns: 96, tokens: 3 }, matmulF32Bound],
    [{ kind: 'repack', storage, rows: 160, columns: 96 }, matmulF32Bound],
  ]),
  [{ kind: 'attention', heads: 4, kvHeads: 2, headLength: 32, kv: 'f16', positions: 300, tokens: 1 }, attentionBound],
  [{ kind: 'attention', heads: 4, kvHeads: 2, headLength: 32, kv: 'f32', positions: 40, tokens: 5 }, attentionBound],
  [{ kind: 'attention', heads: 4, kvHeads: 1, headLength: 40, latentLength: 32, kv: 'f16', positions: 40, tokens: 5 }, attentionBound],
  [{ kind: 'latent queries', storage: 'Q4_0', heads: 2, rows: 32, columns: 64, tokens: 3 }, matmulF32Bound],
  [{ kind: 'head matmul', storage: 'Q4_0', heads: 3, rows: 32, columns: 64, tokens: 3 }, matmulF32Bound],
  [{ kind: 'attention', heads: 4, kvHeads: 1, headLength: 40, latentLength: 32, topK: 9, kv: 'f16', positions: 40, tokens: 3 }, attentionBound],
  ...([1, 4] as const).flatMap((entryTokens): [Case, number][] => [
    [{ kind: 'index scores', entryTokens, entries: 40, heads: 8, length: 32, tokens: 3 }, matmulF32Bound],
    [{ kind: 'index choice', entryTokens, entries: 40, topK: 7, tokens: 3 }, 0],
  ]),
  [{ kind: 'compressed attention', heads: 4, headLength: 32, window: 8, ratio: 4, positions: 96, topK: 7, tokens: 3 }, compressedBound],
  [{ kind: 'compressed attention', heads: 4, headLength: 32, window: 8, ratio: 128, positions: 384, topK: 3, tokens: 1 }, compressedBound],
  [{ kind: 'streams', columns: 96, turns: 6, tokens: 3 }, streamsBound],
  [{ kind: 'expert table', experts: 16, topK: 3, tokens: 5 }, routerBound],
  [{ kind: 'delta rule', keyHeads: 2, valueHeads: 4, keyLength: 32, valueLength: 16, tokens: 5 }, deltaBound],
  [{ kind: 'gated', columns: 96, tokens: 2 }, elementwiseBound],
  [{ kind: 'sample', vocabulary: 1000, rows: 3, isDrawn: false }, 0],
  [{ kind: 'sample', vocabulary: 1000, rows: 3, isDrawn: true }, 0],
];

test('no operation is left out', () => {
  expect(new Set(cases.map(([{ kind }]) => kind))).toEqual(new Set(kindNames));
});

test.for(cases.map(([one, bound]) => [nameCase(one), one, bound] as const))('%s', async ([, one, bound]) => {
  const { name, ms, quickestMs, error, kernels } = await suite.run(one);
  expect(name).toBe(nameCase(one));
  expect(error).toBeLessThanOrEqual(bound);
  expect(quickestMs).toBeGreaterThan(0);
  expect(ms).toBeGreaterThanOrEqual(quickestMs);
  expect(kernels.length).toBeGreaterThan(0);
});

test('a device of another family is measured with the kernels of that family', async () => {
  const matrixUnit = { m: 8, n: 8, k: 8, element: 'f32', form: 'emulated' } as const;
  const other = await Gpu.create(testDevice(), { family: 'matrix', matrixUnit });
  onTestFinished(() => other.open[Symbol.dispose]());
  const onMatrix = new Suite(other.open);
  const found: string[][] = [];
  for (const [one, bound] of [
    [{ kind: 'matmul', storage: 'Q4_0', rows: 68, columns: 96, tokens: 2 }, matmulF32Bound],
    [{ kind: 'gate and up', storage: 'Q4_1', rows: 64, columns: 96, tokens: 9 }, elementwiseBound],
    [{ kind: 'attention', heads: 4, kvHeads: 2, headLength: 32, kv: 'f16', positions: 40, tokens: 5 }, attentionBound],
  ] as const) {
    const { error, kernels } = await onMatrix.run(one);
    expect(error, nameCase(one)).toBeLessThanOrEqual(bound);
    found.push([...kernels]);
  }
  expect(found).toEqual([
    [expect.stringMatching(/^matmul\/.*\/wide$/)],
    [expect.stringMatching(/^matmul\/.*\/matrix\/8x8x8f32-emulated$/)],
    [expect.stringMatching(/^attention\/.*\/wide$/)],
  ]);
});
