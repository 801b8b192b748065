/**
 * Owns what the kernel comparison computes: a chain of 4-bit matrices, each times the result of the one before, so that every side
 * has one input, one output and nothing to skip. The weights are numbers that Q4_0 holds (32 columns share a scale, value = scale * (code - 8)),
 * which is also what onnxruntime's MatMulNBits computes without zero points; other storages hold them too (encode.ts). Pure.
 */
import type { StorageWithKernels } from '../../kernels/weights.ts';
import { blockColumns, type FourBits } from '../onnx/four-bits.ts';

export interface Shape {
  readonly rows: number;
  readonly columns: number;
  /** Of our side, one of `chainStorages`; Q4_0 without it. */
  readonly storage?: StorageWithKernels;
}

/** What is measured: `shapes`, one after the other, `turns` times. */
export interface ChainPlan {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly turns: number;
  /** Vectors that are multiplied at once; without it one, as in decoding, and 128, as in prefill. */
  readonly tokens?: readonly number[];
}

export interface Chain {
  readonly plan: ChainPlan;
  /** Codes of 1 to 15, scales of 12 to 40 times a power of two. */
  readonly matrices: readonly (FourBits & Shape)[];
}

/** Bytes of 32 columns: an f16 and 32 times 4 bits. */
const blockSize = 18;

/** Of the chains that targets are for. */
export const chainNames = { feedForward: '1536 x 576 and back', square: '2048 x 2048' } as const;

/** The shapes of SmolLM2-135M's feed-forward matrices, and squares as in a model of 1B; 17 and 19 MB, more than a core's cache, as in a model. */
export const chainPlans: readonly ChainPlan[] = [
  {
    name: chainNames.feedForward,
    shapes: [
      { rows: 1536, columns: 576 },
      { rows: 576, columns: 1536 },
    ],
    turns: 17,
  },
  { name: chainNames.square, shapes: [{ rows: 2048, columns: 2048 }], turns: 8 },
];

function listShapes({ shapes, turns }: ChainPlan): Shape[] {
  return Array.from({ length: turns }, () => shapes).flat();
}

/** The chain with pseudo-random values; results stay near 1 in size. */
export function createChain(plan: ChainPlan): Chain {
  const next = createRandom();
  return { plan, matrices: listShapes(plan).map((shape) => createMatrix(shape, next)) };
}

/** Bytes of the matrix as Q4_0. */
function weightSize({ rows, columns }: Shape): number {
  return ((rows * columns) / blockColumns) * blockSize;
}

/** In `ms`: GB/s of weights for one vector, GFLOP/s for more. */
export function rateOf(plan: ChainPlan, tokens: number, ms: number): number {
  const work = listShapes(plan).reduce((sum, shape) => sum + (tokens === 1 ? weightSize(shape) : 2 * shape.rows * shape.columns * tokens), 0);
  return work / (ms * 1e6);
}

function createMatrix(shape: Shape, next: () => number): FourBits & Shape {
  const { rows, columns } = shape;
  const codes = Uint8Array.from({ length: rows * columns }, () => 1 + next() * 15);
  // Codes less 8 have mean 0 and mean square (15^2 - 1) / 12: with this scale a row of them keeps the size of what goes through.
  const size = Math.sqrt(12 / (15 ** 2 - 1) / columns);
  const unit = 2 ** Math.floor(Math.log2(size / 16));
  const scales = Float32Array.from({ length: (rows * columns) / blockColumns }, () => unit * Math.round((size / unit) * (0.75 + next() / 2)));
  return { ...shape, codes, scales };
}

/** Input vectors, [token][column]. */
export function createInput(columns: number, tokens: number): Float32Array {
  const next = createRandom();
  return Float32Array.from({ length: columns * tokens }, () => 2 * next() - 1);
}

/** What the chain makes of one vector, in double precision: the truth that every side is held against. */
export function multiplyChain({ matrices }: Chain, x: ArrayLike<number>): Float64Array {
  let vector = Float64Array.from(x);
  for (const { rows, columns, codes, scales } of matrices) {
    const product = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let column = 0; column < columns; column++) {
        const at = row * columns + column;
        sum += (code(codes, at) - 8) * (scales[Math.floor(at / blockColumns)] ?? 0) * (vector[column] ?? 0);
      }
      product[row] = sum;
    }
    vector = product;
  }
  return vector;
}

function code(codes: Uint8Array, index: number): number {
  return codes[index] ?? 0;
}

/** Numbers in [0, 1), the same at every call: xorshift32 (Marsaglia 2003). */
function createRandom(): () => number {
  let state = 2463534242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
