/**
 * Owns what an ONNX graph takes from a GGUF file: matrices as 4-bit codes, vectors as f32. Codes of Q4_0 stay as they are; other storages
 * are rounded to them, as onnxruntime's own builder of models rounds, so such a graph computes with other numbers than the file has.
 */
import { dequantizeRow } from '../../kernels/formats.ref.ts';
import { fileRowSize } from '../../kernels/repack.ts';
import { packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import type { Checkpoint, TensorHeader } from '../../runtime/checkpoint/index.ts';
import { blockColumns, type FourBits } from './four-bits.ts';

/** Throws for a tensor that is not there or has another shape. */
export function findTensor(checkpoint: Checkpoint, name: string, shape: readonly number[]): TensorHeader {
  const header = checkpoint.tensors.get(name);
  if (header === undefined) throw new Error(`the file has no tensor ${name}`);
  if (header.shape.join() !== shape.join()) throw new Error(`${name} is ${header.shape.join(' x ')}, expected ${shape.join(' x ')}`);
  if (!Object.hasOwn(packedStorages, header.storage)) throw new Error(`${name} is stored as ${header.storage}, which is not read here`);
  return header;
}

export function readVector(checkpoint: Checkpoint, name: string, length: number): Float32Array {
  const header = findTensor(checkpoint, name, [length]);
  const bytes = new Uint8Array(header.size);
  checkpoint.read(header.offset, bytes);
  return Float32Array.from(dequantizeRow(header.storage as StorageWithKernels, bytes, length));
}

export interface Part {
  readonly tensor: string;
  readonly rows: number;
  /** Row of the file for each row; without it they stay in order. */
  readonly order?: (row: number) => number;
}

/** Matrices of equal width, one below the other. */
export function readMatrix(checkpoint: Checkpoint, columns: number, parts: readonly Part[]): FourBits {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const codes = new Uint8Array(rows * columns);
  const scales = new Float32Array((rows * columns) / blockColumns);
  let at = 0;
  for (const part of parts) {
    const header = findTensor(checkpoint, part.tensor, [part.rows, columns]);
    const storage = header.storage as StorageWithKernels;
    const bytes = new Uint8Array(header.size);
    checkpoint.read(header.offset, bytes);
    const size = fileRowSize(storage, columns);
    for (let row = 0; row < part.rows; row++) {
      const from = (part.order?.(row) ?? row) * size;
      const place = { codes: codes.subarray(at * columns), scales: scales.subarray((at * columns) / blockColumns) };
      if (storage === 'Q4_0') copyRow(bytes.subarray(from, from + size), place);
      else roundRow(dequantizeRow(storage, bytes.subarray(from, from + size), columns), place);
      at++;
    }
  }
  return { rows, columns, codes, scales };
}

type Row = Pick<FourBits, 'codes' | 'scales'>;

/** Blocks of an f16 scale, then 16 bytes, of which byte i holds columns i and 16 + i. */
function copyRow(bytes: Uint8Array, { codes, scales }: Row): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let block = 0; block * 18 < bytes.length; block++) {
    scales[block] = view.getFloat16(block * 18, true);
    for (let i = 0; i < 16; i++) {
      const both = bytes[block * 18 + 2 + i] ?? 0;
      codes[block * 32 + i] = both & 15;
      codes[block * 32 + 16 + i] = both >> 4;
    }
  }
}

/** The number furthest from zero gets code 0, which stands for -8; the others the nearest of the 16. */
function roundRow(values: Float64Array, { codes, scales }: Row): void {
  for (let start = 0; start < values.length; start += blockColumns) {
    let furthest = 0;
    for (let i = 0; i < blockColumns; i++) if (Math.abs(values[start + i] ?? 0) > Math.abs(furthest)) furthest = values[start + i] ?? 0;
    const scale = furthest / -8;
    scales[start / blockColumns] = scale;
    for (let i = 0; i < blockColumns; i++) codes[start + i] = scale === 0 ? 8 : Math.min(15, Math.floor((values[start + i] ?? 0) / scale + 8.5));
  }
}
