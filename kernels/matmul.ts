/**
 * Owns the variants of matrix times activations: matmul_int8.wgsl and matmul_f32.wgsl, `narrow` family.
 * Decode is the same kernel with a small token tile.
 */
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';
import { type Activations, blockColumns, packedStorages, type PackedMatrix, type Shard, type StorageWithKernels } from './weights.ts';

const bindings: readonly BindingKind[] = ['read', 'read', 'read', 'write', 'read', 'uniform'];

interface Tile {
  readonly tokens: number;
  readonly rows: number;
}
/** Tokens x rows a lane, measured best on lavapipe and SwiftShader (bench/README.md). */
const tiles: readonly Tile[] = [
  { tokens: 1, rows: 2 },
  { tokens: 2, rows: 4 },
  { tokens: 4, rows: 4 },
  { tokens: 8, rows: 4 },
];

export interface MatmulChoice {
  readonly storage: StorageWithKernels;
  readonly activations: Activations['format'];
  readonly lanes: number;
  /** Add to y instead of overwriting it. */
  readonly accumulate: boolean;
}

/** One variant a token tile, smallest tile first. */
export function matmulVariants(choice: MatmulChoice): Variant[] {
  const { stem } = packedStorages[choice.storage];
  return tiles.map((tile) => ({
    label: `matmul/${stem}/${choice.activations}${choice.accumulate ? '/add' : ''}/sg${choice.lanes}/t${tile.tokens}r${tile.rows}`,
    file: `matmul_${choice.activations}.wgsl`,
    includes: { QUANT: `quant/${stem}.wgsl` },
    constants: { LANES: choice.lanes, ROWS: tile.rows, TOKENS: tile.tokens, ACCUMULATE: choice.accumulate },
    bindings,
  }));
}

export interface MatmulArguments extends Omit<MatmulChoice, 'storage' | 'activations'> {
  readonly x: Activations;
  /** [row of x][stride] f32. */
  readonly y: Slice;
  /** Elements of a row of y. */
  readonly stride: number;
  /** Where this matrix starts inside a row of y, in elements. */
  readonly offset: number;
  readonly batch: Slice;
  /** Which count of the step says how many rows x has. */
  readonly over: 'tokens' | 'logitRows';
}

/** Operations of y (+)= W x, one a shard. int8 activations need a storage with scales. */
export function matmul(matrix: PackedMatrix, args: MatmulArguments): Operation[] {
  const variants = matmulVariants({ storage: matrix.storage, activations: args.x.format, lanes: args.lanes, accumulate: args.accumulate });
  return matrix.shards.map((shard) => shardOperation(matrix, shard, variants, args));
}

function shardOperation(matrix: PackedMatrix, shard: Shard, variants: readonly Variant[], args: MatmulArguments): Operation {
  const { over } = args;
  return {
    variants,
    buffers: [shard.codes, shard.affine, args.x.slice, args.y, args.batch],
    params: packParams(shard.rows, matrix.columns / blockColumns, args.stride, args.offset + shard.firstRow, over === 'tokens' ? 0 : 1),
    choose: (counts) => {
      const index = tiles.findIndex((tile) => tile.tokens >= counts[over]);
      return index < 0 ? tiles.length - 1 : index;
    },
    gridX: (_, variant) => Math.ceil(shard.rows / (args.lanes * tileAt(variant).rows)),
    gridY: (counts, variant) => Math.ceil(counts[over] / tileAt(variant).tokens),
  };
}

function tileAt(variant: number): Tile {
  return tiles[variant] ?? { tokens: 1, rows: 1 };
}
