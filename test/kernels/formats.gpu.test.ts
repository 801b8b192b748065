/**
 * Every storage with blocks, and BF16, against gguf-py (test/fixtures/gguf-blocks, and all blocks of the larger set where it is): the values on
 * the CPU and on the device bit for bit, and a product.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embed } from '../../kernels/embed.ts';
import { dequantizeRow } from '../../kernels/formats.ref.ts';
import { matmul } from '../../kernels/matmul.ts';
import type { StorageWithKernels } from '../../kernels/weights.ts';
import { Gpu } from '../gpu.ts';
import { packMatrix } from '../packed.ts';
import { findTestData, readFixture } from '../test-data.ts';

interface Blocks {
  readonly type: StorageWithKernels;
  readonly rows: number;
  readonly columns: number;
  readonly raw: Uint8Array;
  readonly values: Float32Array;
  readonly x: Float32Array<ArrayBuffer>;
  readonly y: Float64Array;
}

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(base64, 'base64'));
const floatsOf = (base64: string): Float32Array<ArrayBuffer> => new Float32Array(bytesOf(base64).buffer);
const kept: readonly Blocks[] = JSON.parse(readFixture('gguf-blocks/blocks.json').toString('utf8')).map(
  ({ raw, values, x, y, ...rest }: Blocks & Readonly<Record<'raw' | 'values' | 'x' | 'y', string>>) => ({
    ...rest,
    raw: bytesOf(raw),
    values: floatsOf(values),
    x: floatsOf(x),
    y: new Float64Array(bytesOf(y).buffer),
  }),
);

interface Index {
  readonly types: readonly {
    readonly type: StorageWithKernels;
    readonly raw_offset: number;
    readonly raw_bytes: number;
    readonly f32_offset: number;
    readonly f32_count: number;
    readonly matvec: { readonly rows: number; readonly cols: number; readonly x_offset: number; readonly y_offset: number };
  }[];
}

/** The larger set: eight rows of each storage. */
function readLargerSet(): Blocks[] {
  const folder = findTestData('the larger set of blocks');
  if (folder === undefined) return [];
  const read = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(join(folder, 'data/gguf-blocks', `gguf-blocks.${name}`)));
  const [raw, f32, x, y] = [read('raw.bin'), read('f32.bin'), read('x.f32.bin'), read('y.f64.bin')];
  const { types }: Index = JSON.parse(Buffer.from(read('json')).toString('utf8'));
  return types.map(({ type, raw_offset, raw_bytes, f32_offset, f32_count, matvec: { rows, cols, x_offset, y_offset } }) => ({
    type,
    rows,
    columns: cols,
    raw: raw.slice(raw_offset, raw_offset + raw_bytes),
    values: new Float32Array(f32.slice(f32_offset, f32_offset + f32_count * 4).buffer),
    x: new Float32Array(x.slice(x_offset, x_offset + cols * 4).buffer),
    y: new Float64Array(y.slice(y_offset, y_offset + rows * 8).buffer),
  }));
}

/** Places in turn, and both for those that are kept here. */
const all = [
  ...kept.flatMap((blocks) => (['buffer', 'texture'] as const).map((place) => ({ ...blocks, place }))),
  ...readLargerSet().map((blocks, i) => ({ ...blocks, place: i % 2 === 0 ? ('texture' as const) : ('buffer' as const) })),
];

const layout = { BATCH_IDS: 8, BATCH_POSITIONS: 16, BATCH_SLOTS: 16, BATCH_LOGIT_TOKENS: 20 };
/** A device may flush numbers below the smallest normal one to zero: values, and the two smallest scales of MXFP4, of which a value is up to 12. */
const smallestNormal = 2 ** -126;
const flushed = (type: StorageWithKernels): number => (type === 'MXFP4' ? 12 : 1) * smallestNormal;

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

it('BF16 is the upper half of an f32, for every finite number', () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((pattern) => (pattern & 0x7f80) !== 0x7f80);
  const expected = new Float32Array(Uint32Array.from(bits, (pattern) => pattern * 65536).buffer);
  // A row is a multiple of 32.
  expect(bits.length % 32).toBe(0);
  const got = dequantizeRow('BF16', new Uint8Array(bits.buffer), bits.length);
  expect(got.findIndex((value, i) => !Object.is(value, expected[i]))).toBe(-1);
});

describe.each(all)('$type, $rows rows in a $place', ({ type, rows, columns, raw, values, x, y, place }) => {
  const size = raw.length / rows;
  const row = (index: number): Float64Array => dequantizeRow(type, raw.subarray(index * size, (index + 1) * size), columns);

  it('reference: the values of gguf-py', () => {
    const got = Float32Array.from(Array.from({ length: rows }, (_, index) => Array.from(row(index))).flat());
    expect(got).toEqual(values);
  });

  it('repacked and looked up on the device: the same values', async () => {
    const matrix = await packMatrix(gpu, type, raw, rows, columns, { place });
    const words = new Uint32Array(24);
    words.set([rows]);
    words.set(
      Array.from({ length: rows }, (_, index) => index),
      layout.BATCH_IDS,
    );
    const found = gpu.vectors(new Float32Array(rows * columns).fill(Number.NaN), columns, place);
    await gpu.run(embed(matrix, found, gpu.buffer(words), gpu.lanes, layout), { tokens: rows, logitRows: 0, items: 0, clears: 0, copies: 0 });
    const got = await gpu.readVectors(found);
    const wrong = Array.from(values.keys()).filter((i) => got[i] !== values[i] && !(got[i] === 0 && Math.abs(values[i] ?? 0) < flushed(type)));
    expect(wrong.map((i) => `${i}: ${got[i]} instead of ${values[i]}`)).toEqual([]);
  });

  it('times a vector: as near as sums in f32 are', async () => {
    const matrix = await packMatrix(gpu, type, raw, rows, columns, { place });
    const stride = Math.ceil(rows / 4) * 4;
    const result = gpu.buffer(new Float32Array(stride));
    const input = { format: 'f32' as const, vectors: gpu.vectors(x, columns, place) };
    const batch = gpu.buffer(Uint32Array.from({ length: 24 }, (_, i) => (i === 0 ? 1 : 0)));
    const finish = { kind: 'store' as const, y: result, stride };
    await gpu.run(matmul(matrix, { x: input, finish, offset: 0, over: 'tokens', batch, lanes: gpu.lanes, layout }), {
      tokens: 1,
      logitRows: 0,
      items: 0,
      clears: 0,
      copies: 0,
    });
    const got = await gpu.readFloats(result);
    // A sum of n products rounds by at most n / 2^24 of the sum of their sizes; a block's scale and offset add four more.
    for (let index = 0; index < rows; index++) {
      const sizes = row(index).reduce((sum, weight, column) => sum + Math.abs(weight * (x[column] ?? 0)), 0);
      expect(Math.abs((got[index] ?? Number.NaN) - (y[index] ?? Number.NaN)), `row ${index}`).toBeLessThanOrEqual(((columns + 4) * sizes) / 2 ** 24);
    }
  });
});
