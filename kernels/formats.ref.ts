/**
 * CPU references of the weight formats: each number of a block as the file stores it, in double precision, one by one and by the
 * words of the format. Source: GGUF block layouts (gguf-py 0.19.0, quants.py); OCP Microscaling Formats 1.0.
 */
import { type Grid, grids } from './repack/grids.ts';
import { type BlockStorage, blockColumns, isBlockStorage, packedStorages, type StorageWithKernels } from './weights.ts';

/** A block of a file: reads at bytes from its start. */
class Block {
  readonly #view: DataView;
  readonly #at: number;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  u8(at: number): number {
    return this.#view.getUint8(this.#at + at);
  }

  i8(at: number): number {
    return this.#view.getInt8(this.#at + at);
  }

  u16(at: number): number {
    return this.#view.getUint16(this.#at + at, true);
  }

  u32(at: number): number {
    return this.#view.getUint32(this.#at + at, true);
  }

  f16(at: number): number {
    return this.#view.getFloat16(this.#at + at, true);
  }

  f32(at: number): number {
    return this.#view.getFloat32(this.#at + at, true);
  }

  /** Low or high half of a byte. */
  nibble(at: number, isHigh: boolean): number {
    return isHigh ? this.u8(at) >> 4 : this.u8(at) & 15;
  }

  /** Half of byte i % 16 of 16 bytes, in which the second 16 numbers are the high halves. */
  nibbleOf32(at: number, i: number): number {
    return this.nibble(at + (i % 16), i >= 16);
  }

  bit(at: number, i: number): number {
    return (this.u8(at + Math.floor(i / 8)) >> (i % 8)) & 1;
  }
}

/** Values of one row of `columns` from file bytes; storages of several tensors: stored.ref.ts. */
export function dequantizeRow(storage: StorageWithKernels, bytes: Uint8Array, columns: number): Float64Array {
  if (!isBlockStorage(storage)) throw new Error(`${storage} is several tensors`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { fileBlockSize, fileBlocks } = packedStorages[storage];
  const length = fileBlocks * blockColumns;
  const value = values[storage];
  return Float64Array.from({ length: columns }, (_, i) => value(new Block(view, Math.floor(i / length) * fileBlockSize), i % length));
}

const iq4Values = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
/** e2m1: sign, two bits of exponent with bias 1, one of fraction. */
export function e2m1(code: number): number {
  const exponent = (code >> 1) & 3;
  const fraction = (code & 1) / 2;
  const size = exponent === 0 ? fraction : (1 + fraction) * 2 ** (exponent - 1);
  return code >> 3 === 1 && size > 0 ? -size : size;
}

/** Unsigned e4m3 with bias 7; 0x7f stands for zero. */
function ue4m3(byte: number): number {
  const exponent = (byte >> 3) & 15;
  const fraction = (byte & 7) / 8;
  return byte === 0x7f ? 0 : exponent === 0 ? fraction * 2 ** -6 : (1 + fraction) * 2 ** (exponent - 7);
}

/** BF16 by its definition: sign, 8 bits of exponent with bias 127, 7 bits of fraction. */
export function bf16(bits: number): number {
  const exponent = (bits >> 7) & 255;
  const fraction = (bits & 127) / 128;
  const size = exponent === 0 ? fraction * 2 ** -126 : (1 + fraction) * 2 ** (exponent - 127);
  return bits >> 15 === 1 ? -size : size;
}

/** Six-bit scale and minimum of run j of 32, of Q4_K and Q5_K. */
function scaleAndMin(block: Block, j: number): [number, number] {
  const s = (i: number): number => block.u8(4 + i);
  return j < 4 ? [s(j) & 63, s(j + 4) & 63] : [(s(j + 4) & 15) | ((s(j - 4) >> 6) << 4), (s(j + 4) >> 4) | ((s(j) >> 6) << 4)];
}

/** Two bits of element i of 256: runs of 32, four to each 32 bytes. */
function twoBits(block: Block, at: number, i: number): number {
  return (block.u8(at + Math.floor(i / 128) * 32 + (i % 32)) >> (2 * (Math.floor(i / 32) % 4))) & 3;
}

const decoded = new Map<Grid, Buffer>();

/** Grid value at place i of an entry. */
function gridValue(grid: Grid, entry: number, i: number): number {
  const bytes = decoded.get(grid) ?? Buffer.from(grid.entries, 'base64');
  decoded.set(grid, bytes);
  const { values: list } = grid;
  const bits = list.length > 4 ? 4 : 2;
  return list[(bytes.readUInt16LE(entry * 2) >> (bits * i)) & (2 ** bits - 1)] ?? Number.NaN;
}

/** Sign of place i of eight, of which seven are stored and an even number is negative. */
function evenSign(seven: number, i: number): number {
  const parity = [...seven.toString(2)].filter((digit) => digit === '1').length % 2;
  return ((seven | (parity << 7)) >> i) & 1 ? -1 : 1;
}

const half = (value: number): boolean => value === 1;

const values: Readonly<Record<BlockStorage, (block: Block, i: number) => number>> = {
  F32: (block, i) => block.f32(4 * i),
  F16: (block, i) => block.f16(2 * i),
  BF16: (block, i) => bf16(block.u16(2 * i)),
  Q4_0: (block, i) => block.f16(0) * (block.nibbleOf32(2, i) - 8),
  Q4_1: (block, i) => block.f16(0) * block.nibbleOf32(4, i) + block.f16(2),
  Q5_0: (block, i) => block.f16(0) * ((block.nibbleOf32(6, i) | (block.bit(2, i) << 4)) - 16),
  Q5_1: (block, i) => block.f16(0) * (block.nibbleOf32(8, i) | (block.bit(4, i) << 4)) + block.f16(2),
  Q8_0: (block, i) => block.f16(0) * block.i8(2 + i),
  Q2_K: (block, i) => {
    const both = block.u8(Math.floor(i / 16));
    return block.f16(80) * (both & 15) * twoBits(block, 16, i) - block.f16(82) * (both >> 4);
  },
  Q3_K: (block, i) => {
    const j = Math.floor(i / 16);
    const low = block.nibble(96 + (j % 8), j >= 8);
    const scale = (low | (((block.u8(104 + (j % 4)) >> (2 * Math.floor(j / 4))) & 3) << 4)) - 32;
    const third = (block.u8(i % 32) >> Math.floor(i / 32)) & 1;
    return block.f16(108) * scale * (twoBits(block, 32, i) - (half(third) ? 0 : 4));
  },
  Q4_K: (block, i) => {
    const [scale, minimum] = scaleAndMin(block, Math.floor(i / 32));
    const code = block.nibble(16 + Math.floor(i / 64) * 32 + (i % 32), i % 64 >= 32);
    return block.f16(0) * scale * code - block.f16(2) * minimum;
  },
  Q5_K: (block, i) => {
    const [scale, minimum] = scaleAndMin(block, Math.floor(i / 32));
    const code = block.nibble(48 + Math.floor(i / 64) * 32 + (i % 32), i % 64 >= 32) | (((block.u8(16 + (i % 32)) >> Math.floor(i / 32)) & 1) << 4);
    return block.f16(0) * scale * code - block.f16(2) * minimum;
  },
  Q6_K: (block, i) => {
    const inHalf = i % 128;
    const low = block.nibble(Math.floor(i / 128) * 64 + (inHalf % 64), inHalf >= 64);
    const code = low | (twoBits(block, 128, i) << 4);
    return block.f16(208) * block.i8(192 + Math.floor(i / 16)) * (code - 32);
  },
  IQ4_NL: (block, i) => block.f16(0) * (iq4Values[block.nibbleOf32(2, i)] ?? Number.NaN),
  IQ4_XS: (block, i) => {
    const j = Math.floor(i / 32);
    const scale = (block.nibble(4 + Math.floor(j / 2), half(j % 2)) | (((block.u16(2) >> (2 * j)) & 3) << 4)) - 32;
    return block.f16(0) * scale * (iq4Values[block.nibbleOf32(8 + 16 * j, i % 32)] ?? Number.NaN);
  },
  IQ2_XXS: (block, i) => {
    const [j, group] = [Math.floor(i / 32), Math.floor(i / 8)];
    const word = block.u32(2 + 8 * j + 4);
    const value = gridValue(grids.IQ2_XXS, block.u8(2 + 8 * j + (group % 4)), i % 8);
    return block.f16(0) * (0.5 + (word >>> 28)) * 0.25 * value * evenSign((word >>> (7 * (group % 4))) & 127, i % 8);
  },
  IQ2_XS: (block, i) => {
    const both = block.u16(2 + 2 * Math.floor(i / 8));
    const scale = block.nibble(66 + Math.floor(i / 32), i % 32 >= 16);
    return block.f16(0) * (0.5 + scale) * 0.25 * gridValue(grids.IQ2_XS, both & 511, i % 8) * evenSign(both >> 9, i % 8);
  },
  IQ2_S: (block, i) => {
    const group = Math.floor(i / 8);
    const entry = block.u8(2 + group) | (((block.u8(66 + Math.floor(group / 4)) >> (2 * (group % 4))) & 3) << 8);
    const scale = block.nibble(74 + Math.floor(i / 32), i % 32 >= 16);
    return block.f16(0) * (0.5 + scale) * 0.25 * gridValue(grids.IQ2_S, entry, i % 8) * (half(block.bit(34, i)) ? -1 : 1);
  },
  IQ3_XXS: (block, i) => {
    const word = block.u32(66 + 4 * Math.floor(i / 32));
    const value = gridValue(grids.IQ3_XXS, block.u8(2 + Math.floor(i / 4)), i % 4);
    return block.f16(0) * (0.5 + (word >>> 28)) * 0.5 * value * evenSign((word >>> (7 * (Math.floor(i / 8) % 4))) & 127, i % 8);
  },
  IQ3_S: (block, i) => {
    const group = Math.floor(i / 4);
    const entry = block.u8(2 + group) | (block.bit(66, group) << 8);
    const scale = block.nibble(106 + Math.floor(i / 64), i % 64 >= 32);
    return block.f16(0) * (1 + 2 * scale) * gridValue(grids.IQ3_S, entry, i % 4) * (half(block.bit(74, i)) ? -1 : 1);
  },
  IQ1_S: (block, i) => {
    const [upper, group] = [block.u16(34 + 2 * Math.floor(i / 32)), Math.floor(i / 8)];
    const entry = block.u8(2 + group) | (((upper >> (3 * (group % 4))) & 7) << 8);
    return block.f16(0) * (2 * ((upper >> 12) & 7) + 1) * (gridValue(grids.IQ1_S, entry, i % 8) + (half(upper >> 15) ? -0.125 : 0.125));
  },
  IQ1_M: (block, i) => {
    const bits = [0, 1, 2, 3].reduce((sum, j) => sum | ((block.u16(48 + 2 * j) >> 12) << (4 * j)), 0);
    const d = new DataView(Uint16Array.of(bits).buffer).getFloat16(0, true);
    const [group, j] = [Math.floor(i / 8), Math.floor(i / 16)];
    const upper = block.nibble(32 + Math.floor(group / 2), half(group % 2));
    const scale = (block.u16(48 + 2 * Math.floor(j / 4)) >> (3 * (j % 4))) & 7;
    const value = gridValue(grids.IQ1_S, block.u8(group) | ((upper & 7) << 8), i % 8);
    return d * (2 * scale + 1) * (value + (half(upper >> 3) ? -0.125 : 0.125));
  },
  TQ1_0: (block, i) => {
    const [at, turns] =
      i < 160 ? [i % 32, Math.floor(i / 32)] : i < 240 ? [32 + (i % 16), Math.floor((i - 160) / 16)] : [48 + (i % 4), Math.floor((i - 240) / 4)];
    return block.f16(52) * (((((block.u8(at) * 3 ** turns) % 256) * 3) >> 8) - 1);
  },
  TQ2_0: (block, i) => block.f16(64) * (twoBits(block, 0, i) - 1),
  MXFP4: (block, i) => 2 ** (block.u8(0) - 127) * e2m1(block.nibbleOf32(1, i)),
  NVFP4: (block, i) => {
    const group = Math.floor(i / 16);
    return ue4m3(block.u8(group)) * e2m1(block.nibble(4 + 8 * group + (i % 8), i % 16 >= 8));
  },
};
