/**
 * The matmul kernels for GPUs, on CPU devices: right for every storage, at sizes around the edges of their tiles, and
 * the same bits from every tile, so that a result does not depend on the rest of a batch.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elementwiseBound, rmsNormReference } from '../../kernels/activations.ref.ts';
import { ropeReference } from '../../kernels/attention.ref.ts';
import type { AttentionShape } from '../../kernels/attention.ts';
import { gatedReference } from '../../kernels/gated.ref.ts';
import { gates } from '../../kernels/gated.ts';
import type { Place, StepCounts } from '../../kernels/kernel.ts';
import { type Finish, matmul } from '../../kernels/matmul.ts';
import { random, randomFloats } from '../../kernels/random.ref.ts';
import { matmulF32Bound, matvecReference } from '../../kernels/weights.ref.ts';
import { packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import { compare, Gpu, joined } from '../gpu.ts';
import { prepareMatmul, widthOf } from '../matmul-case.ts';
import { sampleCases } from '../sample.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const storages = Object.keys(packedStorages) as StorageWithKernels[];
const isFull = process.env['INWARD_FULL'] === '1';
const layout = { BATCH_POSITIONS: 104, BATCH_SLOTS: 204, BATCH_LOGIT_TOKENS: 4 };
/** Header, logit tokens, positions, slots. */
function batchWords(tokens: number, logitTokens: readonly number[] = []): Uint32Array {
  const words = new Uint32Array(304);
  words.set([tokens, logitTokens.length]);
  words.set(logitTokens, layout.BATCH_LOGIT_TOKENS);
  return words;
}
const counts = (tokens: number, logitRows = 0): StepCounts => ({ tokens, logitRows, items: tokens, clears: 0, copies: 0 });
const common = (tokens: number) => ({
  offset: 0,
  over: 'tokens' as const,
  batch: gpu.buffer(batchWords(tokens)),
  lanes: gpu.lanes,
  family: 'wide' as const,
  layout,
});

/** Tiles have 32 and 64 rows, 1, 2, 4, 8 and 32 tokens, and split columns eight to 32 ways. */
const shapes = [
  { rows: 1, columns: 32, tokens: 1 },
  { rows: 37, columns: 96, tokens: 2 },
  { rows: 64, columns: 256, tokens: 8 },
  { rows: 65, columns: 544, tokens: 9 },
  { rows: 31, columns: 512, tokens: 32 },
  { rows: 129, columns: 160, tokens: 33 },
  // Few rows of many columns: these are split more ways.
  { rows: 70, columns: 1280, tokens: 9 },
];

/** Every tile for one storage; for one of each layout of codes and scales the first and the last, at two shapes, each time others; for the full suite everything. */
const sampled: readonly StorageWithKernels[] = ['F32', 'Q4_1', 'Q5_0', 'Q8_0', 'Q2_K', 'Q6_K', 'IQ2_S', 'AWQ'];
const isMain = (storage: StorageWithKernels): boolean => isFull || storage === 'Q4_K';
const cases = storages
  .filter((storage) => isMain(storage) || sampled.includes(storage))
  .flatMap((storage, i) => shapes.filter((_, k) => isMain(storage) || k % 3 === i % 3).map((shape, k) => ({ storage, ...shape, place: placeAt(i + k) })));
function placeAt(i: number): Place {
  return i % 2 === 0 ? 'buffer' : 'texture';
}

it.each(sampleCases('matmuls of the wide family', cases, 8))('$storage in a $place: $rows rows, $columns columns, $tokens tokens, added', async (shape) => {
  const { matrix, weights, x } = await prepareMatmul(gpu, shape);
  const { place, rows, tokens } = shape;
  const stride = Math.ceil((rows + 5) / 4) * 4;
  const to = randomFloats(tokens * stride, 99);
  const finish = (): Extract<Finish, { kind: 'add' }> => ({
    kind: 'add',
    y: gpu.vectors(new Float32Array(to.length), stride, place),
    to: gpu.vectors(to, stride, place),
    stride,
  });
  const input = { format: 'f32' as const, vectors: gpu.vectors(joined(x), x[0]?.length ?? 0, place) };
  const results: Float32Array[] = [];
  const tileCount = matmul(matrix, { ...common(tokens), x: input, finish: finish(), offset: 4 })[0]?.variants.length ?? 0;
  expect(tileCount).toBe(5);
  for (let tile = 0; tile < tileCount; tile++) {
    if (tile > 0 && tile < 4 && !isMain(shape.storage)) continue;
    const end = finish();
    await gpu.run(matmul(matrix, { ...common(tokens), x: input, finish: end, offset: 4 }), counts(tokens), tile);
    results.push(await gpu.readVectors(end.y));
  }
  const products = x.map((row) => matvecReference(weights, row));
  const [first = new Float32Array()] = results;
  const expected = Float64Array.from(first, (value, i) => {
    const row = (i % stride) - 4;
    if (row < 0 || row >= Math.ceil(rows / 4) * 4) return 0;
    return row < rows ? (to[i] ?? 0) + (products[Math.floor(i / stride)]?.[row] ?? Number.NaN) : value;
  });
  const { error, message } = compare(first, expected);
  expect(error, message).toBeLessThan(matmulF32Bound);
  for (const [tile, other] of results.entries()) {
    const different = first.findIndex((value, i) => !Object.is(value, other[i]) && (i % stride) - 4 < rows);
    expect(different, `tile ${tile}: ${other[different]} instead of ${first[different]}`).toBe(-1);
  }
});

describe.each([1, 5, 33])('%i tokens', (tokens) => {
  it('normed, of gathered rows, twice the same', async () => {
    const { matrix, weights, x } = await prepareMatmul(gpu, { storage: 'Q6_K', place: 'buffer', rows: 41, columns: 128, tokens: tokens + 3 });
    const width = widthOf('Q6_K', 128);
    const norm = randomFloats(width, 7);
    const next = random(tokens);
    const logitTokens = Array.from({ length: tokens }, () => Math.floor(next() * (tokens + 3)));
    const runs: Float32Array[] = [];
    for (const tile of [undefined, undefined, 0, 4]) {
      const y = gpu.buffer(new Float32Array(tokens * 44));
      const operations = matmul(matrix, {
        ...common(0),
        batch: gpu.buffer(batchWords(tokens + 3, logitTokens)),
        x: { format: 'f32', vectors: gpu.vectors(joined(x), width, 'buffer') },
        norm: { weight: gpu.uniform(norm), epsilon: 1e-5 },
        finish: { kind: 'store', y, stride: 44 },
        over: 'logitRows',
      });
      await gpu.run(operations, counts(tokens + 3, tokens), tile);
      runs.push((await gpu.readFloats(y)).filter((_, i) => i % 44 < 41));
    }
    const expected = joined(logitTokens.map((token) => matvecReference(weights, rmsNormReference(x[token] ?? [], norm, 1e-5))));
    for (const got of runs) {
      const { error, message } = compare(got, expected);
      expect(error, message).toBeLessThan(matmulF32Bound);
      expect(got.findIndex((value, i) => !Object.is(value, runs[0]?.[i]))).toBe(-1);
    }
  });

  it('SwiGLU of gate and up', async () => {
    const { matrix, weights, x } = await prepareMatmul(gpu, { storage: 'Q8_0', place: 'texture', rows: 2 * 44, columns: 64, tokens, isInterleaved: true });
    const y = gpu.vectors(new Float32Array(tokens * 44), 44, 'texture');
    const quarters = x.map((row) => row.map((value) => value / 4));
    const input = { format: 'f32' as const, vectors: gpu.vectors(joined(quarters), 64, 'texture') };
    await gpu.run(matmul(matrix, { ...common(tokens), x: input, finish: { kind: 'gated', y, gate: gates.swiglu } }), counts(tokens));
    const expected = joined(
      quarters.map((row) => {
        const sums = matvecReference(weights, row);
        return gatedReference(sums.subarray(0, 44), sums.subarray(44), gates.swiglu);
      }),
    );
    const { error, message } = compare(await gpu.readVectors(y), expected);
    expect(error, message).toBeLessThan(elementwiseBound);
  });

  it.each(['f16', 'f32'] as const)('queries, keys and values rotated and stored as %s', async (kv) => {
    const [heads, kvHeads, headLength, rotaryLength] = [4, 2, 16, 12];
    const rows = (heads + 2 * kvHeads) * headLength;
    const { matrix, weights, x } = await prepareMatmul(gpu, { storage: 'F32', place: 'buffer', rows, columns: 64, tokens });
    const words = batchWords(tokens);
    const positions = Array.from({ length: tokens }, (_, i) => 70 - 2 * i);
    const slots = positions.map((_, i) => (i * 3 + 1) % 41);
    words.set(positions, layout.BATCH_POSITIONS);
    words.set(slots, layout.BATCH_SLOTS);
    const angle = (position: number, i: number): number => position * 100 ** (-(i - (i % 2)) / rotaryLength);
    const table = Float32Array.from({ length: 80 * rotaryLength }, (_, at) => {
      const turn = angle(Math.floor(at / rotaryLength), at % rotaryLength);
      return at % 2 === 0 ? Math.cos(turn) : Math.sin(turn);
    });
    const width = kvHeads * headLength;
    const pool = gpu.pool(new (kv === 'f16' ? Float16Array : Float32Array)(41 * 2 * width), (2 * width) / (kv === 'f16' ? 8 : 4), 1, 'buffer');
    const shape: AttentionShape = { heads, kvHeads, headLength, rotaryLength, kv, blockLength: 16, poolFold: 1, lanes: gpu.lanes, layout };
    const y = gpu.buffer(new Float32Array(tokens * heads * headLength));
    const operations = matmul(matrix, {
      ...common(tokens),
      batch: gpu.buffer(words),
      x: { format: 'f32', vectors: gpu.vectors(joined(x), 64, 'buffer') },
      finish: { kind: 'rope', y, pool, rotation: gpu.buffer(table), shape },
    });
    await gpu.run(operations, counts(tokens));
    const sums = x.map((row) => Float32Array.from(matvecReference(weights, row)));
    const rotated = sums.map((row, token) =>
      Array.from({ length: heads + kvHeads }, (_, head) =>
        ropeReference(row.subarray(head * headLength, (head + 1) * headLength), positions[token] ?? 0, rotaryLength, 100),
      ),
    );
    const queries = compare(
      await gpu.readFloats(y),
      joined(rotated.flatMap((row) => row.slice(0, heads))).map((value) => value / 4),
    );
    expect(queries.error, queries.message).toBeLessThan(1e-10);
    const stored = new (kv === 'f16' ? Float16Array : Float32Array)(await gpu.readBytes(pool));
    const expected = new Float64Array(stored.length);
    slots.forEach((slot, token) => {
      expected.set(joined(rotated[token]?.slice(heads) ?? []), slot * 2 * width);
      expected.set(sums[token]?.subarray(rows - width) ?? [], (slot * 2 + 1) * width);
    });
    const { error, message } = compare(Array.from(stored), expected);
    expect(error, message).toBeLessThan(kv === 'f16' ? 1e-6 : 1e-10);
  });
});

it('crafted rows: zeros, one huge value, equal values, denormals', async () => {
  const { matrix, weights } = await prepareMatmul(gpu, { storage: 'Q5_1', place: 'buffer', rows: 40, columns: 288, tokens: 1 });
  const width = 288;
  const crafted = [0, 1, 2, 3].map((kind) =>
    Float32Array.from({ length: width }, (_, i) => (kind === 0 ? 0 : kind === 1 ? (i === 77 ? 1e20 : 1e-3) : kind === 2 ? 0.75 : 1e-40)),
  );
  for (const tile of [2, 4]) {
    const y = gpu.buffer(new Float32Array(4 * 40));
    const input = { format: 'f32' as const, vectors: gpu.vectors(joined(crafted), width, 'buffer') };
    await gpu.run(matmul(matrix, { ...common(4), x: input, finish: { kind: 'store', y, stride: 40 } }), counts(4), tile);
    const got = await gpu.readFloats(y);
    crafted.slice(0, 3).forEach((row, token) => {
      const { error, message } = compare(got.subarray(token * 40, token * 40 + 40), matvecReference(weights, row));
      expect(error, message).toBeLessThan(matmulF32Bound);
    });
    // A device may flush denormals.
    for (const value of got.subarray(120)) expect(Math.abs(value)).toBeLessThan(1e-35);
  }
});
