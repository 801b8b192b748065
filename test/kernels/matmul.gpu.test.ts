import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elementwiseBound, int8Reference, rmsNormReference } from '../../kernels/activations.ref.ts';
import { ropeReference } from '../../kernels/attention.ref.ts';
import type { AttentionShape } from '../../kernels/attention.ts';
import { embed } from '../../kernels/embed.ts';
import { gatedReference } from '../../kernels/gated.ref.ts';
import { gated, gates } from '../../kernels/gated.ts';
import type { Place, StepCounts } from '../../kernels/kernel.ts';
import { type Finish, matmul } from '../../kernels/matmul.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { standardTiles } from '../../kernels/tiles.ts';
import { matmulF32Bound, matmulInt8Bound, matvecReference } from '../../kernels/weights.ref.ts';
import { type Activations, packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import { compare, Gpu, joined } from '../gpu.ts';
import { type MatmulCase, prepareMatmul, widthOf } from '../matmul-case.ts';
import { sampleCases } from '../sample.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const storages = Object.keys(packedStorages) as StorageWithKernels[];
/** Words of a batch: header, ids at 8, positions at 24, slots at 40, logit tokens at 56. */
const layout = { BATCH_IDS: 8, BATCH_POSITIONS: 24, BATCH_SLOTS: 40, BATCH_LOGIT_TOKENS: 56 };
function batchWords(tokens: number, logitTokens: readonly number[] = []): Uint32Array {
  const words = new Uint32Array(72);
  words.set([tokens, logitTokens.length]);
  words.set(logitTokens, layout.BATCH_LOGIT_TOKENS);
  return words;
}
function counts(tokens: number, logitRows = 0): StepCounts {
  return { tokens, logitRows, items: tokens, clears: 0, copies: 0 };
}

const prepare = (shape: MatmulCase) => prepareMatmul(gpu, shape);

/** The vectors x as a kernel's input. */
function input(x: readonly Float32Array[], place: Place): Activations {
  return { format: 'f32', vectors: gpu.vectors(joined(x), x[0]?.length ?? 0, place) };
}

/**
 * Everything for storages with each layout of codes that models have most of, two of them in both places. The others, whose formats are tested value by value
 * (formats.gpu.test.ts), in one place and with the smallest and the largest tile, unless everything is to run.
 */
const isFull = process.env['INWARD_FULL'] === '1';
const isMain = (storage: StorageWithKernels): boolean => isFull || ['F16', 'Q4_1', 'Q8_0', 'Q4_K', 'Q6_K'].includes(storage);
const hasBothPlaces = (storage: StorageWithKernels): boolean => isFull || ['Q4_1', 'Q4_K'].includes(storage);
const cases = storages.flatMap((storage, i) =>
  (['buffer', 'texture'] as const).filter((_, place) => hasBothPlaces(storage) || place === i % 2).map((place) => [storage, place] as const),
);
/** Rows that fill no tile, tokens that fill none either, every tile of the table. */
const shapes = [
  { rows: 8, columns: 32, tokens: 1 },
  { rows: 37, columns: 96, tokens: 2 },
  { rows: 70, columns: 64, tokens: 3 },
  { rows: 129, columns: 160, tokens: 13 },
];

describe.each(sampleCases('storages of matmul', cases, Math.ceil(cases.length / 4)))('%s in a %s', (storage, place) => {
  it.each(shapes.filter(({ tokens }) => isMain(storage) || tokens === 1 || tokens > 8))(
    'f32: $rows rows, $columns columns, $tokens tokens, stored and added',
    async (shape) => {
      const { matrix, weights, x } = await prepare({ storage, place, ...shape });
      const stride = Math.ceil((shape.rows + 5) / 4) * 4;
      const before = randomFloats(shape.tokens * stride, 99);
      const [to, stored, added] = [before, before, new Float32Array(before.length)].map((data) => gpu.vectors(data, stride, place));
      if (to === undefined || stored === undefined || added === undefined) throw new Error('no vectors');
      const words = gpu.buffer(batchWords(shape.tokens));
      const args = { x: input(x, place), offset: 4, over: 'tokens' as const, batch: words, lanes: gpu.lanes, layout };
      await gpu.run(matmul(matrix, { ...args, finish: { kind: 'store', y: stored, stride } }), counts(shape.tokens));
      await gpu.run(matmul(matrix, { ...args, finish: { kind: 'add', y: added, to, stride } }), counts(shape.tokens));
      const products = x.map((row) => matvecReference(weights, row));
      // Rows beside the matrix stay as they are; those that fill its last quad may be anything.
      const isOwn = (place: number): boolean => place % stride >= 4 && place % stride < 4 + shape.rows;
      const isFilling = (place: number): boolean => place % stride >= 4 + shape.rows && place % stride < 4 + Math.ceil(shape.rows / 4) * 4;
      const product = (place: number): number => products[Math.floor(place / stride)]?.[(place % stride) - 4] ?? Number.NaN;
      for (const [got, outside, base] of [
        [await gpu.readVectors(stored), before, 0],
        [await gpu.readVectors(added), new Float32Array(before.length), 1],
      ] as const) {
        const expected = Float64Array.from(got, (value, i) => (isFilling(i) ? value : isOwn(i) ? base * (before[i] ?? 0) + product(i) : (outside[i] ?? 0)));
        const { error, message } = compare(got, expected);
        expect(error, message).toBeLessThan(matmulF32Bound);
      }
    },
  );

  it('normed, of gathered rows', async () => {
    const { matrix, weights, x } = await prepare({ storage, place, rows: 41, columns: 128, tokens: 6 });
    const width = widthOf(storage, 128);
    const norm = randomFloats(width, 7);
    const logitTokens = [5, 0, 3];
    // Logits lie in a buffer, wherever x does.
    const y = gpu.buffer(new Float32Array(3 * 44));
    const finish: Finish = { kind: 'store', y, stride: 44 };
    const args = {
      x: input(x, place),
      norm: { weight: gpu.uniform(norm), epsilon: 1e-5 },
      finish,
      offset: 0,
      over: 'logitRows' as const,
      lanes: gpu.lanes,
      layout,
    };
    await gpu.run(matmul(matrix, { ...args, batch: gpu.buffer(batchWords(6, logitTokens)) }), counts(6, 3));
    const expected = joined(logitTokens.map((token) => matvecReference(weights, rmsNormReference(x[token] ?? [], norm, 1e-5))));
    const got = (await gpu.readFloats(y)).filter((_, i) => i % 44 < 41);
    const { error, message } = compare(got, expected);
    expect(error, message).toBeLessThan(matmulF32Bound);
  });

  it.each(isMain(storage) ? [1, 5] : [1])('SwiGLU of gate and up, %i tokens', async (tokens) => {
    const { matrix, weights, x } = await prepare({ storage, place, rows: 2 * 44, columns: 64, tokens, isInterleaved: true });
    const y = gpu.vectors(new Float32Array(tokens * 44), 44, place);
    const quarters = x.map((row) => row.map((value) => value / 4));
    const args = { x: input(quarters, place), offset: 0, over: 'tokens' as const, batch: gpu.buffer(batchWords(tokens)), lanes: gpu.lanes, layout };
    await gpu.run(matmul(matrix, { ...args, finish: { kind: 'gated', y, gate: gates.swiglu } }), counts(tokens));
    const expected = joined(
      quarters.map((row) => {
        const sums = matvecReference(weights, row);
        return gatedReference(sums.subarray(0, 44), sums.subarray(44), gates.swiglu);
      }),
    );
    const { error, message } = compare(await gpu.readVectors(y), expected);
    expect(error, message).toBeLessThan(elementwiseBound);
  });

  it('embedding rows, shards included', async () => {
    const { matrix, weights } = await prepare({ storage, place, rows: 77, columns: 64, tokens: 1 });
    const ids = [76, 0, 31, 32];
    const words = batchWords(ids.length);
    words.set(ids, layout.BATCH_IDS);
    const width = widthOf(storage, 64);
    const x = gpu.vectors(new Float32Array(ids.length * width), width, place);
    await gpu.run(embed(matrix, x, gpu.buffer(words), gpu.lanes, layout), counts(ids.length));
    const { error, message } = compare(await gpu.readVectors(x), joined(ids.map((id) => weights[id] ?? [])));
    expect(error, message).toBeLessThan(1e-13);
  });
});

/** What each token's numbers are as int8, and what a kernel may be off from that by rounding sums of f32. */
const wholeBound = 1e-11;

describe.each(storages.filter((storage) => packedStorages[storage].hasInt8))('%s with int8 activations', (storage) => {
  const crafted = (columns: number): Float32Array[] => {
    const huge = new Float32Array(columns).fill(1e-3);
    huge[40 % columns] = -3e4;
    return [new Float32Array(columns), new Float32Array(columns).fill(0.7), huge, new Float32Array(columns).fill(1e-39)];
  };
  it.each([
    [1, 'buffer'],
    [2, 'texture'],
    [4, 'buffer'],
    [11, 'texture'],
  ] as const)('%i tokens in a %s', async (tokens, place) => {
    const { matrix, weights, x } = await prepare({ storage, place, rows: 50, columns: 96, tokens });
    for (const rows of [x, ...(tokens === 4 ? [crafted(matrix.columns)] : [])]) {
      const y = gpu.buffer(new Float32Array(tokens * 52));
      const finish = { kind: 'store' as const, y, stride: 52 };
      const args = { finish, offset: 0, over: 'tokens' as const, batch: gpu.buffer(batchWords(tokens)), lanes: gpu.lanes, layout };
      await gpu.run(matmul(matrix, { x: { format: 'int8', vectors: gpu.vectors(joined(rows), matrix.columns, place) }, ...args }), counts(tokens));
      const got = (await gpu.readFloats(y)).filter((_, i) => i % 52 < 50);
      const whole = compare(got, joined(rows.map((row) => matvecReference(weights, int8Reference(row)))));
      expect(whole.error, whole.message).toBeLessThan(wholeBound);
      if (rows === x) {
        const exact = compare(got, joined(rows.map((row) => matvecReference(weights, row))));
        expect(exact.error, exact.message).toBeLessThan(matmulInt8Bound);
      }
    }
  });

  it('normed, of gathered rows; every tile gives the same bits', async () => {
    const { matrix, weights, x } = await prepare({ storage, place: 'texture', rows: 41, columns: 128, tokens: 6 });
    const norm = randomFloats(matrix.columns, 7);
    const logitTokens = [5, 0, 3];
    const results = await Promise.all(
      standardTiles({ lanes: gpu.lanes }, { activations: 'int8', finish: 'store' }).map(async (tile) => {
        const y = gpu.buffer(new Float32Array(3 * 44));
        const args = {
          x: { format: 'int8' as const, vectors: gpu.vectors(joined(x), matrix.columns, 'texture') },
          norm: { weight: gpu.uniform(norm), epsilon: 1e-5 },
          finish: { kind: 'store' as const, y, stride: 44 },
          offset: 0,
          over: 'logitRows' as const,
          lanes: gpu.lanes,
          layout,
          tiles: [tile],
        };
        await gpu.run(matmul(matrix, { ...args, batch: gpu.buffer(batchWords(6, logitTokens)) }), counts(6, 3));
        return (await gpu.readFloats(y)).filter((_, i) => i % 44 < 41);
      }),
    );
    const [first = new Float32Array()] = results;
    for (const other of results) expect(other.findIndex((value, i) => !Object.is(value, first[i]))).toBe(-1);
    const normed = logitTokens.map((token) => rmsNormReference(x[token] ?? [], norm, 1e-5));
    const exact = compare(first, joined(normed.map((row) => matvecReference(weights, row))));
    expect(exact.error, exact.message).toBeLessThan(matmulInt8Bound);
  });
});

it.each([
  ['f16', 'buffer', 12],
  ['f16', 'texture', 16],
  ['f32', 'buffer', 6],
  ['f32', 'texture', 10],
] as const)('queries, keys and values rotated and stored as %s, in a %s, %i numbers of a head rotated', async (kv, place, rotaryLength) => {
  const [heads, kvHeads, headLength, tokens] = [4, 2, 16, 3];
  const rows = (heads + 2 * kvHeads) * headLength;
  const { matrix, weights, x } = await prepare({ storage: 'F32', place, rows, columns: 64, tokens });
  const positions = [9, 0, 70];
  const slots = [4, 2, 7];
  const words = batchWords(tokens);
  words.set(positions, layout.BATCH_POSITIONS);
  words.set(slots, layout.BATCH_SLOTS);
  const table = new Float32Array(80 * rotaryLength);
  for (let position = 0; position < 80; position++) {
    for (let i = 0; i < rotaryLength; i += 2)
      table.set([Math.cos(position * 100 ** (-i / rotaryLength)), Math.sin(position * 100 ** (-i / rotaryLength))], position * rotaryLength + i);
  }
  const width = kvHeads * headLength;
  const pool = gpu.pool(new (kv === 'f16' ? Float16Array : Float32Array)(8 * 2 * width), (2 * width) / (kv === 'f16' ? 8 : 4), 3, place);
  const shape: AttentionShape = { heads, kvHeads, headLength, rotaryLength, kv, blockLength: 16, poolFold: 3, lanes: gpu.lanes, layout };
  const y = gpu.vectors(new Float32Array(tokens * heads * headLength), heads * headLength, place);
  const finish: Finish = { kind: 'rope', y, pool, rotation: gpu.buffer(table), shape };
  await gpu.run(matmul(matrix, { x: input(x, place), finish, offset: 0, over: 'tokens', batch: gpu.buffer(words), lanes: gpu.lanes, layout }), counts(tokens));

  const queries = await gpu.readVectors(y);
  const stored = new (kv === 'f16' ? Float16Array : Float32Array)(await gpu.readBytes(pool));
  const bound = kv === 'f16' ? 1e-6 : matmulF32Bound;
  x.forEach((row, token) => {
    const sums = Float32Array.from(matvecReference(weights, row));
    const rotated = Array.from({ length: heads + kvHeads }, (_, head) =>
      ropeReference(sums.subarray(head * headLength, (head + 1) * headLength), positions[token] ?? 0, rotaryLength, 100),
    );
    const at = (slots[token] ?? 0) * 2 * width;
    const query = compare(
      queries.subarray(token * heads * headLength, (token + 1) * heads * headLength),
      joined(rotated.slice(0, heads)).map((value) => value / 4),
    );
    expect(query.error, query.message).toBeLessThan(1e-10);
    const key = compare(Array.from(stored.subarray(at, at + width)), joined(rotated.slice(heads)));
    expect(key.error, key.message).toBeLessThan(Math.max(bound, 1e-10));
    const value = compare(Array.from(stored.subarray(at + width, at + 2 * width)), sums.subarray(rows - width));
    expect(value.error, value.message).toBeLessThan(bound);
  });
});

describe.each(['buffer', 'texture'] as const)('activations in a %s', (place) => {
  it('SwiGLU of rows that hold gate and up', async () => {
    const rows = [randomFloats(192, 1, 3), randomFloats(192, 2, 3)];
    const y = gpu.vectors(new Float32Array(2 * 96), 96, place);
    await gpu.run([gated(gpu.vectors(joined(rows), 192, place), y, 96, gates.swiglu, gpu.lanes)], counts(2));
    const { error, message } = compare(
      await gpu.readVectors(y),
      joined(rows.map((row) => gatedReference(row.subarray(0, 96), row.subarray(96), gates.swiglu))),
    );
    expect(error, message).toBeLessThan(elementwiseBound);
  });
});
