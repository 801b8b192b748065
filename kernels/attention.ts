/**
 * Owns the kernels around the KV pool: attention (per item and KV head), attention_merge (join a token's items),
 * clear_blocks, which zeroes freed blocks, and what copies blocks. What stores keys and values is matmul's `rope` end, or heads.ts.
 */
import { bindingKind, type Operation, type Place, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';

type KvFormat = 'f16' | 'f32' | 'q8';

export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  /** Of keys, and of values unless they are latent; a multiple of 8, at most 576. */
  readonly headLength: number;
  /**
   * A slot has one row a KV head in place of keys and values: all of it is the key, and so many of its first channels the value
   * (multi-head latent attention); a multiple of 8. Not in q8: one factor would not do for latent and rotated channels.
   */
  readonly latentLength?: number | undefined;
  /** Dimensions of a head that are rotated; even. */
  readonly rotaryLength: number;
  /** What queries are multiplied by; without it headLength^-0.5. */
  readonly scale?: number;
  /** A query sees so many positions, its own the last of them; without it all. */
  readonly window?: number | undefined;
  /** A query sees so many entries at most, those that were chosen for it (indexer.ts). In f16 and f32. */
  readonly topK?: number | undefined;
  /** Behind what else a slot has: channels of a key that entries are chosen by (indexer.ts); a multiple of 8. */
  readonly indexLength?: number | undefined;
  /** Scores become softcap * tanh(score / softcap). */
  readonly softcap?: number | undefined;
  readonly kv: KvFormat;
  readonly blockLength: number;
  /** Slots in a row of a pool that is a texture; 1 for a buffer. */
  readonly poolFold: number;
  readonly lanes: number;
  /** BATCH_ constants of the batch. */
  readonly layout: Readonly<Record<string, number>>;
}

export type PoolShape = Pick<AttentionShape, 'kvHeads' | 'headLength' | 'latentLength' | 'indexLength' | 'kv'>;

/** Values in a vector of 16 bytes. */
const vectorLengths: Readonly<Record<KvFormat, number>> = { f16: 8, f32: 4, q8: 16 };

/** Quads of channels in a vector of 16 bytes. */
export function vectorQuads(kv: KvFormat): number {
  return vectorLengths[kv] / 4;
}

/** Vectors of 16 bytes of a head's keys, or values. */
export function headVectors({ headLength, kv }: Pick<PoolShape, 'headLength' | 'kv'>): number {
  return Math.ceil(headLength / vectorLengths[kv]);
}

/** Channels of a value, and so of what a head gives. */
export function valueLength({ headLength, latentLength }: Pick<AttentionShape, 'headLength' | 'latentLength'>): number {
  return latentLength ?? headLength;
}

/**
 * Vectors of 16 bytes that a slot of one layer's KV pool takes: [keys, values][KV head][head length] in the KV format; behind
 * them, for q8, a vector for each KV head with the factors of its keys and its values in f32. Latent rows: [KV head][head length].
 * Last the key that entries are chosen by, where there is one.
 */
export function slotVectors(shape: PoolShape): number {
  const { indexLength = 0, kv } = shape;
  return indexStart(shape) + headVectors({ headLength: indexLength, kv });
}

/** The first of a slot's vectors that its index key has. */
export function indexStart(shape: PoolShape): number {
  if (shape.latentLength !== undefined) return shape.kvHeads * headVectors(shape);
  return 2 * shape.kvHeads * headVectors(shape) + (shape.kv === 'q8' ? shape.kvHeads : 0);
}

/** Bytes of one layer's KV pool. */
export function kvPoolSize(shape: PoolShape, slots: number): number {
  return slots * slotVectors(shape) * 16;
}

/** Vectors in a row of a layer's pool, rows, and slots side by side in a row: several in a texture that would be too high else. */
export function poolExtent(
  shape: PoolShape,
  slots: number,
  { place, textureLimit }: { readonly place: Place; readonly textureLimit: number },
): { readonly width: number; readonly rows: number; readonly fold: number } {
  const fold = place === 'buffer' ? 1 : Math.ceil(slots / textureLimit);
  return { width: slotVectors(shape) * fold, rows: Math.ceil(slots / fold), fold };
}

/**
 * Workgroups that share the query heads of a KV head, four heads each at most and fewer where heads are long: code grows with both, and so does the time to compile it.
 * Latent rows have so many heads that two share what is read, whatever their length: 1.6 times as fast on lavapipe.
 */
function groupTiles({ heads, kvHeads, headLength, latentLength }: AttentionShape): number {
  const most = Math.max(latentLength === undefined ? 1 : 2, Math.min(4, Math.floor(256 / headLength)));
  return Math.ceil(heads / kvHeads / most);
}

/** Constants of the kernels that know heads; matmul's `rope` end is one of them. */
export function attentionConstants(shape: AttentionShape): Record<string, number> {
  const group = shape.heads / shape.kvHeads;
  const vectors = headVectors(shape);
  const values = valueLength(shape);
  const valueVectors = Math.ceil(values / vectorLengths[shape.kv]);
  return {
    ...shape.layout,
    LANES: shape.lanes,
    HEADS: shape.heads,
    KV_HEADS: shape.kvHeads,
    GROUP: group,
    GROUP_TILES: groupTiles(shape),
    GROUP_TILE: Math.ceil(group / groupTiles(shape)),
    HEAD_VECTORS: vectors,
    VALUE_VECTORS: valueVectors,
    VECTOR_QUADS: vectorQuads(shape.kv),
    SLOT_VECTORS: slotVectors(shape),
    SLOT_VALUES: shape.latentLength === undefined ? shape.kvHeads * vectors : 0,
    SLOT_SCALES: 2 * shape.kvHeads * vectors,
    POOL_FOLD: shape.poolFold,
    HEAD_LENGTH: shape.headLength,
    HEAD_QUADS: shape.headLength / 4,
    VALUE_QUADS: values / 4,
    ROTARY_LENGTH: shape.rotaryLength,
    BLOCK_LENGTH: shape.blockLength,
  };
}

/** Loads that stand together, before what is done with them: each is a call on lavapipe, around which registers are saved. */
function loadsTogether(count: number): number {
  return [8, 7, 6, 5, 4, 3, 2].find((loads) => count % loads === 0) ?? 1;
}

function headName({ headLength, latentLength }: AttentionShape): string {
  return latentLength === undefined ? `${headLength}` : `${headLength}v${latentLength}`;
}

function floatBits(value: number): number {
  return new Uint32Array(new Float32Array([value]).buffer)[0] ?? 0;
}

/** What all kernels of attention have in common: options, format, places. `place`: of queries, pool and results. Labels name what is not usual. */
export function attentionBase(shape: AttentionShape, place: Place, hasSinks: boolean): Omit<Required<Variant>, 'file' | 'emulated'> {
  const { window, softcap, kv, topK } = shape;
  const options = [
    ...(window === undefined ? [] : [`w${window}`]),
    ...(topK === undefined ? [] : [`k${topK}`]),
    ...(softcap === undefined ? [] : [`cap${softcap}`]),
    ...(hasSinks ? ['sinks'] : []),
  ].join('');
  return {
    label: ['attention', kv, `d${headName(shape)}g${shape.heads / shape.kvHeads}`, ...(options === '' ? [] : [options]), place].join('/'),
    includes: {
      KV: `kv/${kv}.wgsl`,
      SCALES: `kv/${kv === 'q8' ? 'scaled' : 'unscaled'}.wgsl`,
      SEEN: `attend/${topK === undefined ? 'window' : 'chosen'}.wgsl`,
      SCORE: `attend/${softcap === undefined ? 'plain' : 'softcap'}.wgsl`,
      SINK: `attend/${hasSinks ? 'sink' : 'no_sink'}.wgsl`,
      PLACE_POOL: `place/pool_${place}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_Y: `place/y_${place}.wgsl`,
    },
    constants: {
      ...attentionConstants(shape),
      ...(topK === undefined ? { WINDOW: window ?? 0xffffffff } : { TOP_K: topK, CHOSEN: hasSinks ? 7 : 6 }),
      CAP_BITS: floatBits(softcap ?? 0),
    },
    bindings: [
      bindingKind('read', place),
      bindingKind('read', place, 'rgba32uint'),
      'write',
      'write',
      bindingKind('write', place),
      'read',
      ...(hasSinks ? (['read'] as const) : []),
      ...(topK === undefined ? [] : (['read'] as const)),
    ],
  };
}

export function attentionVariant(shape: AttentionShape, place: Place, hasSinks = false): Variant {
  const { label, includes, constants, bindings } = attentionBase(shape, place, hasSinks);
  const { HEAD_VECTORS: vectors = 0, VALUE_VECTORS: valueVectors = 0, VECTOR_QUADS: quads = 0 } = constants as Record<string, number>;
  return {
    label: `${label}/sg${shape.lanes}`,
    file: 'attention.wgsl',
    includes,
    constants: {
      ...constants,
      QUADS: Math.ceil(vectors / shape.lanes) * quads,
      LANE_VECTORS: Math.ceil(valueVectors / shape.lanes),
      KEY_LOADS: loadsTogether(vectors),
      VALUE_LOADS: loadsTogether(shape.lanes),
    },
    bindings,
  };
}

export interface AttentionScratch {
  /** [item][head][value length] f32. */
  readonly partials: Slice;
  /** [item][head] pairs of f32. */
  readonly states: Slice;
}

/**
 * queries: [token][head][head length] f32, scaled; y: [token][head][value length] in the same kind of place, complete for tokens with one item.
 * sinks: [head] f32, one more score of each head, whose value is zero. chosen: [token][topK] slots, where the shape has a topK.
 */
export function attention(
  shape: AttentionShape,
  queries: Vectors,
  pool: Vectors,
  scratch: AttentionScratch,
  y: Vectors,
  batch: Slice,
  sinks?: Slice,
  chosen?: Slice,
): Operation {
  return {
    variants: [attentionVariant(shape, placeOf(y), sinks !== undefined)],
    resources: [queries, pool, scratch.partials, scratch.states, y, batch, ...[sinks, chosen].filter((slice) => slice !== undefined)],
    choose: () => 0,
    gridX: (counts) => counts.items,
    gridY: () => shape.kvHeads * groupTiles(shape),
  };
}

export function attentionMergeVariant(shape: AttentionShape, place: Place, hasSinks = false): Variant {
  return {
    label: `attention_merge/d${headName(shape)}/${hasSinks ? 'sinks/' : ''}${place}/sg${shape.lanes}`,
    file: 'attention_merge.wgsl',
    includes: { PLACE_Y: `place/y_${place}.wgsl`, SINK: `attend/${hasSinks ? 'sink' : 'no_sink'}.wgsl` },
    constants: attentionConstants(shape),
    bindings: ['read', 'read', bindingKind('write', place), 'read', ...(hasSinks ? (['read'] as const) : [])],
  };
}

/** Completes y for tokens with several items; no dispatch when the step has none. */
export function attentionMerge(shape: AttentionShape, scratch: AttentionScratch, y: Vectors, batch: Slice, sinks?: Slice): Operation {
  return {
    variants: [attentionMergeVariant(shape, placeOf(y), sinks !== undefined)],
    resources: [scratch.partials, scratch.states, y, batch, ...(sinks === undefined ? [] : [sinks])],
    choose: () => 0,
    gridX: (counts) => (counts.items === counts.tokens ? 0 : counts.tokens),
    // Subgroups of a CPU device are smaller; there a workgroup costs more than what it would take off another.
    gridY: () => (shape.lanes < 32 ? 1 : Math.ceil((shape.heads * shape.headLength) / 4 / shape.lanes)),
  };
}

export function clearBlocksVariant(shape: AttentionShape, place: Place): Variant {
  return {
    label: `clear_blocks/${place}/sg${shape.lanes}`,
    file: 'clear_blocks.wgsl',
    includes: { PLACE_STORED: `place/stored_${place}.wgsl` },
    constants: attentionConstants(shape),
    bindings: [bindingKind('write', place, 'rgba32uint'), 'read'],
  };
}

export function clearBlocks(shape: AttentionShape, pool: Vectors, batch: Slice): Operation {
  return {
    variants: [clearBlocksVariant(shape, placeOf(pool))],
    resources: [pool, batch],
    choose: () => 0,
    gridX: (counts) => counts.clears,
    gridY: () => 1,
  };
}

/** Bytes of scratch that so many copies of blocks need. */
export function copySize(shape: PoolShape & Pick<AttentionShape, 'blockLength'>, copies: number): number {
  return kvPoolSize(shape, copies * shape.blockLength);
}

export function copyBlocksVariants(shape: AttentionShape, place: Place): { readonly gather: Variant; readonly scatter: Variant } {
  const constants = attentionConstants(shape);
  return {
    gather: {
      label: `gather_blocks/${place}/sg${shape.lanes}`,
      file: 'gather_blocks.wgsl',
      includes: { PLACE_POOL: `place/pool_${place}.wgsl` },
      constants,
      bindings: [bindingKind('read', place, 'rgba32uint'), 'write', 'read'],
    },
    scatter: {
      label: `scatter_blocks/${place}/sg${shape.lanes}`,
      file: 'scatter_blocks.wgsl',
      includes: { PLACE_STORED: `place/stored_${place}.wgsl` },
      constants,
      bindings: [bindingKind('write', place, 'rgba32uint'), 'read', 'read'],
    },
  };
}

/** Copies the first slots of blocks to other blocks of the pool, all read before any is written. `gathered`: scratch of `copySize`. */
export function copyBlocks(shape: AttentionShape, pool: Vectors, gathered: Slice, batch: Slice): Operation[] {
  const { gather, scatter } = copyBlocksVariants(shape, placeOf(pool));
  return [gather, scatter].map((variant) => ({
    variants: [variant],
    resources: [pool, gathered, batch],
    choose: () => 0,
    gridX: (counts) => counts.copies,
    gridY: () => shape.blockLength,
  }));
}
