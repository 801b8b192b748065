/** Matrices that are several tensors on their way to the device: shards that end within a head, parts whose quads take turns, orders of columns. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCheckpoint, type Stored, storeBlocks } from '../../../bench/kernels/stored.ts';
import { randomStored, type StoredExample } from '../../../kernels/random_stored.ref.ts';
import type { Heads } from '../../../kernels/repack.ts';
import { storedRow } from '../../../kernels/stored.ref.ts';
import { isBlockStorage, packedSize, rowTile, type StorageWithKernels } from '../../../kernels/weights.ts';
import type { LoadedMatrix, WeightSpec } from '../../../models/index.ts';
import { loadWeights, weightSize } from '../../../runtime/checkpoint/loader.ts';
import { chunkSize } from '../../../runtime/checkpoint/stage.ts';
import type { Checkpoint } from '../../../runtime/checkpoint/types.ts';
import { Gpu } from '../../gpu.ts';
import { readRows } from '../../packed.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const [rows, columns] = [96, 64];

/** Parts `a` and `b` as one matrix, in shards of at most two tiles. */
async function load(checkpoint: Checkpoint, storage: StorageWithKernels, interleaved: boolean, heads?: Heads, headRows?: number): Promise<LoadedMatrix> {
  const parts = ['a', 'b'].map((name) => ({ tensor: `${name}.weight`, rows, heads }));
  const specs = new Map<string, WeightSpec>([['m', { kind: 'matrix', parts, columns, interleaved, ...(headRows && { headRows }) }]]);
  const { device } = gpu.open;
  const progress: number[] = [];
  const weights = await loadWeights(checkpoint, specs, {
    device,
    memory: gpu.memory,
    pipelines: gpu.pipelines,
    place: 'buffer',
    bindingLimit: packedSize(storage, 2 * rowTile, columns),
    textureLimit: 8192,
    onProgress: ({ done, total }) => progress.push(done / total),
  });
  expect(progress.at(-1)).toBe(1);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  return weights.matrix('m');
}

/** All rows of a loaded matrix, columns in the order of the device. */
async function lookUp({ pieces }: LoadedMatrix): Promise<number[][]> {
  const found: number[][] = [];
  for (const { matrix } of pieces) found.push(...(await readRows(gpu, matrix)));
  return found;
}

/** The device adds an offset, which makes -0 a 0. */
function expectedRow(storage: StorageWithKernels, { matrix }: StoredExample, row: number): number[] {
  if (isBlockStorage(storage)) throw new Error('no strips');
  return Array.from(storedRow(storage, matrix, row), (value) => Math.fround(value) + 0);
}

test.each(['AWQ', 'GPTQ4', 'CT_INT8', 'FP8', 'NF4'] as const)('%s: rows below each other, in heads of 24 whose halves are apart', async (storage) => {
  const examples = { a: randomStored(storage, rows, columns, 1, { isPlain: true }), b: randomStored(storage, rows, columns, 2, { isPlain: true }) };
  const matrix = await load(createCheckpoint(examples), storage, false, { headLength: 24, rotaryLength: 24 });
  expect(matrix.pieces.map((piece) => piece.matrix.shards.map((shard) => shard.rows))).toEqual([[64, 64, 64]]);
  const halves = (row: number): number => row - (row % 24) + ((row % 24) % 2) * 12 + Math.floor((row % 24) / 2);
  const expected = [examples.a, examples.b].flatMap((example) => Array.from({ length: rows }, (_, row) => expectedRow(storage, example, halves(row))));
  expect(await lookUp(matrix)).toEqual(expected);
});

test('heads that kernels take one by one are in one shard each, or refused', async () => {
  const examples = { a: randomStored('FP8', rows, columns, 1, { group: 'block' }), b: randomStored('FP8', rows, columns, 2, { group: 'block' }) };
  const matrix = await load(createCheckpoint(examples), 'FP8', false, undefined, 24);
  expect(matrix.pieces.map((piece) => piece.matrix.shards.map((shard) => shard.rows))).toEqual([[48, 48, 48, 48]]);
  const expected = [examples.a, examples.b].flatMap((example) => Array.from({ length: rows }, (_, row) => expectedRow('FP8', example, row)));
  expect(await lookUp(matrix)).toEqual(expected);
  const refused = (expected: string) => expect.objectContaining({ code: 'model_unsupported', fields: expect.objectContaining({ expected }) });
  await expect(load(createCheckpoint(examples), 'FP8', false, undefined, 96)).rejects.toThrow(refused('rows of a head that one binding holds'));
  const sorted = randomStored('GPTQ4', rows, columns, 1, { isPlain: true, hasOrder: true });
  await expect(load(createCheckpoint({ a: sorted, b: sorted }), 'GPTQ4', false, undefined, 24)).rejects.toThrow(
    refused('columns in their own order, storage GPTQ4'),
  );
});

test('GPTQ3: quads of both parts take turns', async () => {
  const examples = { a: randomStored('GPTQ3', rows, columns, 1, { isPlain: true }), b: randomStored('GPTQ3', rows, columns, 2, { isPlain: true }) };
  const matrix = await load(createCheckpoint(examples), 'GPTQ3', true);
  expect(matrix.isInterleaved).toBe(true);
  const expected = Array.from({ length: 2 * rows }, (_, row) =>
    expectedRow('GPTQ3', Math.floor(row / 4) % 2 === 0 ? examples.a : examples.b, Math.floor(row / 8) * 4 + (row % 4)),
  );
  expect(await lookUp(matrix)).toEqual(expected);
});

test('parts with one order of columns are one matrix, with two orders two, and no quads take turns', async () => {
  const [a, b] = [1, 2].map((seed) => randomStored('GPTQ4', rows, columns, seed, { isPlain: true, hasOrder: true })) as [StoredExample, StoredExample];
  const order = ({ matrix }: StoredExample): number[] => {
    const groups = Array.from(new Int32Array(matrix.tensors.get('.g_idx')?.bytes.buffer as ArrayBuffer));
    return [...groups.keys()].sort((x, y) => (groups[x] ?? 0) - (groups[y] ?? 0) || x - y);
  };
  const check = async (second: StoredExample, pieces: number): Promise<void> => {
    const checkpoint = createCheckpoint({ a, b: second });
    const matrix = await load(checkpoint, 'GPTQ4', true);
    expect(matrix.pieces.length).toBe(pieces);
    expect(matrix.isInterleaved).toBe(pieces === 1);
    const sorted = [a, second].flatMap((example) =>
      Array.from({ length: rows }, (_, row) => {
        const values = expectedRow('GPTQ4', example, row);
        return order(example).map((column) => values[column]);
      }),
    );
    const turns = (row: number): number => (Math.floor(row / 4) % 2) * rows + Math.floor(row / 8) * 4 + (row % 4);
    const expected = pieces === 1 ? sorted.map((_, row) => sorted[turns(row)]) : sorted;
    expect(await lookUp(matrix)).toEqual(expected);
    const parts = ['a', 'b'].map((name) => ({ tensor: `${name}.weight`, rows }));
    const size = weightSize(checkpoint, new Map<string, WeightSpec>([['m', { kind: 'matrix', parts, columns }]]));
    expect(size).toBe(packedSize('GPTQ4', 2 * rows, columns) + pieces * columns * 4);
  };
  await check(b, 2);
  const tensors = new Map([...b.matrix.tensors, ['.g_idx', a.matrix.tensors.get('.g_idx')] as const]) as StoredExample['matrix']['tensors'];
  await check({ ...b, matrix: { ...b.matrix, tensors } }, 1);
  const table = new Map<string, WeightSpec>([['m', { kind: 'matrix', parts: [{ tensor: 'a.weight', rows }], columns, isTable: true }]]);
  expect(() => weightSize(createCheckpoint({ a }), table)).toThrow(expect.objectContaining({ code: 'model_unsupported' }));
});

/** F32 numbers that tell their row. */
function numbered(first: number, count: number, width: number): Stored {
  const values = Float32Array.from({ length: count * width }, (_, i) => first + Math.floor(i / width));
  return storeBlocks('F32', count, width, new Uint8Array(values.buffer));
}

test('matrices of several chunks, a chunk larger than a half, and a small one behind it', async () => {
  const width = 16_384;
  const counts = { a: (1.25 * chunkSize) / 4 / width, b: (0.625 * chunkSize) / 4 / width, c: 64 };
  const checkpoint = createCheckpoint({ a: numbered(0, counts.a, width), b: numbered(10_000, counts.b, width), c: numbered(20_000, counts.c, width) });
  const specs = new Map<string, WeightSpec>(
    // Rows of one head are not cut.
    Object.entries(counts).map(([name, count]) => {
      const heads = name === 'b' ? { headLength: count, rotaryLength: count } : undefined;
      return [name, { kind: 'matrix', parts: [{ tensor: `${name}.weight`, rows: count, heads }], columns: width }];
    }),
  );
  const staging = (): number => gpu.memory.usage()['staging'] ?? 0;
  const before = staging();
  let most = 0;
  const { device } = gpu.open;
  const onProgress = (): void => {
    most = Math.max(most, staging() - before);
  };
  const target = { device, memory: gpu.memory, pipelines: gpu.pipelines, place: gpu.open.place, bindingLimit: gpu.open.bindingLimit };
  const weights = await loadWeights(checkpoint, specs, { ...target, textureLimit: gpu.open.textureLimit, onProgress });
  // Two halves and what is repacked from; one of the halves, and that, grown to a head.
  expect(most).toBeLessThan(1.5 * chunkSize + 2 * 0.125 * chunkSize + 64);
  expect(staging()).toBe(before);
  const firsts = async (name: string): Promise<unknown[]> => (await lookUp(weights.matrix(name))).map((row) => (new Set(row).size === 1 ? row[0] : 'mixed'));
  const halves = (row: number): number => Math.floor(row / 2) + (row % 2) * (counts.b / 2);
  expect(await firsts('a')).toEqual(Array.from({ length: counts.a }, (_, row) => row));
  expect(await firsts('b')).toEqual(Array.from({ length: counts.b }, (_, row) => 10_000 + halves(row)));
  expect(await firsts('c')).toEqual(Array.from({ length: counts.c }, (_, row) => 20_000 + row));
});
