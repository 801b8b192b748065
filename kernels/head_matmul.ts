/**
 * Owns the multiplication of each head's channels by rows of its own: the matmul kernel over the heads of a matrix that has their rows one
 * below the other (the value half of multi-head latent attention). Refuses biases, norms and int8, which no family has there.
 */

import type { ExpertMatrix } from './experts.ts';
import { type Operation, placeOf, type Slice, type Vectors } from './kernel.ts';
import { choiceOf, type Finish, matmulParams, matmulVariants, workgroupQuads } from './matmul.ts';
import { standardTiles, type TileFacts } from './tiles.ts';
import { type PackedMatrix, quadRows, type Shard } from './weights.ts';

/** Rows of each head of a matrix; every shard of the matrix has whole heads. */
export interface HeadRows {
  readonly matrix: PackedMatrix;
  /** Rows of a head, those that are not meant too; like `start` and `rows` a multiple of 4. 0: heads have the same rows, and the matrix one shard. */
  readonly pitch: number;
  /** Of a head. */
  readonly start: number;
  readonly rows: number;
}

/** All rows of each, where a matrix is stored head by head. */
export function headsOf({ storage, rows, columns, shards }: ExpertMatrix): HeadRows {
  const own = shards.map(({ firstExpert, experts, packed }) => ({ firstRow: firstExpert * rows, rows: experts * rows, packed }));
  const count = own.reduce((sum, shard) => sum + shard.rows, 0);
  return { matrix: { storage, rows: count, columns, shards: own }, pitch: rows, start: 0, rows };
}

/** Workgroups of one dispatch, along one side. */
const gridLimit = 65_535;

/** A run of heads that one dispatch multiplies. */
interface HeadRun {
  readonly packed: Vectors;
  readonly firstHead: number;
  readonly heads: number;
  /** Quads of rows from the plane's first to the run's, and of the whole plane. */
  readonly start: number;
  readonly planeQuads: number;
}

/** Of a shard, at most so many heads at a time. `count`: of all heads, where they have the same rows. */
export function headRuns({ matrix, pitch, start }: HeadRows, most: number = Number.POSITIVE_INFINITY, count = 1): HeadRun[] {
  return matrix.shards.flatMap((shard: Shard) => {
    const [heads, first] = pitch === 0 ? [count, 0] : [shard.rows / pitch, shard.firstRow / pitch];
    const step = Math.min(most, heads);
    return Array.from({ length: Math.ceil(heads / step) }, (_, i) => ({
      packed: shard.packed,
      firstHead: first + i * step,
      heads: Math.min(step, heads - i * step),
      start: (i * step * pitch + start) / quadRows,
      planeQuads: Math.ceil(shard.rows / quadRows),
    }));
  });
}

export interface HeadMatmulArguments extends TileFacts {
  /** [token][head][columns] f32. */
  readonly x: Vectors;
  /** [token][head][rows] f32. */
  readonly y: Vectors;
  readonly heads: number;
  readonly batch: Slice;
  readonly maxTokens: number;
  readonly layout: Readonly<Record<string, number>>;
}

/** y = W[head] x of every head and token, or W x where heads have the same rows. */
export function headMatmul(weights: HeadRows, { x, y, heads, batch, maxTokens, ...facts }: HeadMatmulArguments): Operation[] {
  const { matrix, pitch, rows } = weights;
  const tiles = standardTiles(facts, { activations: 'f32', finish: 'store' });
  const finish: Finish = { kind: 'store', y, stride: heads * rows };
  const leastTokens = tiles.at(-1)?.tokens ?? 1;
  const groupQuads = tiles.map((tile) => workgroupQuads(tile, facts.lanes, 'f32'));
  const tokensOf = (variant: number): number => tiles[variant]?.tokens ?? 1;
  return headRuns(weights, Math.max(1, Math.floor(gridLimit / Math.ceil(maxTokens / leastTokens))), heads).map((run) => ({
    variants: matmulVariants({
      ...choiceOf({ ...matrix, rows }, placeOf(run.packed), { ...facts, x: { format: 'f32', vectors: x }, finish, over: 'tokens', tiles }),
      isByHead: true,
    }),
    resources: [run.packed, x, y, batch],
    params: matmulParams({
      quads: rows / quadRows,
      columns: matrix.columns,
      rows,
      offset: 0,
      over: 'tokens',
      epsilon: undefined,
      finish,
      planeQuads: run.planeQuads,
      heads: { first: run.firstHead, pitch: pitch / quadRows, start: run.start, inputWidth: (heads * matrix.columns) / quadRows },
    }),
    choose: ({ tokens }) => {
      const fits = tiles.findIndex((tile) => tile.tokens >= tokens);
      return fits < 0 ? tiles.length - 1 : fits;
    },
    gridX: (_, variant) => Math.ceil(rows / quadRows / (groupQuads[variant] ?? 1)),
    gridY: ({ tokens }, variant) => run.heads * Math.ceil(tokens / tokensOf(variant)),
  }));
}
