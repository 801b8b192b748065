/**
 * Owns the kernels around multi-head latent attention with absorbed weights: what is kept of a token (latent_rows.wgsl), and queries as
 * long as that (latent_queries.wgsl). Attention itself is that of attention.ts over latent rows; what follows is head_matmul.ts. Pairs are
 * interleaved. Refuses latents in q8: one factor would not do for both parts of a row.
 */
import { type AttentionShape, attentionConstants, valueLength } from './attention.ts';
import { type HeadRows, headRuns } from './head_matmul.ts';
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';
import type { Norm } from './matmul.ts';
import type { TileFacts } from './tiles.ts';
import { blockColumns, packedStorages, quadRows, type StorageWithKernels } from './weights.ts';

/** One latent row a token, shared by all heads; its other channels, all of which turn, are the last. */
export type LatentShape = AttentionShape & { readonly kvHeads: 1; readonly latentLength: number };

/** `place`: of rows and pool. */
export function latentRowsVariant(shape: LatentShape, place: Place): Variant {
  return {
    label: `latent_rows/${shape.kv}/d${shape.headLength}v${shape.latentLength}/${place}/sg${shape.lanes}`,
    file: 'latent_rows.wgsl',
    includes: { KV: `kv/${shape.kv}.wgsl`, PLACE_X: `place/x_${place}.wgsl`, PLACE_STORED: `place/stored_${place}.wgsl` },
    constants: attentionConstants(shape),
    bindings: [bindingKind('read', place), bindingKind('write', place, 'rgba32uint'), 'read', 'read', 'uniform', 'uniform'],
  };
}

export interface LatentRowBuffers {
  /** [token][latent, other channels] f32, in the kind of place of the pool. */
  readonly rows: Vectors;
  readonly pool: Vectors;
  /** Of the latent. */
  readonly norm: Norm;
  /** [position][pair] (cos, sin) f32. */
  readonly rotation: Slice;
  readonly batch: Slice;
}

export function latentRows(shape: LatentShape, { rows, pool, norm, rotation, batch }: LatentRowBuffers): Operation {
  return {
    variants: [latentRowsVariant(shape, placeOf(pool))],
    resources: [rows, pool, batch, rotation, norm.weight],
    params: packParams({ f32: norm.epsilon }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

/** Tokens of a workgroup in each form, and how it has lanes. */
interface QueryForm {
  readonly tokens: number;
  readonly constants: Readonly<Record<string, number>>;
}

const wideInvocations = 128;

/** Lanes of CPU devices take blocks of columns, which costs less than to load a block once a quad; those of GPUs quads, to be many. */
function queryForms({ lanes, family = 'narrow' }: TileFacts): readonly [QueryForm, QueryForm] {
  const constants = family === 'narrow' ? { SUBGROUPS: 1, OWN_QUADS: 8 } : { SUBGROUPS: Math.max(1, wideInvocations / lanes), OWN_QUADS: 1 };
  const most = family === 'narrow' ? 4 : 8;
  return [
    { tokens: 1, constants },
    { tokens: most, constants },
  ];
}

export interface QueryPlaces {
  readonly weights: Place;
  readonly x: Place;
  readonly y: Place;
}

/** Rows of a head of key weights are plain channels of its query and columns channels of the latent, or the other way round. */
export type KeyRows = 'plain' | 'latent';

/** For one token, and for several. `inputLength`: channels of a head of x. */
export function latentQueriesVariants(
  shape: LatentShape,
  { storage, rowsAre, inputLength }: { readonly storage: StorageWithKernels; readonly rowsAre: KeyRows; readonly inputLength: number },
  places: QueryPlaces,
  facts: TileFacts,
): Variant[] {
  const { stem } = packedStorages[storage];
  const size = `d${shape.headLength}v${valueLength(shape)}`;
  return queryForms(facts).map(({ tokens, constants }) => ({
    label: [
      'latent_queries',
      stem,
      rowsAre,
      size,
      [places.weights, places.x, places.y].map((place) => place[0]).join(''),
      `sg${facts.lanes}`,
      `t${tokens}`,
    ].join('/'),
    file: 'latent_queries.wgsl',
    includes: {
      QUANT: `quant/${stem}.wgsl`,
      ABSORB: `absorb/${rowsAre === 'plain' ? 'rows' : 'columns'}.wgsl`,
      PLACE_W: `place/weights_${places.weights}.wgsl`,
      PLACE_X: `place/x_${places.x}.wgsl`,
      PLACE_Y: `place/y_${places.y}.wgsl`,
    },
    constants: { ...attentionConstants(shape), ...constants, INPUT_QUADS: inputLength / quadRows, TOKENS: tokens },
    bindings: [bindingKind('read', places.weights, 'rgba32uint'), bindingKind('read', places.x), bindingKind('write', places.y), 'read', 'read', 'uniform'],
  }));
}

export interface LatentQueryBuffers {
  /** [token][head][plain channels, channels that turn] f32. */
  readonly x: Vectors;
  /** [token][head][head length] f32. */
  readonly queries: Vectors;
  readonly rotation: Slice;
  readonly batch: Slice;
}

export function latentQueries(
  shape: LatentShape,
  keys: HeadRows & { readonly rowsAre: KeyRows },
  { x, queries, rotation, batch }: LatentQueryBuffers,
  facts: TileFacts,
): Operation[] {
  const { matrix, pitch, rows, rowsAre } = keys;
  const inputLength = (rowsAre === 'plain' ? rows : matrix.columns) + shape.headLength - shape.latentLength;
  const forms = queryForms(facts);
  return headRuns(keys).map(({ packed, firstHead, heads, start, planeQuads }) => ({
    variants: latentQueriesVariants(
      shape,
      { storage: matrix.storage, rowsAre, inputLength },
      { weights: placeOf(packed), x: placeOf(x), y: placeOf(queries) },
      facts,
    ),
    resources: [packed, x, queries, batch, rotation],
    params: packParams(matrix.columns / blockColumns, rows / quadRows, pitch / quadRows, start, planeQuads, firstHead, {
      f32: shape.scale ?? inputLength ** -0.5,
    }),
    choose: ({ tokens }) => (tokens === 1 ? 0 : 1),
    gridX: () => heads,
    gridY: ({ tokens }, variant) => Math.ceil(tokens / (forms[variant] ?? forms[0]).tokens),
  }));
}
