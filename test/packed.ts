/** Owns matrices for tests: the packed matrix that repack makes of file bytes, or of what a checkpoint stores as several tensors, and its rows read back. */
import { embed } from '../kernels/embed.ts';
import type { Place } from '../kernels/kernel.ts';
import { gridWords, repackChunk, repackVariant } from '../kernels/repack.ts';
import { type PackedMatrix, packedExtent, quadRows, rowTile, type StorageWithKernels } from '../kernels/weights.ts';
import { rawSizeOf, readChunk, type StoredMatrix } from '../runtime/checkpoint/strips.ts';
import type { Gpu } from './gpu.ts';

/** Packs in two chunks, and F16 from three tiles on in two shards unless `isWhole`, as the loader would a large file. */
export async function packMatrix(
  gpu: Gpu,
  storage: StorageWithKernels,
  file: Uint8Array | StoredMatrix,
  rows: number,
  columns: number,
  { isWhole = false, isInterleaved = false, place = 'buffer' }: { isWhole?: boolean; isInterleaved?: boolean; place?: Place } = {},
): Promise<PackedMatrix> {
  const tiles = Math.ceil(rows / rowTile);
  const cut = storage === 'F16' && tiles >= 3 && !isWhole ? Math.floor(tiles / 2) * rowTile : rows;
  const bounds = cut === rows ? [0, rows] : [0, cut, rows];
  const shards = [];
  for (const [i, end] of bounds.slice(1).entries()) shards.push(await packShard(gpu, storage, file, columns, bounds[i] ?? 0, end, rows, isInterleaved, place));
  const order = 'strips' in file ? file.order : undefined;
  return { storage, rows, columns, shards, ...(order && { order: gpu.buffer(order) }) };
}

async function packShard(
  gpu: Gpu,
  storage: StorageWithKernels,
  file: Uint8Array | StoredMatrix,
  columns: number,
  firstRow: number,
  end: number,
  allRows: number,
  isInterleaved: boolean,
  place: Place,
): Promise<PackedMatrix['shards'][number]> {
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
    const chunk = 'strips' in file ? storedChunk(file, firstRow + from, to - from) : blockChunk(file, file.byteLength / allRows, firstRow + from, to - from);
    const at = isInterleaved ? { firstQuad: part, quadStep: 2 } : { firstQuad: from / quadRows, quadStep: 1 };
    const { params, grid: groups } = repackChunk(storage, { columns, shardRows: rows, rows: to - from, ...at, ...chunk.place });
    const operation = {
      variants: [repackVariant(storage, place)],
      resources: [gpu.buffer(chunk.bytes), packed, ...(grid === undefined ? [] : [gpu.buffer(grid)])],
      params,
      choose: () => 0,
      gridX: () => groups[0],
      gridY: () => groups[1],
    };
    await gpu.run([operation], { tokens: 0, logitRows: 0, items: 0, clears: 0, copies: 0 });
  }
  if ('buffer' in packed) await gpu.read(packed); // the words behind it are untouched
  return { firstRow, rows, packed };
}

const layout = { BATCH_IDS: 8, BATCH_POSITIONS: 648, BATCH_SLOTS: 648, BATCH_LOGIT_TOKENS: 648 };

/** All rows of a matrix of at most 640, as the device reads them. It adds an offset, which makes -0 a 0. */
export async function readRows(gpu: Gpu, matrix: PackedMatrix): Promise<number[][]> {
  const { rows, columns } = matrix;
  const words = new Uint32Array(656);
  words.set(
    Uint32Array.from({ length: rows }, (_, row) => row),
    layout.BATCH_IDS,
  );
  const y = gpu.buffer(new Float32Array(rows * columns).fill(Number.NaN));
  await gpu.run(embed(matrix, y, gpu.buffer(words), gpu.lanes, layout), { tokens: rows, logitRows: 0, items: 0, clears: 0, copies: 0 });
  const got = await gpu.readFloats(y);
  return Array.from({ length: rows }, (_, row) => Array.from(got.subarray(row * columns, (row + 1) * columns), (value) => value + 0));
}

type Chunk = { readonly bytes: Uint8Array; readonly place: Partial<Parameters<typeof repackChunk>[1]> };

function blockChunk(file: Uint8Array, rowSize: number, row: number, count: number): Chunk {
  const bytes = new Uint8Array(count * rowSize + 8);
  bytes.set(file.subarray(row * rowSize, (row + count) * rowSize));
  return { bytes, place: {} };
}

/** Chunks begin at multiples of the storage's step: rows in front of the first one are in it too. */
function storedChunk(stored: StoredMatrix, row: number, count: number): Chunk {
  const firstRow = row % stored.rowStep;
  const end = Math.min(stored.rows, Math.ceil((row + count) / stored.rowStep) * stored.rowStep);
  const chunk = [stored, row - firstRow, end - (row - firstRow)] as const;
  const bytes = new Uint8Array(rawSizeOf(...chunk));
  return { bytes, place: { firstRow, layout: readChunk(...chunk, bytes) } };
}
