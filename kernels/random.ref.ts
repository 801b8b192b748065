/**
 * Owns random numbers for tests and benches: rows of every storage as a file has them, and activations. Deterministic.
 */
import { fileRowSize } from './repack.ts';
import { packedStorages, type StorageWithKernels } from './weights.ts';

/** Deterministic numbers in [0, 1): mulberry32. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Roughly normal values. */
export function randomFloats(length: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  const next = random(seed);
  return Float32Array.from({ length }, () => (next() + next() + next() + next() - 2) * 1.7 * scale);
}

/** Valid blocks: random codes, scales around 1 / 64. columns: a multiple of what a block of the storage holds. */
export function randomFileRows(storage: StorageWithKernels, rows: number, columns: number, seed: number): Uint8Array {
  if (storage === 'F32') return new Uint8Array(randomFloats(rows * columns, seed).buffer);
  if (storage === 'F16') return new Uint8Array(Float16Array.from(randomFloats(rows * columns, seed)).buffer);
  // BF16 is the upper half of an f32.
  if (storage === 'BF16') {
    const bits = new Uint32Array(randomFloats(rows * columns, seed).buffer);
    return new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
  }
  const next = random(seed);
  const { fileBlockSize } = packedStorages[storage];
  const bytes = Uint8Array.from({ length: rows * fileRowSize(storage, columns) }, () => next() * 256);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += fileBlockSize) {
    for (const offset of halfOffsets[storage] ?? []) view.setFloat16(at + offset, (0.5 + next()) / 64, true);
    if (storage === 'MXFP4') bytes[at] = 118 + next() * 6;
    // Scales between 1/32 and 16.
    if (storage === 'NVFP4') for (let i = 0; i < 4; i++) bytes[at + i] = 0x10 + next() * 0x40;
    // Upper nibbles of four u16 are an f16 near 1/64.
    if (storage === 'IQ1_M')
      for (const [i, nibble] of [0, next() * 16, 4, 2].entries()) bytes[at + 49 + 2 * i] = ((bytes[at + 49 + 2 * i] ?? 0) & 15) | (nibble << 4);
  }
  return bytes;
}

/** Bytes of a block where its f16 scales and offsets lie. */
const halfOffsets: Partial<Record<StorageWithKernels, readonly number[]>> = {
  ...{ Q4_0: [0], Q4_1: [0, 2], Q5_0: [0], Q5_1: [0, 2], Q8_0: [0], Q2_K: [80, 82], Q3_K: [108], Q4_K: [0, 2], Q5_K: [0, 2], Q6_K: [208] },
  ...{ IQ4_NL: [0], IQ4_XS: [0], IQ2_XXS: [0], IQ2_XS: [0], IQ2_S: [0], IQ3_XXS: [0], IQ3_S: [0], IQ1_S: [0], TQ1_0: [52], TQ2_0: [64] },
};
