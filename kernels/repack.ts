/** Owns the repacking of file rows into the packed layout, run once a chunk while a model loads. */
import { type BindingKind, bindingKind, type Place, packParams, type Variant } from './kernel.ts';
import { grids } from './repack/grids.ts';
import { blockColumns, packedStorages, quadRows, rowTile, type StorageWithKernels } from './weights.ts';

export function repackVariant(storage: StorageWithKernels, place: Place): Variant {
  const { repack, fileBlockSize, fileBlocks, blockVectors, blockWords, hasSuper, bits, grid } = packedStorages[storage];
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
      ...(bits === undefined ? {} : { BITS: bits }),
      SHAPE: bindings.length - 1,
    },
    bindings,
  };
}

/** Kinds of the numbers that scales are, as repack/strips.wgsl counts them. */
export const scaleKinds = ['F32', 'F16', 'BF16', 'F8_E8M0'] as const;
export type ScaleKind = (typeof scaleKinds)[number];

/** Rows of bytes in a chunk: where they begin, and bytes of one. */
export interface RawStrip {
  readonly offset: number;
  readonly rowSize: number;
}

/** How a chunk of a matrix lies in the buffer that is repacked. */
export interface RawLayout {
  readonly codes: RawStrip;
  /** These only where a storage is several tensors. */
  readonly scales?: RawStrip;
  readonly zeros?: RawStrip;
  /** u32: which column of the file comes at each place. */
  readonly order?: RawStrip;
  readonly scaleKind?: ScaleKind;
  /** Rows and columns that share a scale; columns in multiples of 32. Past what the matrix has: all of them. */
  readonly groupRows?: number;
  readonly groupColumns?: number;
  /** Added to zero points, or all of one where the file has none. */
  readonly zeroBias?: number;
  /** Heads whose rows are written as two halves, pair i being rows i and i + rotary length / 2; chunks are whole heads. */
  readonly heads?: Heads;
  /** Row of the matrix with which the chunk begins. */
  readonly tensorRow?: number;
}

/** Rows of a head, and how many of them are rotated. */
export interface Heads {
  readonly headLength: number;
  readonly rotaryLength: number;
}

export interface RepackChunk {
  readonly columns: number;
  /** Rows of the shard. */
  readonly shardRows: number;
  /** Rows to be packed, from `firstRow` of the chunk on; only at the end of a matrix not a multiple of 4. */
  readonly rows: number;
  readonly firstRow?: number;
  /** From one of them to the next in the chunk. */
  readonly rowStep?: number;
  /** Place of the first quad of rows in the shard, and from one to the next. */
  readonly firstQuad: number;
  readonly quadStep: number;
  /** Without it rows of the file's blocks, one after the other. */
  readonly layout?: RawLayout;
}

/** What lies between the packed matrix and the uniform for storages whose codes are looked up in a grid; undefined for others. */
export function gridWords(storage: StorageWithKernels): Uint32Array<ArrayBuffer> | undefined {
  const { grid } = packedStorages[storage];
  return grid === undefined ? undefined : new Uint32Array(Uint8Array.from(atob(grids[grid].entries), (character) => character.charCodeAt(0)).buffer);
}

/** Bytes of one row of a file of blocks. */
export function fileRowSize(storage: StorageWithKernels, columns: number): number {
  const { fileBlockSize, fileBlocks } = packedStorages[storage];
  return (columns / blockColumns / fileBlocks) * fileBlockSize;
}

/** A group that is never left. */
const wholeGroup = 2 ** 31;

/** Uniform words and grid of one chunk. */
export function repackChunk(storage: StorageWithKernels, chunk: RepackChunk): { params: Uint32Array; grid: readonly [number, number] } {
  const blocks = chunk.columns / blockColumns;
  const groups = Math.ceil((Math.ceil(chunk.rows / quadRows) * blocks) / 64);
  const gridX = Math.min(groups, 32768);
  const layout: RawLayout = chunk.layout ?? { codes: { offset: 0, rowSize: fileRowSize(storage, chunk.columns) } };
  const strip = ({ offset, rowSize }: RawStrip = { offset: 0, rowSize: 0 }, kind = 0): number[] => [offset, rowSize, kind, 0];
  return {
    params: packParams(
      blocks,
      chunk.rows,
      chunk.firstRow ?? 0,
      layout.tensorRow ?? 0,
      chunk.firstQuad,
      chunk.quadStep,
      Math.ceil(chunk.shardRows / rowTile),
      layout.heads?.headLength ?? 0,
      layout.heads?.rotaryLength ?? 0,
      Math.min(layout.groupRows ?? wholeGroup, wholeGroup),
      Math.min((layout.groupColumns ?? wholeGroup) / blockColumns, wholeGroup),
      layout.zeroBias ?? 0,
      ...[chunk.rowStep ?? 1, 0, 0, 0],
      ...strip(layout.codes),
      ...strip(layout.scales, scaleKinds.indexOf(layout.scaleKind ?? 'F32')),
      ...strip(layout.zeros),
      ...strip(layout.order),
    ),
    grid: [gridX, Math.ceil(groups / gridX)],
  };
}
