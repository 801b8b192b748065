/** Owns the repacking of file rows into the packed layout, run once a chunk while a model loads. */
import { type BindingKind, bindingKind, type Place, packParams, type Variant } from './kernel.ts';
import { grids } from './repack/grids.ts';
import { blockColumns, packedStorages, quadRows, rowTile, type StorageWithKernels } from './weights.ts';

export function repackVariant(storage: StorageWithKernels, place: Place): Variant {
  const { repack, fileBlockSize, fileBlocks, blockVectors, blockWords, hasSuper, grid } = packedStorages[storage];
  const bindings: BindingKind[] = ['read', bindingKind('write', place, 'rgba32uint'), ...(grid === undefined ? [] : (['read'] as const)), 'uniform'];
  return {
    label: `repack/${storage.toLowerCase()}/${place}`,
    file: 'repack.wgsl',
    includes: { REPACK: `repack/${repack}.wgsl`, PLACE_REPACKED: `place/repacked_${place}.wgsl` },
    constants: {
      FILE_BLOCK_SIZE: fileBlockSize,
      FILE_BLOCKS: fileBlocks,
      BLOCK_VECTORS: blockVectors,
      BLOCK_WORDS: blockWords,
      HAS_SUPER: hasSuper,
      SHAPE: bindings.length - 1,
    },
    bindings,
  };
}

export interface RepackChunk {
  readonly columns: number;
  /** Rows of the shard. */
  readonly shardRows: number;
  /** Rows in the chunk; only at the end of a matrix not a multiple of 4. */
  readonly rows: number;
  /** Place of its first quad of rows in the shard, and from one to the next. */
  readonly firstQuad: number;
  readonly quadStep: number;
}

/** What lies between the packed matrix and the uniform for storages whose codes are looked up in a grid; undefined for others. */
export function gridWords(storage: StorageWithKernels): Uint32Array<ArrayBuffer> | undefined {
  const { grid } = packedStorages[storage];
  return grid === undefined ? undefined : new Uint32Array(Uint8Array.from(atob(grids[grid].entries), (character) => character.charCodeAt(0)).buffer);
}

/** Bytes of one row of the file. */
export function fileRowSize(storage: StorageWithKernels, columns: number): number {
  const { fileBlockSize, fileBlocks } = packedStorages[storage];
  return (columns / blockColumns / fileBlocks) * fileBlockSize;
}

/** Uniform words and grid of one chunk. */
export function repackChunk(storage: StorageWithKernels, chunk: RepackChunk): { params: Uint32Array; grid: readonly [number, number] } {
  const blocks = chunk.columns / blockColumns;
  const groups = Math.ceil((Math.ceil(chunk.rows / quadRows) * blocks) / 64);
  const gridX = Math.min(groups, 32768);
  return {
    params: packParams(blocks, chunk.rows, chunk.firstQuad, chunk.quadStep, fileRowSize(storage, chunk.columns), Math.ceil(chunk.shardRows / rowTile)),
    grid: [gridX, Math.ceil(groups / gridX)],
  };
}
