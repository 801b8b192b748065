/**
 * The kernels around latent attention: what is kept of a token, queries with absorbed weights, and values of each head; by both families,
 * with the same bits in every tile, over heads that have rows of others between theirs, in one shard and in several.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AttentionShape, slotVectors } from '../../kernels/attention.ts';
import { type HeadRows, headMatmul, headRuns } from '../../kernels/head_matmul.ts';
import { headsBound } from '../../kernels/heads.ref.ts';
import type { Operation, Place, Vectors } from '../../kernels/kernel.ts';
import { latentQueryReference, latentRowReference } from '../../kernels/latent.ref.ts';
import { type KeyRows, type LatentShape, latentQueries, latentRows } from '../../kernels/latent.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import type { KernelFamily } from '../../kernels/tiles.ts';
import { matmulF32Bound, matvecReference } from '../../kernels/weights.ref.ts';
import type { StorageWithKernels } from '../../kernels/weights.ts';
import { ropeFrequencies, rotationTable } from '../../models/rope.ts';
import { Batch } from '../../runtime/scheduling/batch.ts';
import { Sequence } from '../../runtime/scheduling/sequence.ts';
import type { BlockId } from '../../runtime/types.ts';
import { compare, Gpu, joined } from '../gpu.ts';
import { prepareMatmul } from '../matmul-case.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const blockLength = 16;
const blocks = [5, 2, 7, 1] as BlockId[];
const limits = { maxTokens: 48, maxSequences: 1, maxLogitRows: 1, contextLength: 64, blockCount: 8, blockLength, maxEdits: 0 };
const first = 13;
const base = 100;
/** A pool that nothing has written yet. */
const untouched = 0x64646464;

/** Tokens from position 13 on of a sequence. */
function batchOf(tokens: number): Batch {
  const batch = new Batch(limits);
  const sequence = new Sequence({ promptIds: new Uint32Array(first + tokens), maxTokens: 1 }, 64, { event: () => undefined, fail: () => undefined });
  sequence.blocks = blocks;
  sequence.computed = first;
  batch.addTokens(sequence, tokens);
  return batch;
}

function shapeOf(latentLength: number, ropeLength: number, kv: AttentionShape['kv'], heads: number, batch: Batch): LatentShape {
  const lengths = { headLength: latentLength + ropeLength, latentLength, rotaryLength: ropeLength };
  return { ...lengths, heads, kvHeads: 1, kv, blockLength, poolFold: 3, lanes: gpu.lanes, layout: batch.layout };
}

function turnAt(position: number, ropeLength: number): { readonly angles: number[]; readonly factor: number } {
  return { angles: Array.from({ length: ropeLength / 2 }, (_, i) => position * base ** ((-2 * i) / ropeLength)), factor: 1 };
}

const rotationOf = (ropeLength: number): Float32Array<ArrayBuffer> => Float32Array.from(rotationTable(ropeFrequencies(ropeLength, base), limits.contextLength));

describe('rows of the pool', () => {
  it.each([
    [96, 32, 'f16', 'texture'],
    [40, 24, 'f32', 'buffer'],
    [44, 12, 'f16', 'buffer'],
    [512, 64, 'f32', 'texture'],
  ] as const)('a latent of %i, %i channels that turn, %s in a %s', async (latentLength, ropeLength, kv, place) => {
    const tokens = 5;
    const batch = batchOf(tokens);
    const shape = shapeOf(latentLength, ropeLength, kv, 2, batch);
    const width = shape.headLength;
    const rows = randomFloats(tokens * width, 3, 3);
    rows.fill(0, 0, latentLength);
    const weights = randomFloats(latentLength, 7);
    const slotLength = slotVectors(shape) * 4;
    const slots = limits.blockCount * blockLength;
    const pool = gpu.pool(new Float32Array(new Uint32Array(slots * slotLength).fill(untouched).buffer), slotVectors(shape), shape.poolFold, place);
    const buffers = {
      rows: gpu.vectors(rows, width, place),
      pool,
      norm: { weight: gpu.uniform(weights), epsilon: 1e-5 },
      rotation: gpu.buffer(rotationOf(ropeLength)),
      batch: gpu.buffer(batch.seal()),
    };
    await gpu.run([latentRows(shape, buffers)], batch.counts);
    const bytes = await gpu.readBytes(pool);
    for (let token = 0; token < tokens; token++) {
      const position = first + token;
      const slot = (blocks[Math.floor(position / blockLength)] ?? 0) * blockLength + (position % blockLength);
      const got = kv === 'f32' ? new Float32Array(bytes, slot * slotLength * 4, width) : new Float16Array(bytes, slot * slotLength * 4, width);
      const expected = latentRowReference(rows.subarray(token * width, (token + 1) * width), weights, 1e-5, turnAt(position, ropeLength));
      const { error, message } = compare(got, expected);
      expect(error, `token ${token}: ${message}`).toBeLessThan(kv === 'f16' ? 2 ** -21 : headsBound);
    }
    const words = new Uint32Array(bytes);
    const written = Array.from({ length: slots }, (_, slot) => slot).filter((slot) =>
      words.subarray(slot * slotLength, (slot + 1) * slotLength).some((word) => word !== untouched),
    );
    expect(written).toEqual([32, 33, 93, 94, 95]);
  });
});

interface HeadCase {
  readonly storage: StorageWithKernels;
  readonly heads: number;
  /** Rows of a head of the matrix, the first that is meant, and how many are. */
  readonly pitch: number;
  readonly start: number;
  readonly rows: number;
  readonly columns: number;
  readonly tokens: number;
  readonly place: Place;
  readonly family?: KernelFamily;
}

const headCases: readonly HeadCase[] = [
  { storage: 'FP8', heads: 4, pitch: 128, start: 0, rows: 64, columns: 96, tokens: 1, place: 'texture' },
  { storage: 'FP8', heads: 3, pitch: 144, start: 64, rows: 80, columns: 32, tokens: 9, place: 'texture' },
  { storage: 'Q4_K', heads: 2, pitch: 32, start: 4, rows: 12, columns: 64, tokens: 3, place: 'texture' },
  // In two shards of two heads.
  { storage: 'F16', heads: 4, pitch: 32, start: 8, rows: 24, columns: 64, tokens: 5, place: 'texture' },
  { storage: 'Q4_0', heads: 5, pitch: 8, start: 0, rows: 8, columns: 288, tokens: 4, place: 'texture' },
  { storage: 'FP8', heads: 3, pitch: 144, start: 64, rows: 80, columns: 32, tokens: 9, place: 'texture', family: 'wide' },
  { storage: 'F16', heads: 4, pitch: 32, start: 8, rows: 24, columns: 64, tokens: 35, place: 'texture', family: 'wide' },
];

/** Only values of heads go by it. */
const matrixUnit = { m: 8, n: 8, k: 8, element: 'f32', form: 'emulated' } as const;

async function prepareHeads({ storage, heads, pitch, start, rows, columns, place }: HeadCase): Promise<{ weights: Float64Array[][]; own: HeadRows }> {
  const { matrix, weights } = await prepareMatmul(gpu, { storage, rows: heads * pitch, columns, tokens: 0, place });
  const rowsOf = (head: number): Float64Array[] => weights.slice(head * pitch + start, head * pitch + start + rows);
  return { weights: Array.from({ length: heads }, (_, head) => rowsOf(head)), own: { matrix, pitch, start, rows } };
}

/** Tiles take a busy CPU device seconds to compile, in ms. */
const patience = 240_000;

/** What each form of the operations leaves in y is within the bound; all but those of matrix units must give the same bits. */
async function runForms(operations: readonly Operation[], y: Vectors, batch: Batch, expected: Float64Array): Promise<void> {
  const forms = operations[0]?.variants.length ?? 0;
  const results = [];
  for (let form = 0; form < forms; form++) {
    await gpu.run(operations, batch.counts, form);
    results.push(await gpu.readVectors(y));
  }
  for (const [form, result] of results.entries()) {
    const { error, message } = compare(result, expected);
    expect(error, message).toBeLessThan(matmulF32Bound);
    if (!operations[0]?.variants[form]?.label.includes('/matrix/')) expect(result, `form ${form}`).toEqual(results[0]);
  }
}

const nameOf = ({ storage, heads, tokens, place, family = 'narrow' }: HeadCase): string => `${storage}, ${heads} heads, ${tokens} tokens, ${place}, ${family}`;

const queryCases: readonly (readonly [KeyRows, HeadCase])[] = [
  ...headCases.map((one) => ['plain', one] as const),
  ['latent', { storage: 'Q8_0', heads: 3, pitch: 44, start: 0, rows: 44, columns: 96, tokens: 5, place: 'texture' }],
  ['latent', { storage: 'F16', heads: 2, pitch: 64, start: 0, rows: 64, columns: 32, tokens: 9, place: 'texture', family: 'wide' }],
];

describe('queries with absorbed weights', () => {
  it.each(queryCases.map(([rowsAre, one]) => [rowsAre, nameOf(one), one] as const))(
    'rows are %s channels, %s',
    { timeout: patience },
    async (rowsAre, _, one) => {
      const { heads, rows, tokens, place, family } = one;
      const ropeLength = 24;
      const { weights, own } = await prepareHeads(one);
      const { columns } = own.matrix;
      const [plainLength, latentLength] = rowsAre === 'plain' ? [rows, columns] : [columns, rows];
      const batch = batchOf(tokens);
      const shape = { ...shapeOf(latentLength, ropeLength, 'f32', heads, batch), scale: 0.3 };
      const inputLength = plainLength + ropeLength;
      const x = randomFloats(tokens * heads * inputLength, 5);
      const width = heads * shape.headLength;
      const queries = gpu.vectors(new Float32Array(tokens * width), width, place);
      const buffers = {
        x: gpu.vectors(x, heads * inputLength, place),
        queries,
        rotation: gpu.buffer(rotationOf(ropeLength)),
        batch: gpu.buffer(batch.seal()),
      };
      const keys = weights.map((rowsOf) => (rowsAre === 'plain' ? rowsOf : transpose(rowsOf)));
      const expected = Array.from({ length: tokens * heads }, (__, i) => {
        const query = x.subarray(i * inputLength, (i + 1) * inputLength);
        return [...latentQueryReference(query, keys[i % heads] ?? [], 0.3, turnAt(first + Math.floor(i / heads), ropeLength))];
      });
      await runForms(latentQueries(shape, { ...own, rowsAre }, buffers, { lanes: gpu.lanes, family }), queries, batch, Float64Array.from(expected.flat()));
    },
  );
});

function transpose(rows: readonly Float64Array[]): Float64Array[] {
  return Array.from({ length: rows[0]?.length ?? 0 }, (_, column) => Float64Array.from(rows, (row) => row[column] ?? 0));
}

const valueCases: readonly HeadCase[] = [
  ...headCases,
  { storage: 'Q4_0', heads: 3, pitch: 40, start: 4, rows: 36, columns: 64, tokens: 35, place: 'texture', family: 'matrix' },
];

describe('values of each head', () => {
  it.each(valueCases.map((one) => [nameOf(one), one] as const))('%s', { timeout: patience }, async (_, one) => {
    const { heads, rows, tokens, place, family } = one;
    const { weights, own } = await prepareHeads(one);
    const { columns } = own.matrix;
    const batch = batchOf(tokens);
    const x = randomFloats(tokens * heads * columns, 6);
    const y = gpu.vectors(new Float32Array(tokens * heads * rows), heads * rows, place);
    const expected = joined(
      Array.from({ length: tokens * heads }, (__, i) => matvecReference(weights[i % heads] ?? [], x.subarray(i * columns, (i + 1) * columns))),
    );
    const facts = { lanes: gpu.lanes, family, matrixUnit, layout: batch.layout, batch: gpu.buffer(batch.seal()) };
    // So many tokens that a dispatch has room for two heads at most.
    const maxTokens = 8 * 32_000;
    const operations = headMatmul(own, { ...facts, x: gpu.vectors(x, heads * columns, place), y, heads, maxTokens });
    if (family === undefined && gpu.lanes >= 8) expect(operations.length).toBe(headRuns(own, 2).length);
    await runForms(operations, y, batch, Float64Array.from(expected));
  });

  it.each(['texture', 'buffer'] as const)('heads of the same rows in a %s', { timeout: patience }, async (place) => {
    const [heads, tokens] = [4, 5];
    const { weights, own } = await prepareHeads({ storage: 'Q8_0', heads: 1, pitch: 36, start: 0, rows: 36, columns: 96, tokens, place });
    const { columns } = own.matrix;
    const batch = batchOf(tokens);
    const x = randomFloats(tokens * heads * columns, 7);
    const y = gpu.vectors(new Float32Array(tokens * heads * own.rows), heads * own.rows, place);
    const expected = joined(Array.from({ length: tokens * heads }, (_, i) => matvecReference(weights[0] ?? [], x.subarray(i * columns, (i + 1) * columns))));
    const facts = { lanes: gpu.lanes, layout: batch.layout, batch: gpu.buffer(batch.seal()), maxTokens: tokens };
    const operations = headMatmul({ ...own, pitch: 0 }, { ...facts, x: gpu.vectors(x, heads * columns, place), y, heads });
    await runForms(operations, y, batch, Float64Array.from(expected));
  });
});
