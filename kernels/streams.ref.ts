/** CPU references of streams.ts, in double precision. */
import { streamCount } from './streams.ts';

/**
 * NMSE: an exponent of 100 in f32 is off by some 4e-6, and so is a coefficient; sums of up to 64 thousand squares are off by 2e-7 of themselves, and so is
 * each of 40 divisions at most.
 */
export const streamsBound = 1e-10;

export interface MixOptions {
  readonly scales: ArrayLike<number>;
  readonly biases: ArrayLike<number>;
  readonly turns: number;
  readonly epsilon: number;
  readonly least: number;
}

export interface MixReference {
  readonly before: number[];
  readonly after: number[];
  /** Row by row. */
  readonly matrix: number[][];
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const at = (values: ArrayLike<number>, i: number): number => values[i] ?? 0;

/** `streams`: of a token, one after the other; `mixes`: what they are multiplied to. Where streams end there are but four of those. */
export function mixReference(streams: ArrayLike<number>, mixes: ArrayLike<number>, options: MixOptions): MixReference {
  const { scales, biases, turns, epsilon, least } = options;
  const squares = Array.from(streams, (value) => value ** 2);
  const factor = 1 / Math.sqrt(sum(squares) / squares.length + epsilon);
  const part = (first: number, scale: number): number[] =>
    Array.from({ length: streamCount }, (_, i) => at(mixes, first + i) * factor * at(scales, scale) + at(biases, first + i));
  const before = part(0, 0).map((value) => sigmoid(value) + least);
  if (mixes.length === streamCount) return { before, after: [], matrix: [] };
  const rows = Array.from({ length: streamCount }, (_, row) => part((2 + row) * streamCount, 2));
  const softmax = rows.map((row) => row.map((value) => Math.exp(value) / sum(row.map(Math.exp)) + least));
  const byColumns = (matrix: number[][]): number[][] =>
    matrix.map((row) => row.map((value, column) => value / (sum(matrix.map((other) => at(other, column))) + least)));
  let matrix = byColumns(softmax);
  for (let turn = 1; turn < turns; turn++) matrix = byColumns(matrix.map((row) => row.map((value) => value / (sum(row) + least))));
  return { before, after: part(streamCount, 1).map((value) => 2 * sigmoid(value)), matrix };
}

/** What a block gets. */
export function mixedReference(streams: ArrayLike<number>, { before }: MixReference): Float64Array {
  const columns = streams.length / streamCount;
  return Float64Array.from({ length: columns }, (_, column) => sum(before.map((weight, i) => weight * at(streams, i * columns + column))));
}

/** The streams with its result. */
export function joinedReference(result: ArrayLike<number>, streams: ArrayLike<number>, { after, matrix }: MixReference): Float64Array {
  const columns = result.length;
  return Float64Array.from({ length: streams.length }, (_, i) => {
    const [k, column] = [Math.floor(i / columns), i % columns];
    return at(after, k) * at(result, column) + sum(matrix.map((row, j) => at(row, k) * at(streams, j * columns + column)));
  });
}
