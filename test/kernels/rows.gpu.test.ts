/** Softmax and top-k of rows: lengths around lanes and vectors, crafted rows, order of equal numbers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StepCounts } from '../../kernels/kernel.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { softmaxBound, softmaxReference, topKReference } from '../../kernels/rows.ref.ts';
import { softmax, topK } from '../../kernels/rows.ts';
import { compare, Gpu } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

function counts(tokens: number): StepCounts {
  return { tokens, logitRows: 0, items: 0, clears: 0, copies: 0 };
}

/** Rows of every kind: random, all equal, all zero, one huge value, denormals with both zeros, falling in steps of equal numbers. */
function craftedRows(length: number): Float32Array<ArrayBuffer>[] {
  const huge = randomFloats(length, 3);
  huge[length >> 1] = 1e30;
  return [
    randomFloats(length, 1, 4),
    new Float32Array(length).fill(-2.5),
    new Float32Array(length),
    huge,
    Float32Array.from({ length }, (_, i) => [1e-40, -0, 0, -1e-40, 1e-38][i % 5] ?? 0),
    Float32Array.from({ length }, (_, i) => -Math.floor(i / 3)),
  ];
}

/** Rows at a stride that is a multiple of 4; what fills them is larger than all numbers that count. */
function laidOut(rows: readonly Float32Array[], stride: number): Float32Array<ArrayBuffer> {
  const all = new Float32Array(rows.length * stride).fill(3e38);
  for (const [i, row] of rows.entries()) all.set(row, i * stride);
  return all;
}

const lengths = [1, 3, 4, 5, 31, 32, 33, 257, 1000];

describe.each(['buffer', 'texture'] as const)('rows in a %s', (place) => {
  it.each(lengths)('softmax of %i numbers', async (length) => {
    const rows = craftedRows(length);
    const stride = Math.ceil(length / 4) * 4 + 4;
    const x = gpu.vectors(laidOut(rows, stride), stride, place);
    const [y, again] = [0, 1].map(() => gpu.vectors(new Float32Array(rows.length * stride).fill(7), stride, place));
    if (y === undefined || again === undefined) throw new Error('no vectors');
    for (const to of [y, again]) await gpu.run([softmax(x, to, length, stride, 'tokens', gpu.lanes)], counts(rows.length));
    const got = await gpu.readVectors(y);
    expect(await gpu.readVectors(again)).toEqual(got);
    for (const [i, row] of rows.entries()) {
      const { error, message } = compare(got.subarray(i * stride, i * stride + length), softmaxReference(row));
      expect(error, `row ${i}: ${message}`).toBeLessThan(softmaxBound);
      expect([...got.subarray(i * stride + length, (i + 1) * stride)].every((value) => value === 0)).toBe(true);
    }
  });

  it.each(lengths.flatMap((length) => [1, 2, 8, 40, 300].filter((k) => k === 1 || k <= length + 10).map((k) => [k, length] as const)))(
    'the %i largest of %i numbers',
    async (k, length) => {
      // SwiftShader and lavapipe may flush denormals to zero, which are then equal: that row is checked apart.
      const rows = craftedRows(length).filter((_, i) => i !== 4);
      const stride = Math.ceil(length / 4) * 4 + 4;
      const maxRows = rows.length + 1;
      const args = {
        x: gpu.vectors(laidOut(rows, stride), stride, place),
        gathered: gpu.buffer(new Uint32Array(maxRows * k)),
        ...{ k, length, stride, maxRows, over: 'tokens' as const, lanes: gpu.lanes },
      };
      const [results, again] = [gpu.buffer(new Uint32Array(2 * maxRows * k).fill(5)), gpu.buffer(new Uint32Array(2 * maxRows * k).fill(5))];
      for (const to of [results, again]) await gpu.run([topK({ ...args, results: to })], counts(rows.length));
      const words = await gpu.readWords(results);
      expect(await gpu.readWords(again)).toEqual(words);
      const values = new Float32Array(words.buffer);
      for (const [i, row] of rows.entries()) {
        const expected = topKReference(row, k);
        const missing = Array.from({ length: k - expected.length }, () => 0xffffffff);
        expect([...words.subarray(i * k, (i + 1) * k)], `row ${i}`).toEqual([...expected, ...missing]);
        expect([...values.subarray((maxRows + i) * k, (maxRows + i) * k + expected.length)]).toEqual(expected.map((id) => row[id]));
      }
      // The row that the step does not have is untouched.
      expect([...words.subarray(rows.length * k, maxRows * k)].every((word) => word === 5)).toBe(true);
    },
  );

  it('the largest among denormals and both zeros: every id once', async () => {
    const [row = new Float32Array()] = craftedRows(33).slice(4, 5);
    const results = gpu.buffer(new Uint32Array(2 * 33));
    const args = { x: gpu.vectors(laidOut([row], 36), 36, place), results, gathered: gpu.buffer(new Uint32Array(33)), over: 'tokens' as const };
    await gpu.run([topK({ ...args, k: 33, length: 33, stride: 36, maxRows: 1, lanes: gpu.lanes })], counts(1));
    const ids = [...(await gpu.readWords(results)).subarray(0, 33)];
    expect(ids.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 33 }, (_, id) => id));
  });
});
