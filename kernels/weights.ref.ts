/**
 * CPU references of the weight formats: values of the blocks as the files store them, in double precision.
 * Source: GGUF block layouts (gguf-py 0.19.0, quants.py). And matrix times activations over them.
 */
import { blockColumns, packedStorages, type StorageWithKernels } from './weights.ts';

/** Values of one row of `columns` from file bytes. */
export function dequantizeRow(storage: StorageWithKernels, bytes: Uint8Array, columns: number): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { fileBlockSize } = packedStorages[storage];
  const out = new Float64Array(columns);
  for (let block = 0; block < columns / blockColumns; block++) {
    const at = block * fileBlockSize;
    for (let i = 0; i < blockColumns; i++) out[block * blockColumns + i] = blockValue(storage, view, at, i);
  }
  return out;
}

function blockValue(storage: StorageWithKernels, view: DataView, at: number, i: number): number {
  switch (storage) {
    case 'F32':
      return view.getFloat32(at + 4 * i, true);
    case 'F16':
      return view.getFloat16(at + 2 * i, true);
    case 'BF16':
      return bf16Value(view.getUint16(at + 2 * i, true));
    case 'Q8_0':
      return view.getFloat16(at, true) * view.getInt8(at + 2 + i);
    case 'Q4_0': {
      const byte = view.getUint8(at + 2 + (i % 16));
      return view.getFloat16(at, true) * ((i < 16 ? byte & 15 : byte >> 4) - 8);
    }
    case 'Q4_1': {
      const byte = view.getUint8(at + 4 + (i % 16));
      return view.getFloat16(at, true) * (i < 16 ? byte & 15 : byte >> 4) + view.getFloat16(at + 2, true);
    }
  }
}

/** BF16 by its definition: sign, 8 bits of exponent with bias 127, 7 bits of fraction. */
function bf16Value(bits: number): number {
  const exponent = (bits >> 7) & 255;
  const fraction = (bits & 127) / 128;
  const size = exponent === 0 ? fraction * 2 ** -126 : (1 + fraction) * 2 ** (exponent - 127);
  return bits >> 15 === 1 ? -size : size;
}

/** y = W x for one activation row. */
export function matvecReference(rows: readonly Float64Array[], x: ArrayLike<number>): Float64Array {
  return Float64Array.from(rows, (row) => row.reduce((sum, weight, i) => sum + weight * (x[i] ?? 0), 0));
}

/** NMSE of an f32 matmul: rounding of sums of a few thousand products. */
export const matmulF32Bound = 1e-11;
/** NMSE with int8 activations against the exact product: half a step of 1/127 of a block's largest value. */
export const matmulInt8Bound = 3e-4;
