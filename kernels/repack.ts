/** Owns the repacking of file rows into the packed layout, run once a chunk while a model loads. */
import { type BindingKind, packParams, type Variant } from './kernel.ts';
import { blockColumns, packedStorages, type StorageWithKernels } from './weights.ts';

const bindings: readonly BindingKind[] = ['read', 'write', 'write', 'uniform'];

export function repackVariant(storage: StorageWithKernels): Variant {
  const { stem, repack, fileBlockSize, blockVectors, hasAffine } = packedStorages[storage];
  return {
    label: `repack/${stem}`,
    file: 'repack.wgsl',
    includes: { REPACK: `repack/${repack}.wgsl` },
    constants: { FILE_BLOCK_SIZE: fileBlockSize, BLOCK_VECTORS: blockVectors, HAS_AFFINE: hasAffine },
    bindings,
  };
}

export interface RepackChunk {
  readonly columns: number;
  /** Rows in the chunk. */
  readonly rows: number;
  /** Place of its first row in the shard. */
  readonly firstRow: number;
  /** Rows to write, more than `rows` where the last tile is to be filled with zeros. */
  readonly padded: number;
}

/** Uniform words and grid of one chunk. */
export function repackChunk(storage: StorageWithKernels, chunk: RepackChunk): { params: Uint32Array; grid: readonly [number, number] } {
  const blocks = chunk.columns / blockColumns;
  const groups = Math.ceil((chunk.padded * blocks) / 64);
  const gridX = Math.min(groups, 32768);
  return {
    params: packParams(blocks, chunk.rows, chunk.firstRow, chunk.padded, blocks * packedStorages[storage].fileBlockSize),
    grid: [gridX, Math.ceil(groups / gridX)],
  };
}
