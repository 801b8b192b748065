/** What becomes of a matmul's sums: bias before everything, scale, activation functions, gated units; and gated units of rows. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ropeReference } from '../../kernels/attention.ref.ts';
import { dequantizeRow } from '../../kernels/formats.ref.ts';
import { activationReference, errorFunction, gatedBound, gatedReference } from '../../kernels/gated.ref.ts';
import { type ActivationFunction, type Gate, gated, gatedRows, gates } from '../../kernels/gated.ts';
import type { Place } from '../../kernels/kernel.ts';
import { type Finish, matmul } from '../../kernels/matmul.ts';
import { randomFileRows, randomFloats } from '../../kernels/random.ref.ts';
import { matmulF32Bound, matvecReference } from '../../kernels/weights.ref.ts';
import type { PackedMatrix, StorageWithKernels } from '../../kernels/weights.ts';
import { compare, Gpu, joined } from '../gpu.ts';
import { packMatrix } from '../packed.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const layout = { BATCH_POSITIONS: 8, BATCH_SLOTS: 24, BATCH_LOGIT_TOKENS: 40 };
const functions: ActivationFunction[] = ['none', 'silu', 'gelu', 'gelu_tanh', 'gelu_quick', 'relu', 'relu_squared', 'sigmoid', 'tanh', 'soft_cap'];
const places = ['buffer', 'texture'] as const;
const isFull = process.env['INWARD_FULL'] === '1';

async function makeMatrix(
  storage: StorageWithKernels,
  rows: number,
  columns: number,
  place: Place,
  isWhole = true,
): Promise<{ matrix: PackedMatrix; weights: Float64Array[] }> {
  const file = randomFileRows(storage, rows, columns, rows + columns);
  const rowSize = file.byteLength / rows;
  return {
    matrix: await packMatrix(gpu, storage, file, rows, columns, { place, isWhole }),
    weights: Array.from({ length: rows }, (_, row) => dequantizeRow(storage, file.subarray(row * rowSize, (row + 1) * rowSize), columns)),
  };
}

interface Product {
  readonly matrix: PackedMatrix;
  readonly x: readonly Float32Array[];
  readonly place: Place;
  readonly bias?: Float32Array<ArrayBuffer>;
  readonly offset?: number;
}

async function multiply({ matrix, x, place, bias, offset = 0 }: Product, finish: Finish, batch = new Uint32Array(56)): Promise<void> {
  batch[0] = x.length;
  const args = {
    x: { format: 'f32' as const, vectors: gpu.vectors(joined(x), matrix.columns, place) },
    bias: bias && gpu.buffer(bias),
    ...{ finish, offset, over: 'tokens' as const, batch: gpu.buffer(batch), lanes: gpu.lanes, layout },
  };
  await gpu.run(matmul(matrix, args), { tokens: x.length, logitRows: 0, items: 0, clears: 0, copies: 0 });
}

it('the reference has the error function of the tables (Abramowitz and Stegun 1964, table 7.1)', () => {
  for (const [x, value] of [
    [0, 0],
    [0.1, 0.112462916],
    [0.5, 0.5204998778],
    [1, 0.8427007929],
    [-2, -0.995322265],
    [3, 0.999977909503],
  ] as const)
    expect(Math.abs(errorFunction(x) - value)).toBeLessThan(1e-9);
});

/** Every other one in each place: a driver compiles each for a second or two. */
function shareOf<T>(all: readonly T[], place: Place): T[] {
  return all.filter((_, i) => isFull || i % 2 === places.indexOf(place));
}

describe.each(places)('in a %s', (place) => {
  it.each([
    [1, 'Q4_1'],
    [2, 'F16'],
    [13, 'F16'],
  ] as const)('bias of %i tokens, %s: stored and added, scaled; shards and rows beside the matrix', async (tokens, storage) => {
    const rows = 133;
    const { matrix, weights } = await makeMatrix(storage, rows, 64, place, false);
    const x = Array.from({ length: tokens }, (_, token) => randomFloats(64, token + 1));
    const stride = 4 + 136 + 4;
    // One for each row of y: the matrix's own begin at 4.
    const bias = randomFloats(stride, 8);
    const before = randomFloats(tokens * stride, 9);
    const [stored, added, to] = [before, new Float32Array(before.length), before].map((data) => gpu.vectors(data, stride, place));
    if (stored === undefined || added === undefined || to === undefined) throw new Error('no vectors');
    await multiply({ matrix, x, place, bias, offset: 4 }, { kind: 'store', y: stored, stride, scale: 0.125 });
    await multiply({ matrix, x, place, bias, offset: 4 }, { kind: 'add', y: added, to, stride, scale: -3 });
    const sums = x.map((row) => matvecReference(weights, row));
    const sumAt = (i: number): number => (sums[Math.floor(i / stride)]?.[(i % stride) - 4] ?? Number.NaN) + (bias[i % stride] ?? 0);
    const isOwn = (i: number): boolean => i % stride >= 4 && i % stride < 4 + rows;
    const isFilling = (i: number): boolean => i % stride >= 4 + rows && i % stride < 4 + 136;
    for (const [got, expected] of [
      [await gpu.readVectors(stored), (value: number, i: number) => (isFilling(i) ? value : isOwn(i) ? sumAt(i) * 0.125 : (before[i] ?? 0))],
      [await gpu.readVectors(added), (value: number, i: number) => (isFilling(i) ? value : isOwn(i) ? (before[i] ?? 0) - 3 * sumAt(i) : 0)],
    ] as const) {
      const { error, message } = compare(got, Float64Array.from(got, expected));
      expect(error, message).toBeLessThan(matmulF32Bound);
    }
  });

  it.each(shareOf(functions, place))('%s of stored sums', async (activation) => {
    const { matrix, weights } = await makeMatrix('Q4_1', 48, 32, place);
    // Sums from tiny to far past where each function is flat.
    const x = [randomFloats(32, 1, 0.5), randomFloats(32, 2, 1e-3), randomFloats(32, 3, 30), new Float32Array(32)];
    for (const [i, row] of x.entries()) {
      // A token at a time: the smallest tile, which compiles fastest.
      const y = gpu.vectors(new Float32Array(48), 48, place);
      await multiply({ matrix, x: [row], place }, { kind: 'store', y, stride: 48, activation, limit: 30 });
      const expected = matvecReference(weights, row).map((sum) => activationReference(activation, sum, 30));
      const { error, message } = compare(await gpu.readVectors(y), expected);
      expect(error, `row ${i}: ${message}`).toBeLessThan(gatedBound);
    }
  });

  const forms: [string, Gate][] = [...Object.entries(gates), ['limited swiglu', { activation: 'silu', limit: 0.7 }], ['relu', { activation: 'relu_squared' }]];
  it.each(shareOf(forms, place).map(([name, gate], i) => [name, i === 0 ? 5 : 1, gate] as const))(
    '%s of gate and up with biases, %i tokens',
    async (_, tokens, gate) => {
      const { matrix, weights } = await makeMatrix('Q4_1', 88, 64, place);
      const x = Array.from({ length: tokens }, (__, token) => randomFloats(64, token + 1));
      const bias = randomFloats(88, 4, 2);
      const y = gpu.vectors(new Float32Array(tokens * 44), 44, place);
      await multiply({ matrix, x, place, bias }, { kind: 'gated', y, gate });
      // Quads of gate and up take turns.
      const isUp = (row: number): boolean => Math.floor(row / 4) % 2 === 1;
      const expected = x.map((row) => {
        const sums = matvecReference(weights, row).map((sum, i) => sum + (bias[i] ?? 0));
        return gatedReference(
          sums.filter((__, i) => !isUp(i)),
          sums.filter((__, i) => isUp(i)),
          gate,
        );
      });
      const { error, message } = compare(await gpu.readVectors(y), joined(expected));
      expect(error, message).toBeLessThan(gatedBound);
    },
  );

  it.each(forms)('%s of rows that hold gate and up, around the vectors of a workgroup', async (_, gate) => {
    for (const columns of [4, 32, 4 * 8 * gpu.lanes - 4, 4 * 8 * gpu.lanes, 4 * 8 * gpu.lanes + 4]) {
      const rows = [randomFloats(2 * columns, 1, 3), new Float32Array(2 * columns), randomFloats(2 * columns, 2, 1e-40), randomFloats(2 * columns, 3, 1e4)];
      const y = gpu.vectors(new Float32Array((rows.length + 1) * columns).fill(6), columns, place);
      const operation = gated(gpu.vectors(joined(rows), 2 * columns, place), y, columns, gate, gpu.lanes);
      await gpu.run([operation], { tokens: rows.length, logitRows: 0, items: 0, clears: 0, copies: 0 });
      const got = await gpu.readVectors(y);
      const expected = rows.map((row) => gatedReference(row.subarray(0, columns), row.subarray(columns), gate));
      for (const [i, row] of expected.entries()) {
        const own = got.subarray(i * columns, (i + 1) * columns);
        const { error, message } = compare(own, row);
        // Of denormal gates and ups the products are below what f32 holds, or (up + 1) * gate is, which a device may flush.
        expect(i === 2 ? own.every((value) => Math.abs(value) < 1e-37) : error < gatedBound, `row ${i}: ${message}`).toBe(true);
      }
      expect([...got.subarray(rows.length * columns)].every((value) => value === 6)).toBe(true);
    }
  });

  it('gate of rows of its own by a part of longer rows, zeros behind', async () => {
    const [columns, stride, start] = [16, 4 * 8 * gpu.lanes + 40, 4 * 8 * gpu.lanes];
    const padded = 4 * 8 * gpu.lanes + 32;
    const [gateRows, upRows] = [1, 2].map((seed) => [0, 1, 2].map((row) => randomFloats(seed === 1 ? 20 : stride, 10 * seed + row))) as [
      Float32Array[],
      Float32Array[],
    ];
    const y = gpu.vectors(new Float32Array(4 * padded).fill(6), padded, place);
    const operation = gatedRows({
      gate: { rows: gpu.vectors(joined(gateRows), 20, place), stride: 20 },
      up: { rows: gpu.vectors(joined(upRows), stride, place), stride, start },
      y: { rows: y, stride: padded },
      columns,
      unit: gates.gegluTanh,
      lanes: gpu.lanes,
    });
    await gpu.run([operation], { tokens: 3, logitRows: 0, items: 0, clears: 0, copies: 0 });
    const got = await gpu.readVectors(y);
    for (let row = 0; row < 3; row++) {
      const expected = gatedReference(gateRows[row]?.subarray(0, columns) ?? [], upRows[row]?.subarray(start, start + columns) ?? [], gates.gegluTanh);
      const { error, message } = compare(got.subarray(row * padded, row * padded + columns), expected);
      expect(error, `row ${row}: ${message}`).toBeLessThan(gatedBound);
      expect([...got.subarray(row * padded + columns, (row + 1) * padded)].every((value) => value === 0)).toBe(true);
    }
    expect([...got.subarray(3 * padded)].every((value) => value === 6)).toBe(true);
  });

  it('biased queries, keys and values before they are turned', async () => {
    const [heads, headLength, tokens] = [2, 16, 3];
    const width = heads * headLength;
    const { matrix, weights } = await makeMatrix('Q4_1', 3 * width, 32, place);
    const x = Array.from({ length: tokens }, (_, token) => randomFloats(32, token + 1));
    const bias = randomFloats(3 * width, 6);
    const positions = [5, 0, 31];
    const table = new Float32Array(32 * headLength);
    for (let i = 0; i < table.length; i += 2) {
      const angle = Math.floor(i / headLength) * 100 ** (-(i % headLength) / headLength);
      table.set([Math.cos(angle), Math.sin(angle)], i);
    }
    const batch = new Uint32Array(56);
    batch.set(positions, layout.BATCH_POSITIONS);
    batch.set([0, 1, 2], layout.BATCH_SLOTS);
    const pool = gpu.pool(new Float32Array(4 * 2 * width), (2 * width) / 4, 2, place);
    const y = gpu.vectors(new Float32Array(tokens * width), width, place);
    const shape = { heads, kvHeads: heads, headLength, rotaryLength: headLength, kv: 'f32' as const, blockLength: 16, poolFold: 2, lanes: gpu.lanes, layout };
    await multiply({ matrix, x, place, bias }, { kind: 'rope', y, pool, rotation: gpu.buffer(table), shape }, batch);
    const queries = await gpu.readVectors(y);
    const stored = new Float32Array(await gpu.readBytes(pool));
    for (const [token, row] of x.entries()) {
      const sums = matvecReference(weights, row).map((sum, i) => sum + (bias[i] ?? 0));
      const turned = Array.from({ length: 2 * heads }, (_, head) =>
        ropeReference(Float32Array.from(sums.subarray(head * headLength, (head + 1) * headLength)), positions[token] ?? 0, headLength, 100),
      );
      const query = compare(
        queries.subarray(token * width, (token + 1) * width),
        joined(turned.slice(0, heads)).map((value) => value / 4),
      );
      expect(query.error, query.message).toBeLessThan(1e-10);
      const rest = compare(stored.subarray(token * 2 * width, (token + 1) * 2 * width), joined([...turned.slice(heads), sums.subarray(2 * width)]));
      expect(rest.error, rest.message).toBeLessThan(1e-10);
    }
  });
});
