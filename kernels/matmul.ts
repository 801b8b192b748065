/**
 * Owns the variants of matrix times activations: matmul_f32.wgsl and matmul_int8.wgsl, `narrow` family, with what
 * happens on the way in (RMSNorm) and out (residual, SwiGLU, rotary embedding and KV store). Decode is the same kernel
 * with a small token tile.
 */
import { type AttentionShape, attentionConstants } from './attention.ts';
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';
import { type Activations, blockColumns, type PackedMatrix, packedStorages, type Shard, type StorageWithKernels } from './weights.ts';

/** RMSNorm of the input; weight: [columns] f32. */
export interface Norm {
  readonly weight: Slice;
  readonly epsilon: number;
}

/** What becomes of the sums. y: f32, [row of x][stride]. */
export type Finish =
  | { readonly kind: 'store' | 'add'; readonly y: Slice; readonly stride: number }
  /** The matrix holds gate rows, then as many up rows. y: [row of x][rows / 2]. */
  | { readonly kind: 'swiglu'; readonly y: Slice }
  /** The matrix holds query, key and value rows. y: queries [token][head][head length], times headLength^-0.5; rotation: [position][pair] (cos, sin). */
  | { readonly kind: 'rope'; readonly y: Slice; readonly pool: Slice; readonly rotation: Slice; readonly shape: AttentionShape };

interface Tile {
  readonly tokens: number;
  readonly rows: number;
}
/**
 * Tokens x rows a lane; rows are even, for SwiGLU. Larger tiles multiply faster but take long to compile on CPU devices
 * (lavapipe: 0.2 s for 1 x 2, 1.2 s for 8 x 4, 1.9 s for 8 x 8).
 */
const tiles: readonly Tile[] = [
  { tokens: 1, rows: 2 },
  { tokens: 2, rows: 2 },
  { tokens: 4, rows: 2 },
  { tokens: 8, rows: 4 },
];
/** SwiftShader, the device with four lanes, pays 45 ns for each load of activations: more rows share it. */
const fewLanesTiles: readonly Tile[] = [
  { tokens: 1, rows: 8 },
  { tokens: 2, rows: 4 },
  { tokens: 4, rows: 4 },
  { tokens: 8, rows: 4 },
];

function tilesFor(lanes: number): readonly Tile[] {
  return lanes < 8 ? fewLanesTiles : tiles;
}

export interface MatmulChoice {
  readonly storage: StorageWithKernels;
  readonly activations: Activations['format'];
  readonly lanes: number;
  readonly isNormed: boolean;
  readonly over: 'tokens' | 'logitRows';
  readonly finish: 'store' | 'add' | 'swiglu';
  readonly layout: Readonly<Record<string, number>>;
}

/** One variant a token tile, smallest tile first; `rope` instead of choice.finish where an attention shape is given. */
export function matmulVariants(choice: MatmulChoice, rope?: AttentionShape): Variant[] {
  const { stem } = packedStorages[choice.storage];
  const finish = rope === undefined ? choice.finish : 'rope';
  const input = choice.isNormed ? 'normed' : 'plain';
  const bindings: BindingKind[] = ['read', 'read', 'read', 'write', 'read'];
  const norm = choice.isNormed ? bindings.push('read') - 1 : 0;
  const epilogue = rope === undefined ? 0 : bindings.push('write', 'read') - 2;
  const constants = {
    ...choice.layout,
    ...(rope === undefined ? {} : attentionConstants(rope)),
    LANES: choice.lanes,
    QUAD_LOADS: Math.ceil(8 / choice.lanes),
    SHAPE: bindings.push('uniform') - 1,
    NORM: norm,
    EPILOGUE: epilogue,
    GATHER: choice.over === 'logitRows',
  };
  return tilesFor(choice.lanes).map((tile) => ({
    label: [
      'matmul',
      stem,
      choice.activations,
      input,
      finish + (rope === undefined ? '' : `-${rope.kv}`),
      `sg${choice.lanes}`,
      `t${tile.tokens}r${tile.rows}`,
    ].join('/'),
    file: `matmul_${choice.activations}.wgsl`,
    includes: { QUANT: `quant/${stem}.wgsl`, INPUT: `input/${input}.wgsl`, FINISH: `epilogue/${finish}.wgsl`, KV: `kv/${rope?.kv ?? 'f32'}.wgsl` },
    constants: { ...constants, ROWS: tile.rows, TOKENS: tile.tokens },
    bindings,
  }));
}

export interface MatmulArguments {
  readonly x: Activations;
  /** Only with f32 activations. */
  readonly norm?: Norm;
  readonly finish: Finish;
  /** Row of y's rows where this matrix starts. */
  readonly offset: number;
  /** Which count of the step says how many rows x has; with a norm, `logitRows` also gathers them. */
  readonly over: 'tokens' | 'logitRows';
  readonly batch: Slice;
  readonly lanes: number;
  readonly layout: Readonly<Record<string, number>>;
}

/** Operations of W x, one a shard. int8 activations need a storage with scales; SwiGLU needs one shard. */
export function matmul(matrix: PackedMatrix, args: MatmulArguments): Operation[] {
  const { finish, x, lanes, layout, over } = args;
  const rope = finish.kind === 'rope' ? finish.shape : undefined;
  const variants = matmulVariants(
    {
      storage: matrix.storage,
      activations: x.format,
      lanes,
      isNormed: args.norm !== undefined,
      over,
      finish: finish.kind === 'rope' ? 'store' : finish.kind,
      layout,
    },
    rope,
  );
  return matrix.shards.map((shard) => shardOperation(matrix, shard, variants, args));
}

function shardOperation(matrix: PackedMatrix, shard: Shard, variants: readonly Variant[], args: MatmulArguments): Operation {
  const { over, finish, norm } = args;
  const shapes = tilesFor(args.lanes);
  const tileAt = (variant: number): Tile => shapes[variant] ?? { tokens: 1, rows: 1 };
  const stride = 'stride' in finish ? finish.stride : matrix.rows / 2;
  const queryScale = finish.kind === 'rope' ? finish.shape.headLength ** -0.5 : 1;
  return {
    variants,
    buffers: [
      shard.codes,
      shard.affine,
      args.x.slice,
      finish.y,
      args.batch,
      ...(norm === undefined ? [] : [norm.weight]),
      ...(finish.kind === 'rope' ? [finish.pool, finish.rotation] : []),
    ],
    params: packParams(
      shard.rows,
      matrix.columns / blockColumns,
      stride,
      args.offset + shard.firstRow,
      over === 'tokens' ? 0 : 1,
      { f32: norm?.epsilon ?? 0 },
      { f32: queryScale },
    ),
    choose: (counts) => {
      const index = shapes.findIndex((tile) => tile.tokens >= counts[over]);
      return index < 0 ? shapes.length - 1 : index;
    },
    gridX: (_, variant) => Math.ceil(shard.rows / (args.lanes * tileAt(variant).rows)),
    gridY: (counts, variant) => Math.ceil(counts[over] / tileAt(variant).tokens),
  };
}
