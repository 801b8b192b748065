/**
 * Owns 4-bit matrices as onnxruntime multiplies them: codes and a scale for 32 columns, value = scale * (code - 8), which is what Q4_0 is
 * too. Gives their tensors and nodes. Refuses zero points: its WebGPU provider takes whole numbers only, which fit no offset exactly.
 */
import { type Encoded, encodeTensor, type Node } from './proto.ts';

export const blockColumns = 32;

/** Whole numbers and scales of a matrix. */
export interface FourBits {
  readonly rows: number;
  readonly columns: number;
  /** [row][column], 0 to 15. */
  readonly codes: Uint8Array;
  /** [row][block of 32 columns]. */
  readonly scales: Float32Array;
}

/** What activations become on the way in: f32 as they are, int8 blocks. */
export type AccuracyLevel = 0 | 4;

/** `NAME codes` [row][block][16] of bytes, of which byte i holds columns 2i (low half) and 2i + 1; and `NAME scales`. */
export function encodeMatrix(name: string, { rows, columns, codes, scales }: FourBits): Encoded[] {
  const blocks = columns / blockColumns;
  return [
    encodeTensor(`${name} codes`, 'u8', [rows, blocks, blockColumns / 2], packCodes(codes)),
    encodeTensor(`${name} scales`, 'f32', [rows, blocks], scales),
  ];
}

function packCodes(codes: Uint8Array): Uint8Array {
  const packed = new Uint8Array(codes.length / 2);
  for (let i = 0; i < packed.length; i++) packed[i] = (codes[2 * i] ?? 0) | ((codes[2 * i + 1] ?? 0) << 4);
  return packed;
}

/** y = W x, of the matrix that `encodeMatrix` has written under this name. */
export function multiply(name: string, { rows, columns }: Pick<FourBits, 'rows' | 'columns'>, x: string, y: string, accuracyLevel: AccuracyLevel): Node {
  return {
    name: `${name} product`,
    operator: 'MatMulNBits',
    inputs: [x, `${name} codes`, `${name} scales`],
    outputs: [y],
    attributes: { K: columns, N: rows, bits: 4, block_size: blockColumns, accuracy_level: accuracyLevel },
    isContributed: true,
  };
}
