/**
 * Owns the variants of matrix times activations: matmul_f32.wgsl and matmul_int8.wgsl, `narrow` family, with what
 * happens on the way in (RMSNorm) and out (residual, SwiGLU, rotary embedding and KV store). Decode is the same kernel
 * with a small token tile.
 */
import { type AttentionShape, attentionConstants } from './attention.ts';
import { type BindingKind, bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';
import { type Activations, blockColumns, type PackedMatrix, packedStorages, quadRows, type Shard, type StorageWithKernels, weightPlace } from './weights.ts';

/** RMSNorm of the input; weight: [columns] f32 in a uniform buffer. */
export interface Norm {
  readonly weight: Slice;
  readonly epsilon: number;
}

/** What becomes of the sums. y: f32, [row of x][stride]; stride is a multiple of 4. */
export type Finish =
  | { readonly kind: 'store'; readonly y: Vectors; readonly stride: number }
  /** y = to + sums; `to` is not y, but of its shape and in its kind of place. */
  | { readonly kind: 'add'; readonly y: Vectors; readonly to: Vectors; readonly stride: number }
  /** Quads of gate rows and of up rows take turns in the matrix. y: [row of x][rows / 2]. */
  | { readonly kind: 'swiglu'; readonly y: Vectors }
  /** The matrix holds query, key and value rows. y: queries [token][head][head length], times the shape's scale; rotation: [position][pair] (cos, sin). */
  | { readonly kind: 'rope'; readonly y: Vectors; readonly pool: Vectors; readonly rotation: Slice; readonly shape: AttentionShape };

/** Tokens of a workgroup, and quads of rows of a lane. Larger tiles load less but take long to compile on CPU devices. */
export interface Tile {
  readonly tokens: number;
  readonly quads: number;
}

/** What a matmul is, as far as the choice of its tiles goes. */
export interface MatmulWork {
  readonly storage: StorageWithKernels;
  readonly rows: number;
  readonly columns: number;
  readonly isNormed: boolean;
  readonly finish: Finish['kind'];
}

const tiles: readonly Tile[] = [
  { tokens: 1, quads: 2 },
  { tokens: 2, quads: 1 },
  { tokens: 4, quads: 1 },
  { tokens: 8, quads: 1 },
];
/** SwiftShader, the device with four lanes, pays 45 ns for each load of activations: more rows share it. */
const fewLanesTiles: readonly Tile[] = [
  { tokens: 1, quads: 4 },
  { tokens: 2, quads: 4 },
  { tokens: 4, quads: 4 },
];

/** The built-in choice: tiles in ascending order of tokens. */
function standardTiles(lanes: number, finish: Finish['kind']): readonly Tile[] {
  return (lanes < 8 ? fewLanesTiles : tiles).map((tile) => ({ ...tile, quads: Math.max(tile.quads, leastQuads(finish)) }));
}

/** SwiGLU needs gate and up in one lane, the KV pool two quads at once. */
function leastQuads(finish: Finish['kind']): number {
  return finish === 'swiglu' || finish === 'rope' ? 2 : 1;
}

/** Where the kernel finds its numbers. */
export interface MatmulPlaces {
  readonly weights: Place;
  /** int8 blocks lie in a buffer. */
  readonly x: Place;
  /** Also of what the sums are added to, and of the KV pool. */
  readonly y: Place;
}

export interface MatmulChoice {
  readonly storage: StorageWithKernels;
  readonly activations: Activations['format'];
  readonly places: MatmulPlaces;
  readonly lanes: number;
  readonly isNormed: boolean;
  /** Of the matrix; matters with a norm. */
  readonly columns: number;
  readonly over: 'tokens' | 'logitRows';
  readonly finish: 'store' | 'add' | 'swiglu';
  readonly layout: Readonly<Record<string, number>>;
  /** In ascending order of tokens; without them the standard ones. */
  readonly tiles?: readonly Tile[] | undefined;
}

/** One variant a token tile, smallest tile first; `rope` instead of choice.finish where an attention shape is given. */
export function matmulVariants(choice: MatmulChoice, rope?: AttentionShape): Variant[] {
  const { places } = choice;
  const { stem } = packedStorages[choice.storage];
  const finish = rope === undefined ? choice.finish : 'rope';
  const input = choice.isNormed ? 'normed' : 'plain';
  const x = choice.activations === 'int8' ? 'read' : bindingKind('read', places.x);
  const bindings: BindingKind[] = [bindingKind('read', places.weights, 'rgba32uint'), x, bindingKind('write', places.y), 'read'];
  const norm = choice.isNormed ? bindings.push('uniform') - 1 : 0;
  const epilogue = bindings.length;
  if (finish === 'rope') bindings.push(bindingKind('write', places.y, 'rgba32uint'), 'read');
  if (finish === 'add') bindings.push(bindingKind('read', places.y));
  const constants = {
    ...choice.layout,
    ...(rope === undefined ? {} : attentionConstants(rope)),
    LANES: choice.lanes,
    QUAD_LOADS: Math.ceil(8 / choice.lanes),
    SHAPE: bindings.push('uniform') - 1,
    NORM: norm,
    NORM_QUADS: choice.columns / 4,
    EPILOGUE: epilogue,
    GATHER: choice.over === 'logitRows',
  };
  return (choice.tiles ?? standardTiles(choice.lanes, finish)).map((tile) => ({
    label: [
      'matmul',
      stem,
      choice.activations,
      input,
      finish + (rope === undefined ? '' : `-${rope.kv}`),
      [places.weights, places.x, places.y].map((place) => place[0]).join(''),
      `sg${choice.lanes}`,
      `t${tile.tokens}q${tile.quads}`,
    ].join('/'),
    file: `matmul_${choice.activations}.wgsl`,
    includes: {
      QUANT: `quant/${stem}.wgsl`,
      INPUT: `input/${input}.wgsl`,
      FINISH: `epilogue/${finish}.wgsl`,
      KV: `kv/${rope?.kv ?? 'f32'}.wgsl`,
      PLACE_W: `place/weights_${places.weights}.wgsl`,
      PLACE_X: `place/x_${places.x}.wgsl`,
      PLACE_Y: `place/y_${places.y}.wgsl`,
      PLACE_STORED: `place/stored_${places.y}.wgsl`,
      PLACE_SUM: `place/sum_${places.y}.wgsl`,
    },
    constants: { ...constants, QUADS: tile.quads, TOKENS: tile.tokens },
    bindings,
  }));
}

export interface MatmulArguments {
  readonly x: Activations;
  /** Only with f32 activations. */
  readonly norm?: Norm;
  readonly finish: Finish;
  /** Row of y's rows where this matrix starts; a multiple of 4. */
  readonly offset: number;
  /** Which count of the step says how many rows x has; with a norm, `logitRows` also gathers them. */
  readonly over: 'tokens' | 'logitRows';
  readonly batch: Slice;
  readonly lanes: number;
  readonly layout: Readonly<Record<string, number>>;
  /** In ascending order of tokens; without them the standard ones. */
  readonly tiles?: readonly Tile[] | undefined;
}

/** Operations of W x, one a shard. int8 activations need a storage with scales. */
export function matmul(matrix: PackedMatrix, args: MatmulArguments): Operation[] {
  const { finish, x, lanes, layout, over } = args;
  const rope = finish.kind === 'rope' ? finish.shape : undefined;
  const tilesOfIt = args.tiles ?? standardTiles(lanes, finish.kind);
  const variants = matmulVariants(
    {
      storage: matrix.storage,
      activations: x.format,
      places: { weights: weightPlace(matrix), x: placeOf(x.vectors), y: placeOf(finish.y) },
      lanes,
      isNormed: args.norm !== undefined,
      columns: matrix.columns,
      over,
      finish: finish.kind === 'rope' ? 'store' : finish.kind,
      layout,
      tiles: tilesOfIt,
    },
    rope,
  );
  return matrix.shards.map((shard) => shardOperation(matrix, shard, variants, tilesOfIt, args));
}

function shardOperation(matrix: PackedMatrix, shard: Shard, variants: readonly Variant[], shapes: readonly Tile[], args: MatmulArguments): Operation {
  const { over, finish, norm, lanes } = args;
  const tileAt = (variant: number): Tile => shapes[variant] ?? { tokens: 1, quads: 1 };
  const stride = 'stride' in finish ? finish.stride : matrix.rows / 2;
  const queryScale = finish.kind === 'rope' ? (finish.shape.scale ?? finish.shape.headLength ** -0.5) : 1;
  const quads = Math.ceil(shard.rows / quadRows);
  return {
    variants,
    resources: [
      shard.packed,
      args.x.vectors,
      finish.y,
      args.batch,
      ...(norm === undefined ? [] : [norm.weight]),
      ...(finish.kind === 'rope' ? [finish.pool, finish.rotation] : []),
      ...(finish.kind === 'add' ? [finish.to] : []),
    ],
    params: packParams(
      quads,
      matrix.columns / blockColumns,
      stride / quadRows,
      (args.offset + shard.firstRow) / quadRows,
      over === 'tokens' ? 0 : 1,
      { f32: norm?.epsilon ?? 0 },
      { f32: queryScale },
    ),
    choose: (counts) => {
      const index = shapes.findIndex((tile) => tile.tokens >= counts[over]);
      return index < 0 ? shapes.length - 1 : index;
    },
    gridX: (_, variant) => Math.ceil(quads / (lanes * tileAt(variant).quads)),
    gridY: (counts, variant) => Math.ceil(counts[over] / tileAt(variant).tokens),
  };
}
