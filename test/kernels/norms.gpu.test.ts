/** Norms of rows of every width, alone and added to the residual, of random and crafted rows. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rmsNormReference } from '../../kernels/activations.ref.ts';
import type { Place, Vectors } from '../../kernels/kernel.ts';
import { layerNormReference, normBound } from '../../kernels/norms.ref.ts';
import { normRows, type RowNorm } from '../../kernels/norms.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { compare, Gpu, joined } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const epsilon = 1e-5;

/** Random, random far from 0, all zero, all equal, one huge value, denormals. */
function rowsOf(columns: number): Float32Array<ArrayBuffer>[] {
  const huge = randomFloats(columns, 4);
  huge[columns - 1] = 1e15;
  return [
    randomFloats(columns, 1),
    randomFloats(columns, 2).map((value) => value * 0.1 + 3),
    new Float32Array(columns),
    new Float32Array(columns).fill(0.5),
    huge,
    randomFloats(columns, 5, 1e-40),
  ];
}

interface Case {
  readonly kind: 'rms' | 'unweighted' | 'layer';
  readonly columns: number;
  readonly place: Place;
  readonly scale?: number;
}

function normOf({ kind, columns }: Case): { norm: RowNorm; reference: (row: Float32Array) => Float64Array } {
  const [weight, bias] = [randomFloats(columns, 30), randomFloats(columns, 31)];
  if (kind === 'layer')
    return {
      norm: { kind, weight: gpu.uniform(weight), bias: gpu.uniform(bias), epsilon },
      reference: (row) => layerNormReference(row, weight, bias, epsilon),
    };
  if (kind === 'unweighted') return { norm: { kind: 'rms', epsilon }, reference: (row) => rmsNormReference(row, new Float32Array(columns).fill(1), epsilon) };
  return { norm: { kind, weight: gpu.uniform(weight), epsilon }, reference: (row) => rmsNormReference(row, weight, epsilon) };
}

async function runNorm(test: Case, rows: readonly Float32Array[], to: Vectors | undefined, norm: RowNorm): Promise<Float32Array> {
  const { columns, place, scale } = test;
  const x = gpu.vectors(joined(rows), columns, place);
  const counts = { tokens: rows.length, logitRows: 0, items: 0, clears: 0, copies: 0 };
  const outputs = [];
  for (let turn = 0; turn < 2; turn++) {
    const y = gpu.vectors(new Float32Array((rows.length + 1) * columns).fill(9), columns, place);
    await gpu.run([normRows({ x, norm, y, to, scale, columns, lanes: gpu.lanes })], counts);
    outputs.push(await gpu.readVectors(y));
  }
  const [first = new Float32Array(), second = new Float32Array(1)] = outputs;
  // Bit for bit; toEqual takes seconds for so many numbers.
  expect(Buffer.compare(Buffer.from(first.buffer), Buffer.from(second.buffer))).toBe(0);
  return first;
}

const kinds = ['rms', 'unweighted', 'layer'] as const;
const widths = [8, 12, 28, 32, 36, 576, 16_384];

describe.each(['buffer', 'texture'] as const)('rows in a %s', (place) => {
  it.each(kinds.flatMap((kind) => widths.map((columns) => ({ kind, columns }))))('$kind of $columns columns, stored and added', async (shape) => {
    const test = { ...shape, place };
    const { norm, reference } = normOf(test);
    const rows = rowsOf(shape.columns);
    const stored = await runNorm(test, rows, undefined, norm);
    const residual = rows.map((_, i) => randomFloats(shape.columns, 50 + i));
    const to = gpu.vectors(joined(residual), shape.columns, place);
    const added = await runNorm({ ...test, scale: 0.75 }, rows, to, norm);
    for (const [i, row] of rows.entries()) {
      const expected = reference(row);
      const part = (all: Float32Array): Float32Array => all.subarray(i * shape.columns, (i + 1) * shape.columns);
      const alone = compare(part(stored), expected);
      // A device may flush denormals to zero: what they give is below 1e-36 either way.
      const isTiny = i === 5 && part(stored).every((value) => Math.abs(value) < 1e-36);
      expect(isTiny || alone.error < normBound, `row ${i}: ${alone.message}`).toBe(true);
      const sum = compare(
        part(added),
        expected.map((value, column) => (value + (residual[i]?.[column] ?? 0)) * 0.75),
      );
      expect(sum.error, `row ${i} added: ${sum.message}`).toBeLessThan(normBound);
    }
    for (const all of [stored, added]) expect([...all.subarray(rows.length * shape.columns)].every((value) => value === 9)).toBe(true);
  });

  it.each([
    [8, 3],
    [256, 35],
  ])('parts of %i columns, %i in a row with 4 behind them: each by itself, added to its part of the residual', async (columns, count) => {
    const { norm, reference } = normOf({ kind: 'rms', columns, place });
    const stride = columns * count + 4;
    const [rows, residual] = [randomFloats(2 * stride, 1), randomFloats(2 * stride, 2)];
    const y = gpu.vectors(new Float32Array(3 * stride).fill(9), stride, place);
    const [x, to] = [gpu.vectors(rows, stride, place), gpu.vectors(residual, stride, place)];
    const operation = normRows({ x, norm, y, to, scale: 0.5, columns, parts: { count, stride }, lanes: gpu.lanes });
    await gpu.run([operation], { tokens: 2, logitRows: 0, items: 0, clears: 0, copies: 0 });
    const got = await gpu.readVectors(y);
    for (let part = 0; part < 2 * count; part++) {
      const start = Math.floor(part / count) * stride + (part % count) * columns;
      const own = (all: Float32Array): Float32Array => all.subarray(start, start + columns);
      const expected = reference(own(rows)).map((value, i) => (value + (own(residual)[i] ?? 0)) / 2);
      const { error, message } = compare(own(got), expected);
      expect(error, `part ${part}: ${message}`).toBeLessThan(normBound);
    }
    for (const end of [stride, 2 * stride, 3 * stride]) expect([...got.subarray(end - 4, end)]).toEqual([9, 9, 9, 9]);
  });
});
