/** Owns the set-ups of what reads packed weights: matmul alone, gate and up with norm and SwiGLU, embed; and of repack, which makes them. */
import { rmsNormReference } from '../../../kernels/activations.ref.ts';
import { embed } from '../../../kernels/embed.ts';
import { dequantizeRow } from '../../../kernels/formats.ref.ts';
import { gatedReference } from '../../../kernels/gated.ref.ts';
import { gates } from '../../../kernels/gated.ts';
import type { Operation } from '../../../kernels/kernel.ts';
import { type MatmulArguments, matmul } from '../../../kernels/matmul.ts';
import { randomFileRows, randomFloats } from '../../../kernels/random.ref.ts';
import { randomStored } from '../../../kernels/random_stored.ref.ts';
import { fileRowSize, gridWords, repackChunk, repackVariant } from '../../../kernels/repack.ts';
import { storedRow } from '../../../kernels/stored.ref.ts';
import { matvecReference } from '../../../kernels/weights.ref.ts';
import { isBlockStorage, type PackedMatrix, packedExtent, type StorageWithKernels } from '../../../kernels/weights.ts';
import { loadWeights } from '../../../runtime/checkpoint/loader.ts';
import { findMatrix } from '../../../runtime/checkpoint/stored.ts';
import { rawSizeOf, readChunk } from '../../../runtime/checkpoint/strips.ts';
import { createCheckpoint, type Stored, storeBlocks } from '../../kernels/stored.ts';
import type { Sizes } from '../cases.ts';
import { distance, noCounts, type Prepared, plainLayout, type Workbench } from '../workbench.ts';

/** Rows whose results are held against the reference. */
const sampleRows = 32;
/** Rows that are made; a higher matrix repeats them, because random numbers take time. A prime, so that rows far apart differ. */
const madeRows = 1021;
const epsilon = 1e-5;

export interface RandomMatrix {
  readonly stored: Stored;
  valuesOf(row: number): Float64Array;
}

export function createMatrix(storage: StorageWithKernels, rows: number, columns: number, seed: number): RandomMatrix {
  if (!isBlockStorage(storage)) {
    const example = randomStored(storage, rows, columns, seed, { isPlain: true });
    return { stored: example, valuesOf: (row) => storedRow(storage, example.matrix, row) };
  }
  const size = fileRowSize(storage, columns);
  const made = Math.min(rows, madeRows);
  const random = randomFileRows(storage, made, columns, seed);
  const blocks = made === rows ? random : new Uint8Array(rows * size);
  for (let row = 0; made < rows && row < rows; row += made) blocks.set(random.subarray(0, Math.min(made, rows - row) * size), row * size);
  return {
    stored: storeBlocks(storage, rows, columns, blocks),
    valuesOf: (row) => dequantizeRow(storage, blocks.subarray(row * size, (row + 1) * size), columns),
  };
}

function sampleOf(rows: number): number[] {
  const step = Math.max(1, Math.floor(rows / sampleRows));
  return Array.from({ length: Math.min(rows, sampleRows) }, (_, i) => i * step);
}

/** As the engine loads it; `headRows`: as those of a MatrixSpec. Parts one below the other, or their quads in turn. */
export async function load(
  { open, memory, pipelines }: Workbench,
  { rows, columns }: Pick<Sizes['matmul'], 'rows' | 'columns'>,
  parts: readonly RandomMatrix[],
  more: { readonly headRows?: number } = {},
): Promise<PackedMatrix> {
  const spec = { kind: 'matrix' as const, columns, parts: parts.map((_, i) => ({ tensor: `m${i}.weight`, rows })), interleaved: parts.length > 1, ...more };
  const checkpoint = createCheckpoint(Object.fromEntries(parts.map(({ stored }, i) => [`m${i}`, stored])));
  const weights = await loadWeights(checkpoint, new Map([['m', spec]]), { ...open, memory, pipelines });
  const matrix = weights.matrix('m').pieces[0]?.matrix;
  if (matrix === undefined) throw new Error('no matrix');
  return matrix;
}

/** As a step of `tokens` tokens does. */
function multiply(bench: Workbench, matrix: PackedMatrix, tokens: number, args: Pick<MatmulArguments, 'x' | 'norm' | 'finish'>): Operation[] {
  const batch = bench.buffer(Uint32Array.of(tokens, 0, 0, 0));
  return matmul(matrix, { ...args, ...bench.facts, offset: 0, over: 'tokens', batch, layout: plainLayout });
}

export async function setUpMatmul(bench: Workbench, sizes: Sizes['matmul']): Promise<Prepared> {
  const { storage, rows, columns, tokens, activations = 'f32' } = sizes;
  const random = createMatrix(storage, rows, columns, rows);
  const matrix = await load(bench, sizes, [random]);
  const x = randomFloats(columns * tokens, 1);
  const vectors = bench.vectors(columns / 4, tokens, x);
  const y = bench.empty(tokens * rows * 4);
  const finish = { kind: 'store' as const, y, stride: rows };
  return {
    operations: multiply(bench, matrix, tokens, { x: { format: activations, vectors }, finish }),
    counts: { ...noCounts, tokens },
    check: async () => {
      const got = await bench.read(y, rows);
      const sample = sampleOf(rows);
      return distance(
        sample.map((row) => got[row] ?? Number.NaN),
        matvecReference(sample.map(random.valuesOf), x.subarray(0, columns)),
      );
    },
  };
}

export async function setUpGateAndUp(bench: Workbench, sizes: Sizes['gate and up']): Promise<Prepared> {
  const { storage, rows, columns, tokens, activations = 'f32' } = sizes;
  const [gate, up] = [createMatrix(storage, rows, columns, 1), createMatrix(storage, rows, columns, 2)];
  const matrix = await load(bench, sizes, [gate, up]);
  // Small enough that the exponential of a sum stays finite.
  const weight = randomFloats(columns, 4, 1 / 64);
  const x = randomFloats(columns * tokens, 1);
  const vectors = bench.vectors(columns / 4, tokens, x);
  const y = bench.vectors(rows / 4, tokens);
  const norm = { weight: bench.uniform(weight), epsilon };
  const finish = { kind: 'gated' as const, y, gate: gates.swiglu };
  return {
    operations: multiply(bench, matrix, tokens, { x: { format: activations, vectors }, norm, finish }),
    counts: { ...noCounts, tokens },
    check: async () => {
      const got = await bench.read(y, rows);
      const sample = sampleOf(rows);
      const normed = Float32Array.from(rmsNormReference(x.subarray(0, columns), weight, epsilon));
      const [gateSums, ups] = [gate, up].map(({ valuesOf }) => matvecReference(sample.map(valuesOf), normed));
      return distance(
        sample.map((row) => got[row] ?? Number.NaN),
        gatedReference(gateSums ?? [], ups ?? [], gates.swiglu),
      );
    },
  };
}

export async function setUpEmbed(bench: Workbench, sizes: Sizes['embed']): Promise<Prepared> {
  const { storage, rows, columns, tokens } = sizes;
  const random = createMatrix(storage, rows, columns, rows);
  const matrix = await load(bench, sizes, [random]);
  const ids = Uint32Array.from({ length: tokens }, (_, token) => (7 + token * 61) % rows);
  const y = bench.empty(tokens * columns * 4);
  const batch = bench.buffer(Uint32Array.of(tokens, 0, 0, 0, ...ids));
  return {
    operations: embed(matrix, y, batch, bench.open.subgroupSize, plainLayout),
    counts: { ...noCounts, tokens },
    check: async () => distance(await bench.read(y, columns), random.valuesOf(ids[0] ?? 0)),
  };
}

/** Held against the reference by a lookup of one of the rows that it made. */
export async function setUpRepack(bench: Workbench, { storage, rows, columns }: Sizes['repack']): Promise<Prepared> {
  const random = createMatrix(storage, rows, columns, rows);
  const { width, height } = packedExtent(storage, rows, columns);
  const packed = bench.vectors(width, height, undefined, 'rgba32uint');
  const grid = gridWords(storage);
  const stored = findMatrix(createCheckpoint({ m: random.stored }), { tensor: 'm.weight', rows }, columns);
  const bytes = new Uint8Array(rawSizeOf(stored, 0, rows));
  const layout = readChunk(stored, 0, rows, bytes);
  const { params, grid: groups } = repackChunk(storage, { columns, shardRows: rows, rows, firstQuad: 0, quadStep: 1, layout });
  const operation: Operation = {
    variants: [repackVariant(storage, bench.open.place)],
    resources: [bench.buffer(bytes), packed, ...(grid === undefined ? [] : [bench.buffer(grid)])],
    params,
    choose: () => 0,
    gridX: () => groups[0],
    gridY: () => groups[1],
  };
  return {
    operations: [operation],
    counts: noCounts,
    check: async () => {
      const row = rows - 3;
      const y = bench.empty(columns * 4);
      const matrix = { storage, rows, columns, shards: [{ firstRow: 0, rows, packed }] };
      await bench.run(embed(matrix, y, bench.buffer(Uint32Array.of(1, 0, 0, 0, row)), bench.open.subgroupSize, plainLayout), { ...noCounts, tokens: 1 });
      return distance(await bench.read(y, columns), random.valuesOf(row));
    },
  };
}
