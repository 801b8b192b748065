/**
 * Owns the multiplication by chosen experts: the matmul kernel over the router's choices, one expert's rows of weights at a time, and the
 * weighted sum of what they give. Expert weights are matrices of equal shape one below the other in a plane. Grids follow what the host
 * knows, tokens times choices of each: an empty workgroup ends at once (150 ns on a CPU device).
 */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type StepCounts, type Variant, type Vectors } from './kernel.ts';
import { choiceOf, extraResources, type Finish, matmulParams, matmulVariants, type Norm, workgroupQuads } from './matmul.ts';
import { type RouterShape, routeConstants } from './router.ts';
import { type FinishKind, standardTiles, type Tile, type TileFacts } from './tiles.ts';
import { type Activations, quadRows, type StorageWithKernels } from './weights.ts';

/** Whole experts that one binding holds; of a matrix with slots these are counted. */
export interface ExpertShard {
  readonly firstExpert: number;
  readonly experts: number;
  /** Their rows, one expert below the other, as one packed matrix. */
  readonly packed: Vectors;
}

export interface ExpertMatrix {
  readonly storage: StorageWithKernels;
  /** Of one expert; a multiple of 4. */
  readonly rows: number;
  readonly columns: number;
  readonly shards: readonly ExpertShard[];
  /** Experts that are on the device at a time, where there is no room for all; any of them in any slot. */
  readonly slots?: number;
}

export interface ExpertArguments extends TileFacts {
  readonly router: RouterShape;
  readonly routes: Slice;
  /** f32; [token][columns] or [choice][columns]. */
  readonly x: Vectors;
  readonly rowsAre: 'tokens' | 'choices';
  readonly norm?: Norm | undefined;
  /** y: [choice][...]. */
  readonly finish: Finish & { readonly kind: 'store' | 'gated' };
  /** [expert][rows] f32. */
  readonly bias?: Slice | undefined;
  readonly batch: Slice;
  readonly maxTokens: number;
  readonly layout: Readonly<Record<string, number>>;
}

/** Variant 0 takes a choice a workgroup, in the router's order; the others, in ascending order of tokens, want the choices sorted. */
function expertTiles(facts: TileFacts, finish: FinishKind): readonly Tile[] {
  return standardTiles(facts, { activations: 'f32', finish });
}

/** Choices that an expert has on average for its tile to be full often enough: the last tile of an expert is half empty. */
const choicesPerTile = 2;

function chooseTile(tokens: number, { experts, topK }: RouterShape, tiles: readonly Tile[]): number {
  const fits = tiles.findLastIndex((tile) => tile.tokens * choicesPerTile * experts <= tokens * topK);
  return Math.max(0, fits);
}

/** Which steps read the choices sorted by expert (router.ts). */
export function needsSort(router: RouterShape, facts: TileFacts): (counts: StepCounts) => boolean {
  const tiles = expertTiles(facts, 'store');
  return ({ tokens }) => chooseTile(tokens, router, tiles) > 0;
}

/** One variant a tile. */
function expertVariants(
  matrix: Pick<ExpertMatrix, 'storage' | 'rows' | 'columns' | 'slots'>,
  weights: Place,
  args: ExpertArguments,
  tiles: readonly Tile[],
): Variant[] {
  const { x, norm, finish, bias, lanes, layout } = args;
  const input: Activations = { format: 'f32', vectors: x };
  const constants = routeConstants(args.router, args.maxTokens);
  const choice = choiceOf(matrix, weights, { x: input, norm, finish, bias, over: 'tokens', lanes, layout, tiles });
  const hasSlots = matrix.slots !== undefined;
  return tiles.flatMap((tile, i) => matmulVariants({ ...choice, tiles: [tile], experts: { rows: i === 0 ? 'expert' : 'experts', hasSlots, constants } }));
}

/** Operations of W[expert] x for every choice, one a shard. */
export function expertMatmul(matrix: ExpertMatrix, args: ExpertArguments): Operation[] {
  const { finish, router, lanes } = args;
  const tiles = expertTiles(args, finish.kind);
  const groupQuads = tiles.map((tile) => workgroupQuads(tile, lanes, 'f32'));
  const quads = matrix.rows / quadRows;
  return matrix.shards.map(({ packed, firstExpert, experts }) => ({
    variants: expertVariants(matrix, placeOf(packed), args, tiles),
    resources: [packed, args.x, finish.y, args.batch, ...extraResources(args), args.routes],
    params: matmulParams({
      quads,
      columns: matrix.columns,
      rows: matrix.rows,
      offset: 0,
      over: 'tokens',
      epsilon: args.norm?.epsilon,
      finish,
      planeQuads: quads * experts,
      experts: { first: firstExpert, count: experts, share: args.rowsAre === 'tokens' ? router.topK : 1 },
    }),
    choose: (counts) => chooseTile(counts.tokens, router, tiles),
    gridX: (_, variant) => Math.ceil(quads / (groupQuads[variant] ?? 1)),
    gridY: ({ tokens }, variant) => groupCount(tokens * router.topK, router.experts, variant === 0 ? undefined : tiles[variant]),
  }));
}

/** Workgroups that take rows: see rows/experts.wgsl. */
function groupCount(choices: number, experts: number, tile: Tile | undefined): number {
  return tile === undefined || choices === 0 ? choices : Math.floor(choices / tile.tokens) + experts;
}

const run = 8;

/** `place`: of all rows. */
export function expertsSumVariant(router: RouterShape, maxTokens: number, isAdded: boolean, place: Place, lanes: number): Variant {
  return {
    label: `experts_sum/${isAdded ? 'add' : 'store'}/${place}/sg${lanes}`,
    file: 'experts_sum.wgsl',
    includes: { PLACE_X: `place/x_${place}.wgsl`, PLACE_Y: `place/y_${place}.wgsl`, PLACE_SUM: `place/sum_${isAdded ? place : 'none'}.wgsl` },
    constants: { LANES: lanes, RUN: run, SHAPE: isAdded ? 4 : 3, ...routeConstants(router, maxTokens) },
    bindings: [bindingKind('read', place), bindingKind('write', place), 'read', ...(isAdded ? [bindingKind('read', place)] : []), 'uniform'],
  };
}

export interface ExpertsSumArguments {
  readonly router: RouterShape;
  readonly routes: Slice;
  /** [choice][columns] f32. */
  readonly x: Vectors;
  /** [token][columns]; `to`, if given, is another of its shape and kind of place. */
  readonly y: Vectors;
  readonly to?: Vectors | undefined;
  readonly columns: number;
  readonly maxTokens: number;
  readonly lanes: number;
}

/** y = to + the weighted sum of each token's choices. */
export function expertsSum({ router, routes, x, y, to, columns, maxTokens, lanes }: ExpertsSumArguments): Operation {
  return {
    variants: [expertsSumVariant(router, maxTokens, to !== undefined, placeOf(y), lanes)],
    resources: [x, y, routes, ...(to === undefined ? [] : [to])],
    params: packParams(columns / quadRows, router.topK),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => Math.ceil(columns / quadRows / (lanes * run)),
  };
}
