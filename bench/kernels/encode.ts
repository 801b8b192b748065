/**
 * Owns the matrices of a chain as blocks of a file, in every storage that holds their numbers exactly: scale * (code - 8), codes of four
 * bits, scales small whole multiples of one power of two. So every side multiplies the same numbers, whatever the storage of ours.
 * Layouts: kernels/formats.ref.ts.
 */
import { packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import type { FourBits } from '../onnx/four-bits.ts';

/** Writes the numbers of one block of the file: `codes` less 8 times `multiples` of `unit`, one for 32 of them. */
type WriteBlock = (view: DataView, codes: Uint8Array, multiples: readonly number[], unit: number) => void;

const half = (view: DataView, at: number, value: number): void => view.setFloat16(at, value, true);

/** Byte i of 16 holds number i in its low half and number 16 + i in its high one. */
function nibbles(view: DataView, at: number, code: (i: number) => number): void {
  for (let i = 0; i < 16; i++) view.setUint8(at + i, (code(i) & 15) | ((code(16 + i) & 15) << 4));
}

/** Eight six-bit scales and minimums in twelve bytes, of which the last four hold the upper bits of the last four of each. */
function scalesAndMins(view: DataView, at: number, scales: readonly number[], mins: readonly number[]): void {
  for (let j = 0; j < 4; j++) {
    const [scale = 0, min = 0, later = 0, laterMin = 0] = [scales[j], mins[j], scales[j + 4], mins[j + 4]];
    view.setUint8(at + j, scale | ((later >> 4) << 6));
    view.setUint8(at + 4 + j, min | ((laterMin >> 4) << 6));
    view.setUint8(at + 8 + j, (later & 15) | ((laterMin & 15) << 4));
  }
}

const writers: Partial<Record<StorageWithKernels, WriteBlock>> = {
  F16: (view, codes, [multiple = 0], unit) => {
    for (const [i, code] of codes.entries()) half(view, 2 * i, (code - 8) * multiple * unit);
  },
  Q4_0: (view, codes, [multiple = 0], unit) => {
    half(view, 0, multiple * unit);
    nibbles(view, 2, (i) => codes[i] ?? 0);
  },
  Q4_1: (view, codes, [multiple = 0], unit) => {
    half(view, 0, multiple * unit);
    half(view, 2, -8 * multiple * unit);
    nibbles(view, 4, (i) => codes[i] ?? 0);
  },
  // Codes stand for themselves less 16.
  Q5_0: (view, codes, [multiple = 0], unit) => {
    half(view, 0, multiple * unit);
    view.setUint32(
      2,
      codes.reduce((bits, code, i) => bits + (code >= 8 ? 2 ** i : 0), 0),
      true,
    );
    nibbles(view, 6, (i) => (codes[i] ?? 0) + 8);
  },
  Q8_0: (view, codes, [multiple = 0], unit) => {
    half(view, 0, multiple * unit);
    for (const [i, code] of codes.entries()) view.setInt8(2 + i, code - 8);
  },
  Q4_K: (view, codes, multiples, unit) => {
    half(view, 0, unit);
    half(view, 2, 8 * unit);
    scalesAndMins(view, 4, multiples, multiples);
    for (let i = 0; i < 128; i++) {
      const at = Math.floor(i / 32) * 64 + (i % 32);
      view.setUint8(16 + i, (codes[at] ?? 0) | ((codes[at + 32] ?? 0) << 4));
    }
  },
  // Codes stand for themselves less 32: four low bits, then two high ones.
  Q6_K: (view, codes, multiples, unit) => {
    half(view, 208, unit);
    multiples.forEach((multiple, j) => {
      view.setInt8(192 + 2 * j, multiple);
      view.setInt8(193 + 2 * j, multiple);
    });
    const code = (i: number): number => (codes[i] ?? 0) + 24;
    for (let i = 0; i < 128; i++) {
      const at = Math.floor(i / 64) * 128 + (i % 64);
      view.setUint8(i, (code(at) & 15) | ((code(at + 64) & 15) << 4));
    }
    for (let i = 0; i < 64; i++) {
      const at = Math.floor(i / 32) * 128 + (i % 32);
      view.setUint8(128 + i, (code(at) >> 4) | ((code(at + 32) >> 4) << 2) | ((code(at + 64) >> 4) << 4) | ((code(at + 96) >> 4) << 6));
    }
  },
};

/** Storages that `encodeBlocks` writes. */
export const chainStorages: readonly StorageWithKernels[] = Object.keys(writers) as StorageWithKernels[];

/** Throws RangeError for a storage that holds the numbers of no chain. */
export function encodeBlocks({ codes, scales }: FourBits, storage: StorageWithKernels = 'Q4_0'): Uint8Array {
  const write = writers[storage];
  if (write === undefined) throw new RangeError(`Expected one of ${chainStorages.join(', ')}, found ${storage}.`);
  const { fileBlockSize, fileBlocks } = packedStorages[storage];
  // Multiples of six bits at most: the largest scale is 32 to 63 units.
  const unit = 2 ** (Math.floor(Math.log2(scales.reduce((most, scale) => Math.max(most, scale), 0))) - 5);
  const bytes = new Uint8Array((scales.length / fileBlocks) * fileBlockSize);
  for (let block = 0; block * fileBlocks < scales.length; block++) {
    const first = block * fileBlocks;
    const multiples = Array.from(scales.subarray(first, first + fileBlocks), (scale) => scale / unit);
    write(new DataView(bytes.buffer, block * fileBlockSize, fileBlockSize), codes.subarray(first * 32, (first + fileBlocks) * 32), multiples, unit);
  }
  return bytes;
}
