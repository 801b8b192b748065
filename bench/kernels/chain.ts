/**
 * Owns what the kernel comparison computes: a chain of 4-bit matrices, each times the result of the one before, so that every side
 * has one input, one output and nothing to skip. The weights are those of Q4_0 (32 columns share an f16 scale, value = scale * (code - 8)),
 * which is also what onnxruntime's MatMulNBits computes without zero points. Pure.
 */
import { blockColumns, type FourBits } from '../onnx/four-bits.ts';

export interface Shape {
  readonly rows: number;
  readonly columns: number;
}

/** What is measured: `shapes`, one after the other, `turns` times. */
export interface ChainPlan {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly turns: number;
}

export interface Chain {
  readonly plan: ChainPlan;
  /** Codes of 1 to 15, scales that an f16 holds. */
  readonly matrices: readonly FourBits[];
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

function createMatrix({ rows, columns }: Shape, next: () => number): FourBits {
  const codes = Uint8Array.from({ length: rows * columns }, () => 1 + next() * 15);
  // Codes less 8 have mean 0 and mean square (15^2 - 1) / 12: with this scale a row of them keeps the size of what goes through.
  const size = Math.sqrt(12 / (15 ** 2 - 1) / columns);
  const scales = Float32Array.from(Float16Array.from({ length: (rows * columns) / blockColumns }, () => size * (0.75 + next() / 2)));
  return { rows, columns, codes, scales };
}

/** Input vectors, [token][column]. */
export function createInput(columns: number, tokens: number): Float32Array {
  const next = createRandom();
  return Float32Array.from({ length: columns * tokens }, () => 2 * next() - 1);
}

/** The matrix as blocks of Q4_0: f16 scale, then byte i with column i in the low half and column 16 + i in the high one. */
export function encodeBlocks({ codes, scales }: FourBits): Uint8Array {
  const bytes = new Uint8Array(scales.length * blockSize);
  const view = new DataView(bytes.buffer);
  scales.forEach((scale, block) => {
    const at = block * blockSize;
    view.setFloat16(at, scale, true);
    for (let i = 0; i < 16; i++) bytes[at + 2 + i] = code(codes, block * 32 + i) | (code(codes, block * 32 + 16 + i) << 4);
  });
  return bytes;
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
