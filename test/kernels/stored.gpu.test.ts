/**
 * Storages that are several tensors: repacked and looked up on the device, every number against the reference bit for bit. Rows that end
 * within a word, a tile, a block of 128; columns past a block of 128; all kinds of scales; columns in an order of their own; halves of heads.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rmsNormReference } from '../../kernels/activations.ref.ts';
import { embed } from '../../kernels/embed.ts';
import { matmul } from '../../kernels/matmul.ts';
import { permute } from '../../kernels/permute.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { randomStored, type StoredOptions } from '../../kernels/random_stored.ref.ts';
import { smallestNormal, storedRow } from '../../kernels/stored.ref.ts';
import { matmulF32Bound, matvecReference } from '../../kernels/weights.ref.ts';
import type { StripStorage } from '../../kernels/weights.ts';
import { compare, Gpu, joined } from '../gpu.ts';
import { packMatrix } from '../packed.ts';
import { findStored } from '../stored.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const heads = { headLength: 16, rotaryLength: 12 };
const cases: readonly (readonly [StripStorage, rows: number, columns: number, StoredOptions])[] = [
  ['AWQ', 8, 32, {}],
  ['AWQ', 104, 160, { group: 64, scales: 'BF16' }],
  ['AWQ', 72, 96, { group: 96 }],
  ['AWQ', 64, 64, { heads }],
  ...(['GPTQ2', 'GPTQ3', 'GPTQ4', 'GPTQ8'] as const).flatMap((storage) =>
    (
      [
        [32, 32, {}],
        [96, 160, { group: 64, scales: 'BF16', zeroBias: 0 }],
        [64, 96, { hasOrder: true }],
        [64, 160, { hasOrder: true, group: 64, zeroBias: 0 }],
        [64, 64, { group: 64, heads }],
      ] as const
    ).map(([rows, columns, options]) => [storage, rows, columns, options] as const),
  ),
  ...(['CT_INT4', 'CT_INT8'] as const).flatMap((storage) =>
    (
      [
        [1, 32, {}],
        [37, 96, { scales: 'BF16', hasZeros: true }],
        [70, 128, { group: 128, hasZeros: true }],
        [33, 64, { group: 64, hasOrder: true, hasZeros: true }],
        [48, 64, { hasOrder: true, heads }],
      ] as const
    ).map(([rows, columns, options]) => [storage, rows, columns, options] as const),
  ),
  ['FP8', 1, 32, { group: 'tensor', scales: 'BF16' }],
  ['FP8', 35, 96, { group: 'channel', scales: 'F16' }],
  ['FP8', 35, 96, { group: 'channel', scales: 'F32' }],
  ['FP8', 129, 160, { group: 'block' }],
  ['FP8', 261, 288, { group: 'block', scales: 'BF16' }],
  ['FP8', 261, 288, { group: 'block', scales: 'F8_E8M0' }],
  ['FP8', 144, 160, { group: 'block', heads }],
  ['FP4', 1, 32, {}],
  ['FP4', 37, 160, {}],
  ['FP4', 38, 96, { isBlocks: true }],
  ['FP4', 48, 64, { heads }],
  ['NF4', 1, 64, {}],
  ['NF4', 77, 96, {}],
  ['NF4', 101, 160, { isNested: true }],
  ['NF4', 41, 96, { group: 256, isNested: true }],
  ['NF4', 48, 64, { heads }],
];

const layout = { BATCH_IDS: 8, BATCH_POSITIONS: 280, BATCH_SLOTS: 280, BATCH_LOGIT_TOKENS: 280 };

/** Where each row of the files is in the packed matrix: pairs of a head's halves side by side. */
function sourceRow(row: number, options: StoredOptions): number {
  if (options.heads === undefined) return row;
  const { headLength, rotaryLength } = options.heads;
  const inHead = row % headLength;
  if (inHead >= rotaryLength) return row;
  return row - inHead + (inHead % 2 === 0 ? inHead / 2 : (inHead - 1) / 2 + rotaryLength / 2);
}

const label = (options: StoredOptions): string =>
  Object.entries(options)
    .map(([key, value]) => `${key} ${typeof value === 'object' ? 'halves' : value}`)
    .join(', ');

describe.each(cases.map(([storage, rows, columns, options], i) => ({ storage, rows, columns, options, is: label(options), seed: i + 1 })))(
  '$storage $rows x $columns $is',
  ({ storage, rows, columns, options, seed }) => {
    const example = randomStored(storage, rows, columns, seed, options);
    const place = seed % 2 === 0 ? 'texture' : 'buffer';

    it('every number, bit for bit', async () => {
      const stored = findStored(example, options.heads);
      expect(stored.storage).toBe(storage);
      const matrix = await packMatrix(gpu, storage, stored, rows, columns, { place });
      const words = new Uint32Array(288);
      words.set([rows]);
      words.set(
        Array.from({ length: rows }, (_, row) => row),
        layout.BATCH_IDS,
      );
      const found = gpu.vectors(new Float32Array(rows * columns).fill(Number.NaN), columns, place);
      await gpu.run(embed({ ...matrix }, found, gpu.buffer(words), gpu.lanes, layout), { tokens: rows, logitRows: 0, items: 0, clears: 0, copies: 0 });
      const got = await gpu.readVectors(found);
      const order = stored.order ?? Uint32Array.from({ length: columns }, (_, column) => column);
      const wrong: string[] = [];
      for (let row = 0; row < rows; row++) {
        const expected = storedRow(storage, example.matrix, sourceRow(row, options));
        for (let place = 0; place < columns; place++) {
          const value = Math.fround(expected[order[place] ?? 0] ?? Number.NaN);
          const is = got[row * columns + place];
          if (is !== value && !(is === 0 && Math.abs(value) < smallestNormal)) wrong.push(`row ${row}, column ${order[place]}: ${is} instead of ${value}`);
        }
      }
      expect(wrong.slice(0, 5)).toEqual([]);
    });
  },
);

describe.each(['FP8', 'FP4'] as const)('%s with every power of two as a scale', (storage) => {
  it('every number, but for those that a device flushes to zero', async () => {
    const [rows, columns] = storage === 'FP4' ? [8, 1024] : [128, 128 * 16];
    const example = randomStored(storage, rows, columns, 5, { scales: 'F8_E8M0', group: 'block' });
    const scales = example.matrix.tensors.get(storage === 'FP4' ? '.scale' : '.weight_scale_inv');
    // 255 is not a number; 2^(246 - 127) * 448 is the largest below what f32 holds.
    const exponents =
      storage === 'FP4' ? Array.from({ length: 256 }, (_, e) => Math.min(e, 252)) : [0, 1, 2, 3, 8, 9, 20, 60, 120, 127, 128, 200, 240, 244, 245, 246];
    scales?.bytes.set(exponents);
    const matrix = await packMatrix(gpu, storage, findStored(example), rows, columns);
    const words = new Uint32Array(288);
    words.set(
      Array.from({ length: rows }, (_, row) => row),
      layout.BATCH_IDS,
    );
    const found = gpu.buffer(new Float32Array(rows * columns).fill(Number.NaN));
    await gpu.run(embed(matrix, found, gpu.buffer(words), gpu.lanes, layout), { tokens: rows, logitRows: 0, items: 0, clears: 0, copies: 0 });
    const got = await gpu.readFloats(found);
    // A subnormal scale may be flushed: 2^-127, and for FP4, whose codes name twice the value, all below 2^-125.
    const flushed = storage === 'FP4' ? 12 * smallestNormal : 448 * smallestNormal;
    const wrong: string[] = [];
    for (let row = 0; row < rows; row++) {
      storedRow(storage, example.matrix, row).forEach((value, column) => {
        const is = got[row * columns + column];
        if (is !== Math.fround(value) && !(is === 0 && Math.abs(value) < flushed)) wrong.push(`row ${row}, column ${column}: ${is} instead of ${value}`);
      });
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });
});

it.each([
  ['GPTQ4', 'buffer'],
  ['GPTQ3', 'texture'],
  ['CT_INT8', 'texture'],
] as const)('%s in an order of its own, in a %s: activations gathered, normed, multiplied', async (storage, place) => {
  const [rows, columns, tokens] = [64, 160, 5];
  const example = randomStored(storage, rows, columns, 11, { hasOrder: true });
  const matrix = await packMatrix(gpu, storage, findStored(example), rows, columns, { place });
  if (matrix.order === undefined) throw new Error('no order');
  const weights = Array.from({ length: rows }, (_, row) => storedRow(storage, example.matrix, row));
  const x = Array.from({ length: tokens }, (_, token) => randomFloats(columns, token + 1));
  const norm = randomFloats(columns, 9);
  const words = new Uint32Array(288);
  const logitTokens = [3, 0, 4];
  words.set([tokens, logitTokens.length]);
  words.set(logitTokens, layout.BATCH_LOGIT_TOKENS);
  const batch = gpu.buffer(words);
  const counts = { tokens, logitRows: logitTokens.length, items: 0, clears: 0, copies: 0 };
  const input = gpu.vectors(joined(x), columns, place);
  const common = { batch, lanes: gpu.lanes, layout };
  for (const [over, weight, inputs] of [
    ['tokens', undefined, x],
    ['tokens', norm, x.map((row) => rmsNormReference(row, norm, 1e-5))],
    ['logitRows', norm, logitTokens.map((token) => rmsNormReference(x[token] ?? [], norm, 1e-5))],
  ] as const) {
    const permuted = gpu.vectors(new Float32Array(tokens * columns), columns, place);
    const y = gpu.buffer(new Float32Array(tokens * rows));
    const operation = permute({
      x: input,
      order: matrix.order,
      y: permuted,
      norm: weight && { weight: gpu.uniform(weight), epsilon: 1e-5 },
      columns,
      over,
      ...common,
    });
    await gpu.run(
      [operation, ...matmul(matrix, { x: { format: 'f32', vectors: permuted }, finish: { kind: 'store', y, stride: rows }, offset: 0, over, ...common })],
      counts,
    );
    const got = (await gpu.readFloats(y)).subarray(0, inputs.length * rows);
    const { error, message } = compare(got, Float64Array.from(inputs.flatMap((row) => Array.from(matvecReference(weights, row)))));
    expect(error, message).toBeLessThan(matmulF32Bound);
  }
});
