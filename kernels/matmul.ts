/**
 * Owns the variants of matrix times activations, with what happens on the way in (RMSNorm) and out (bias, residual, gated units,
 * rotary embedding and KV store). Three families: `narrow` for CPU devices (matmul_f32.wgsl, matmul_int8.wgsl: decode is
 * prefill with a small token tile), `wide` for GPUs, `matrix` for GPUs with units that multiply matrices (matmul_wide.ts). Wide kernels have
 * no int8 form: they multiply f32 where int8 is asked for.
 */
import { type AttentionShape, attentionConstants } from './attention.ts';
import { type ActivationFunction, type Gate, noLimit } from './gated.ts';
import { type BindingKind, bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';
import { type FamilyShape, wideShape } from './matmul_wide.ts';
import { standardTiles, type Tile, type TileFacts, takesPairs, tileName } from './tiles.ts';
import { type Activations, blockColumns, type PackedMatrix, packedStorages, quadRows, type Shard, type StorageWithKernels, weightPlace } from './weights.ts';

/** RMSNorm of the input; weight: [columns] f32 in a uniform buffer. */
export interface Norm {
  readonly weight: Slice;
  readonly epsilon: number;
}

/** What becomes of the sums. y: f32, [row of x][stride]; stride is a multiple of 4. */
export type Finish =
  /** y = activate(scale * sums); `limit`: of soft_cap. */
  | {
      readonly kind: 'store';
      readonly y: Vectors;
      readonly stride: number;
      readonly activation?: ActivationFunction | undefined;
      readonly scale?: number | undefined;
      readonly limit?: number | undefined;
    }
  /** y = to + scale * sums; `to` is not y, but of its shape and in its kind of place. */
  | { readonly kind: 'add'; readonly y: Vectors; readonly to: Vectors; readonly stride: number; readonly scale?: number | undefined }
  /** Quads of gate rows and of up rows take turns in the matrix. y: [row of x][rows / 2]. */
  | { readonly kind: 'gated'; readonly y: Vectors; readonly gate: Gate }
  /** The matrix holds query, key and value rows. y: queries [token][head][head length], times the shape's scale; rotation: [position][pair] (cos, sin). */
  | { readonly kind: 'rope'; readonly y: Vectors; readonly pool: Vectors; readonly rotation: Slice; readonly shape: AttentionShape };

/** Where the kernel finds its numbers. */
export interface MatmulPlaces {
  readonly weights: Place;
  readonly x: Place;
  /** Also of what the sums are added to, and of the KV pool. */
  readonly y: Place;
}

/** Rows of a grouped matmul: one choice of the router a workgroup, or those of one expert together (rows/expert.wgsl, rows/experts.wgsl). */
export interface ExpertRows {
  readonly rows: 'expert' | 'experts';
  /** Not all experts are on the device, and the routes say where those are that are. */
  readonly hasSlots?: boolean;
  /** EXPERTS and ROUTE_ offsets. */
  readonly constants: Readonly<Record<string, number>>;
}

export interface MatmulChoice extends TileFacts {
  readonly storage: StorageWithKernels;
  readonly activations: Activations['format'];
  readonly places: MatmulPlaces;
  readonly isNormed: boolean;
  /** Of the matrix, or of an expert's. */
  readonly rows: number;
  readonly columns: number;
  readonly over: 'tokens' | 'logitRows';
  readonly finish: 'store' | 'add' | 'gated';
  /** Of `store` and `gated`. */
  readonly activation?: ActivationFunction;
  readonly isBiased?: boolean;
  /** Without either: rows of the step, one after the other. */
  readonly experts?: ExpertRows | undefined;
  /** Each head multiplies channels of its own by rows of its own (rows/heads.wgsl, head_matmul.ts); ends with `store`, without a norm. */
  readonly isByHead?: boolean;
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
  const bindings: BindingKind[] = [bindingKind('read', places.weights, 'rgba32uint'), bindingKind('read', places.x), bindingKind('write', places.y), 'read'];
  const norm = choice.isNormed ? bindings.push('uniform') - 1 : 0;
  const epilogue = bindings.length;
  if (finish === 'rope') bindings.push(bindingKind('write', places.y, 'rgba32uint'), 'read');
  if (finish === 'add') bindings.push(bindingKind('read', places.y));
  const bias = choice.isBiased ? bindings.push('read') - 1 : 0;
  const routes = choice.experts === undefined ? 0 : bindings.push('read') - 1;
  const rows = choice.isByHead ? 'heads' : choice.experts?.rows;
  const activation = choice.activation ?? 'none';
  const constants = {
    ...choice.layout,
    ...(rope === undefined ? {} : attentionConstants(rope)),
    SHAPE: bindings.push('uniform') - 1,
    NORM: norm,
    NORM_QUADS: choice.columns / 4,
    EPILOGUE: epilogue,
    BIAS: bias,
    ROUTES: routes,
    GATHER: choice.over === 'logitRows' && choice.isNormed,
    ...choice.experts?.constants,
  };
  return tilesOf(choice, { activations: choice.activations, finish }).map((tile) => {
    const shape = familyShape(tile, choice);
    return {
      label: [
        'matmul',
        stem,
        multipliedBy(tile, choice.activations),
        input,
        [finish, ...(rope === undefined ? [] : [rope.kv]), ...(activation === 'none' ? [] : [activation]), ...(choice.isBiased ? ['bias'] : [])].join('-'),
        ...(rows === undefined ? [] : [choice.experts?.hasSlots ? `${rows}-slots` : rows]),
        [places.weights, places.x, places.y].map((place) => place[0]).join(''),
        `sg${choice.lanes}`,
        tileName(tile),
      ].join('/'),
      file: shape.file,
      includes: {
        QUANT: `quant/${stem}.wgsl`,
        INPUT: `input/${input}.wgsl`,
        ROWS: `rows/${rows ?? 'step'}.wgsl`,
        PLACE_OF_EXPERT: `rows/place_${choice.experts?.hasSlots ? 'slots' : 'all'}.wgsl`,
        BIAS: `bias/${choice.isBiased ? 'rows' : 'none'}.wgsl`,
        ACTIVATION: `activation/${activation}.wgsl`,
        FINISH: `epilogue/${finish}${takesPairs(finish) && tile.quads === 1 ? '_lanes' : ''}.wgsl`,
        KV: `kv/${rope?.kv ?? 'f32'}.wgsl`,
        PLACE_W: `place/weights_${places.weights}.wgsl`,
        PLACE_X: `place/x_${places.x}.wgsl`,
        PLACE_Y: `place/y_${places.y}.wgsl`,
        PLACE_STORED: `place/stored_${places.y}.wgsl`,
        PLACE_SUM: `place/sum_${places.y}.wgsl`,
        ...shape.includes,
      },
      constants: { ...constants, ...shape.constants, TILE_QUADS: shape.quads, QUADS: tile.quads, TOKENS: tile.tokens },
      bindings,
    };
  });
}

function tilesOf(facts: TileFacts & { readonly tiles?: readonly Tile[] | undefined }, work: Parameters<typeof standardTiles>[1]): readonly Tile[] {
  return facts.tiles ?? standardTiles(facts, work);
}

/** Quads of rows that a workgroup takes. */
export function workgroupQuads(tile: Tile, lanes: number, activations: Activations['format']): number {
  return familyShape(tile, { lanes, activations, rows: 0, columns: 0 }).quads;
}

/** What a tile makes of the activations. */
function multipliedBy({ family = 'narrow', unit }: Tile, asked: Activations['format']): Activations['format'] {
  if (family === 'narrow') return asked;
  return unit?.element === 'i8' ? 'int8' : 'f32';
}

function familyShape(tile: Tile, choice: Pick<MatmulChoice, 'lanes' | 'activations' | 'rows' | 'columns'>): FamilyShape {
  const { lanes, activations } = choice;
  if (tile.family !== undefined && tile.family !== 'narrow') return wideShape(tile, lanes, choice);
  return { file: `matmul_${activations}.wgsl`, quads: lanes * tile.quads, includes: {}, constants: { LANES: lanes, QUAD_LOADS: Math.ceil(8 / lanes) } };
}

export interface MatmulArguments extends TileFacts {
  readonly x: Activations;
  readonly norm?: Norm | undefined;
  /** [row of y's rows] f32, added to the sums before anything else; in the order of the matrix's rows, so that gate and up take turns; room for whole vectors of four. */
  readonly bias?: Slice | undefined;
  readonly finish: Finish;
  /** Row of y's rows where this matrix starts; a multiple of 4. */
  readonly offset: number;
  /** Which count of the step says how many rows x has; with a norm, `logitRows` also gathers them. */
  readonly over: 'tokens' | 'logitRows';
  readonly batch: Slice;
  readonly layout: Readonly<Record<string, number>>;
  /** In ascending order of tokens; without them the standard ones. */
  readonly tiles?: readonly Tile[] | undefined;
}

/** Operations of W x, one a shard. int8 activations need a storage that `hasInt8`. */
export function matmul(matrix: PackedMatrix, args: MatmulArguments): Operation[] {
  const { finish } = args;
  const rope = finish.kind === 'rope' ? finish.shape : undefined;
  const tiles = tilesOf(args, { activations: args.x.format, finish: finish.kind });
  const variants = matmulVariants(choiceOf(matrix, weightPlace(matrix), { ...args, tiles }), rope);
  return matrix.shards.map((shard) => shardOperation(matrix, shard, variants, tiles, args));
}

/** What the arguments of a matmul leave to choose. */
export function choiceOf(
  { storage, rows, columns }: Pick<PackedMatrix, 'storage' | 'rows' | 'columns'>,
  weights: Place,
  args: Omit<MatmulArguments, 'offset' | 'batch' | 'tiles'> & { readonly tiles: readonly Tile[] },
): MatmulChoice {
  const { finish, x, lanes, layout, over, tiles } = args;
  return {
    storage,
    activations: x.format,
    places: { weights, x: placeOf(x.vectors), y: placeOf(finish.y) },
    lanes,
    isNormed: args.norm !== undefined,
    rows,
    columns,
    over,
    finish: finish.kind === 'rope' ? 'store' : finish.kind,
    activation: activationOf(finish),
    isBiased: args.bias !== undefined,
    layout,
    tiles,
  };
}

function activationOf(finish: Finish): ActivationFunction {
  if (finish.kind === 'gated') return finish.gate.activation;
  return (finish.kind === 'store' ? finish.activation : undefined) ?? 'none';
}

/** What the kernel binds between the batch and the uniform. */
export function extraResources({ norm, finish, bias }: Pick<MatmulArguments, 'norm' | 'finish' | 'bias'>): Vectors[] {
  return [
    ...(norm === undefined ? [] : [norm.weight]),
    ...(finish.kind === 'rope' ? [finish.pool, finish.rotation] : []),
    ...(finish.kind === 'add' ? [finish.to] : []),
    ...(bias === undefined ? [] : [bias]),
  ];
}

/** Words of lib/matmul.wgsl's Shape. */
export interface MatmulShape {
  /** Of rows; with experts of one of them. */
  readonly quads: number;
  readonly columns: number;
  /** Of the whole matrix; with experts of one of them. */
  readonly rows: number;
  /** Quads. */
  readonly offset: number;
  readonly over: 'tokens' | 'logitRows';
  readonly epsilon: number | undefined;
  readonly finish: Finish;
  readonly planeQuads: number;
  readonly experts?: { readonly first: number; readonly count: number; readonly share: number };
  /** Of a multiplication by head: the first that the plane has, and in quads from one to the next, its own rows' start, and a row of x. */
  readonly heads?: { readonly first: number; readonly pitch: number; readonly start: number; readonly inputWidth: number };
}

export function matmulParams({ quads, columns, rows, offset, over, epsilon, finish, planeQuads, experts, heads }: MatmulShape): Uint32Array {
  const stride = 'stride' in finish ? finish.stride : rows / 2;
  const scale = finish.kind === 'rope' ? (finish.shape.scale ?? finish.shape.headLength ** -0.5) : finish.kind === 'gated' ? 1 : (finish.scale ?? 1);
  const limit = finish.kind === 'gated' ? finish.gate.limit : finish.kind === 'store' ? finish.limit : undefined;
  return packParams(
    quads,
    columns / blockColumns,
    stride / quadRows,
    offset,
    over === 'tokens' ? 0 : 1,
    { f32: epsilon ?? 0 },
    { f32: scale },
    { f32: limit ?? noLimit },
    { f32: finish.kind === 'gated' ? (finish.gate.upOffset ?? 0) : 0 },
    planeQuads,
    experts?.first ?? heads?.first ?? 0,
    experts?.count ?? 0,
    experts?.share ?? 1,
    heads?.pitch ?? 0,
    heads?.start ?? 0,
    heads?.inputWidth ?? 0,
  );
}

function shardOperation(matrix: PackedMatrix, shard: Shard, variants: readonly Variant[], shapes: readonly Tile[], args: MatmulArguments): Operation {
  const { over, finish, norm } = args;
  const quadsAt = shapes.map((tile) => workgroupQuads(tile, args.lanes, args.x.format));
  const tileAt = (variant: number): Tile => shapes[variant] ?? { tokens: 1, quads: 1 };
  const quads = Math.ceil(shard.rows / quadRows);
  return {
    variants,
    resources: [shard.packed, args.x.vectors, finish.y, args.batch, ...extraResources(args)],
    params: matmulParams({
      quads,
      columns: matrix.columns,
      rows: matrix.rows,
      offset: (args.offset + shard.firstRow) / quadRows,
      over,
      epsilon: norm?.epsilon,
      finish,
      planeQuads: quads,
    }),
    choose: (counts) => {
      const index = shapes.findIndex((tile) => tile.tokens >= counts[over]);
      return index < 0 ? shapes.length - 1 : index;
    },
    gridX: (_, variant) => Math.ceil(quads / (quadsAt[variant] ?? 1)),
    gridY: (counts, variant) => Math.ceil(counts[over] / tileAt(variant).tokens),
  };
}
