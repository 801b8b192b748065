/** Owns the repacking of file rows into the packed layout, run once a chunk while a model loads. */
import { bindingKind, type Place, packParams, type Variant } from './kernel.ts';
import { blockColumns, packedStorages, quadRows, type StorageWithKernels } from './weights.ts';

export function repackVariant(storage: StorageWithKernels, place: Place): Variant {
  const { stem, repack, fileBlockSize, blockVectors, hasAffine } = packedStorages[storage];
  return {
    label: `repack/${stem}/${place}`,
    file: 'repack.wgsl',
    includes: { REPACK: `repack/${repack}.wgsl`, PLACE_REPACKED: `place/repacked_${place}.wgsl` },
    constants: { FILE_BLOCK_SIZE: fileBlockSize, BLOCK_VECTORS: blockVectors, HAS_AFFINE: hasAffine },
    bindings: ['read', bindingKind('write', place, 'rgba32uint'), 'uniform'],
  };
}

export interface RepackChunk {
  readonly columns: number;
  /** Rows in the chunk; only at the end of a matrix not a multiple of 4. */
  readonly rows: number;
  /** Place of its first quad of rows in the shard, and from one to the next. */
  readonly firstQuad: number;
  readonly quadStep: number;
}

/** Uniform words and grid of one chunk. */
export function repackChunk(storage: StorageWithKernels, chunk: RepackChunk): { params: Uint32Array; grid: readonly [number, number] } {
  const blocks = chunk.columns / blockColumns;
  const groups = Math.ceil((Math.ceil(chunk.rows / quadRows) * blocks) / 64);
  const gridX = Math.min(groups, 32768);
  return {
    params: packParams(blocks, chunk.rows, chunk.firstQuad, chunk.quadStep, blocks * packedStorages[storage].fileBlockSize),
    grid: [gridX, Math.ceil(groups / gridX)],
  };
}
