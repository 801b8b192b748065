/** Owns matrices for kernel tests: random file bytes of a storage, and the packed matrix that repack makes of them. */
import type { Place } from '../kernels/kernel.ts';
import { fileRowSize, gridWords, repackChunk, repackVariant } from '../kernels/repack.ts';
import { type PackedMatrix, packedExtent, packedStorages, quadRows, rowTile, type StorageWithKernels } from '../kernels/weights.ts';
import { type Gpu, random, randomFloats } from './gpu.ts';

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

/** Packs in two chunks, and F16 from three tiles on in two shards unless `isWhole`, as the loader would a large file. */
export async function packMatrix(
  gpu: Gpu,
  storage: StorageWithKernels,
  file: Uint8Array,
  rows: number,
  columns: number,
  { isWhole = false, isInterleaved = false, place = 'buffer' }: { isWhole?: boolean; isInterleaved?: boolean; place?: Place } = {},
): Promise<PackedMatrix> {
  const tiles = Math.ceil(rows / rowTile);
  const cut = storage === 'F16' && tiles >= 3 && !isWhole ? Math.floor(tiles / 2) * rowTile : rows;
  const bounds = cut === rows ? [0, rows] : [0, cut, rows];
  const shards = [];
  for (const [i, end] of bounds.slice(1).entries()) shards.push(await packShard(gpu, storage, file, columns, bounds[i] ?? 0, end, rows, isInterleaved, place));
  return { storage, rows, columns, shards };
}

async function packShard(
  gpu: Gpu,
  storage: StorageWithKernels,
  file: Uint8Array,
  columns: number,
  firstRow: number,
  end: number,
  allRows: number,
  isInterleaved: boolean,
  place: Place,
): Promise<PackedMatrix['shards'][number]> {
  const rowSize = file.byteLength / allRows;
  const rows = end - firstRow;
  const extent = packedExtent(storage, rows, columns);
  const packed =
    place === 'buffer'
      ? gpu.buffer(new Uint8Array(extent.width * extent.height * 16).fill(0xee))
      : gpu.memory.createPlane('weights', 'test', extent.width, extent.height, 'rgba32uint');
  const grid = gridWords(storage);
  const half = isInterleaved ? rows / 2 : Math.min(rows, Math.ceil(rows / 2 / quadRows) * quadRows);
  for (const [part, [from, to]] of [
    [0, half],
    [half, rows],
  ].entries()) {
    if (from === undefined || to === undefined || from === to) continue;
    const raw = new Uint8Array((to - from) * rowSize + 8);
    raw.set(file.subarray((firstRow + from) * rowSize, (firstRow + to) * rowSize));
    const at = isInterleaved ? { firstQuad: part, quadStep: 2 } : { firstQuad: from / quadRows, quadStep: 1 };
    const { params, grid: groups } = repackChunk(storage, { columns, shardRows: rows, rows: to - from, ...at });
    const operation = {
      variants: [repackVariant(storage, place)],
      resources: [gpu.buffer(raw), packed, ...(grid === undefined ? [] : [gpu.buffer(grid)])],
      params,
      choose: () => 0,
      gridX: () => groups[0],
      gridY: () => groups[1],
    };
    await gpu.run([operation], { tokens: 0, logitRows: 0, items: 0, clears: 0 });
  }
  if ('buffer' in packed) await gpu.read(packed); // the words behind it are untouched
  return { firstRow, rows, packed };
}
