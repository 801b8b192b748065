/** Owns matrices for kernel tests: random file bytes of a storage, and the packed matrix that repack makes of them. */
import { repackChunk, repackVariant } from '../kernels/repack.ts';
import { type PackedMatrix, packedSizes, packedStorages, rowTile, type StorageWithKernels } from '../kernels/weights.ts';
import { type Gpu, random, randomFloats } from './gpu.ts';

/** Valid blocks: random codes, scales around 1 / 64. */
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
  const bytes = Uint8Array.from({ length: rows * (columns / 32) * fileBlockSize }, () => next() * 256);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += fileBlockSize) {
    view.setFloat16(at, (0.5 + next()) / 64, true);
    if (storage === 'Q4_1') view.setFloat16(at + 2, -next() / 8, true);
  }
  return bytes;
}

/** Packs in two chunks, and F16 from three tiles on in two shards unless `isWhole`, as the loader would a large file. */
export async function packMatrix(
  gpu: Gpu,
  storage: StorageWithKernels,
  file: Uint8Array,
  rows: number,
  columns: number,
  isWhole = false,
): Promise<PackedMatrix> {
  const tiles = Math.ceil(rows / rowTile);
  const cut = storage === 'F16' && tiles >= 3 && !isWhole ? Math.floor(tiles / 2) * rowTile : rows;
  const shards = [];
  for (const [firstRow, end] of cut === rows
    ? [[0, rows]]
    : [
        [0, cut],
        [cut, rows],
      ]) {
    shards.push(await packShard(gpu, storage, file, columns, firstRow ?? 0, end ?? 0, rows));
  }
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
): Promise<PackedMatrix['shards'][number]> {
  const rowSize = file.byteLength / allRows;
  const rows = end - firstRow;
  const sizes = packedSizes(storage, rows, columns);
  const codes = gpu.buffer(new Uint8Array(sizes.codes).fill(0xee));
  const affine = gpu.buffer(new Uint8Array(Math.max(4, sizes.affine)).fill(0xee));
  const half = Math.ceil(rows / 2);
  for (const [from, to] of [
    [0, half],
    [half, rows],
  ] as const) {
    const raw = new Uint8Array((to - from) * rowSize + 8);
    raw.set(file.subarray((firstRow + from) * rowSize, (firstRow + to) * rowSize));
    const padded = to === rows ? Math.ceil(rows / rowTile) * rowTile - from : to - from;
    const { params, grid } = repackChunk(storage, { columns, rows: to - from, firstRow: from, padded });
    const operation = {
      variants: [repackVariant(storage)],
      buffers: [gpu.buffer(raw), codes, affine],
      params,
      choose: () => 0,
      gridX: () => grid[0],
      gridY: () => grid[1],
    };
    await gpu.run([operation], { tokens: 0, logitRows: 0, items: 0, clears: 0 });
  }
  await gpu.read(codes); // the words behind it are untouched
  return { firstRow, rows, codes, affine };
}
