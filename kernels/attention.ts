/**
 * Owns the kernels around the KV pool: attention (per item and KV head), attention_merge (join a token's items) and
 * clear_blocks, which zeroes freed blocks. What stores keys and values is matmul's `rope` end.
 */
import { bindingKind, type Operation, type Place, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';

export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  /** A multiple of 8. */
  readonly headLength: number;
  /** Dimensions of a head that are rotated; even. */
  readonly rotaryLength: number;
  readonly kv: 'f16' | 'f32';
  readonly blockLength: number;
  /** Slots in a row of a pool that is a texture; 1 for a buffer. */
  readonly poolFold: number;
  readonly lanes: number;
  /** BATCH_ constants of the batch. */
  readonly layout: Readonly<Record<string, number>>;
}

/** Vectors of 16 bytes that a slot of one layer's KV pool takes: [keys, values][KV head][head length] in the KV format. */
export function slotVectors(shape: Pick<AttentionShape, 'kvHeads' | 'headLength' | 'kv'>): number {
  return (2 * shape.kvHeads * shape.headLength) / (shape.kv === 'f16' ? 8 : 4);
}

/** Bytes of one layer's KV pool. */
export function kvPoolSize(shape: Pick<AttentionShape, 'kvHeads' | 'headLength' | 'kv'>, slots: number): number {
  return slots * slotVectors(shape) * 16;
}

/** Vectors in a row of a layer's pool, rows, and slots side by side in a row: several in a texture that would be too high else. */
export function poolExtent(
  shape: Pick<AttentionShape, 'kvHeads' | 'headLength' | 'kv'>,
  slots: number,
  { place, textureLimit }: { readonly place: Place; readonly textureLimit: number },
): { readonly width: number; readonly rows: number; readonly fold: number } {
  const fold = place === 'buffer' ? 1 : Math.ceil(slots / textureLimit);
  return { width: slotVectors(shape) * fold, rows: Math.ceil(slots / fold), fold };
}

/** Workgroups that share the query heads of a KV head, four heads each at most: more would take long to compile. */
function groupTiles(shape: AttentionShape): number {
  return Math.ceil(shape.heads / shape.kvHeads / 4);
}

/** Quads of a head that a lane holds. */
function quadsOfLane({ headLength, kv, lanes }: AttentionShape): number {
  const vectorQuads = kv === 'f16' ? 2 : 1;
  return Math.ceil(headLength / 4 / vectorQuads / lanes) * vectorQuads;
}

/** Constants of the kernels that know heads; matmul's `rope` end is one of them. */
export function attentionConstants(shape: AttentionShape): Record<string, number> {
  const group = shape.heads / shape.kvHeads;
  const groupTile = Math.ceil(group / groupTiles(shape));
  const vectorQuads = shape.kv === 'f16' ? 2 : 1;
  const quads = quadsOfLane(shape);
  return {
    ...shape.layout,
    LANES: shape.lanes,
    HEADS: shape.heads,
    KV_HEADS: shape.kvHeads,
    GROUP: group,
    GROUP_TILES: groupTiles(shape),
    GROUP_TILE: groupTile,
    VECTORS: quads / vectorQuads,
    VECTOR_QUADS: vectorQuads,
    SLOT_VECTORS: slotVectors(shape),
    POOL_FOLD: shape.poolFold,
    // Positions a turn of attention; divides the block length. Fewer for large heads: unrolled code grows with all
    // three, and so does the time a CPU device takes to compile it.
    RUN: groupTile * quads <= 6 ? 4 : groupTile * quads <= 12 ? 2 : 1,
    HEAD_LENGTH: shape.headLength,
    HEAD_QUADS: shape.headLength / 4,
    ROTARY_LENGTH: shape.rotaryLength,
    BLOCK_LENGTH: shape.blockLength,
  };
}

/** `place`: of queries, pool and results. */
export function attentionVariant(shape: AttentionShape, place: Place): Variant {
  const group = shape.heads / shape.kvHeads;
  return {
    label: `attention/${shape.kv}/d${shape.headLength}g${group}/${place}/sg${shape.lanes}`,
    file: 'attention.wgsl',
    includes: { KV: `kv/${shape.kv}.wgsl`, PLACE_POOL: `place/pool_${place}.wgsl`, PLACE_X: `place/x_${place}.wgsl`, PLACE_Y: `place/y_${place}.wgsl` },
    constants: { ...attentionConstants(shape), QUADS: quadsOfLane(shape) },
    bindings: [bindingKind('read', place), bindingKind('read', place, 'rgba32uint'), 'write', 'write', bindingKind('write', place), 'read'],
  };
}

export interface AttentionScratch {
  /** [item][head][head length] f32. */
  readonly partials: Slice;
  /** [item][head] pairs of f32. */
  readonly states: Slice;
}

/** queries: [token][head][head length] f32, scaled; y: the same shape and kind of place, complete for tokens with one item. */
export function attention(shape: AttentionShape, queries: Vectors, pool: Vectors, scratch: AttentionScratch, y: Vectors, batch: Slice): Operation {
  return {
    variants: [attentionVariant(shape, placeOf(y))],
    resources: [queries, pool, scratch.partials, scratch.states, y, batch],
    choose: () => 0,
    gridX: (counts) => counts.items,
    gridY: () => shape.kvHeads * groupTiles(shape),
  };
}

export function attentionMergeVariant(shape: AttentionShape, place: Place): Variant {
  return {
    label: `attention_merge/d${shape.headLength}/${place}/sg${shape.lanes}`,
    file: 'attention_merge.wgsl',
    includes: { PLACE_Y: `place/y_${place}.wgsl` },
    constants: attentionConstants(shape),
    bindings: ['read', 'read', bindingKind('write', place), 'read'],
  };
}

/** Completes y for tokens with several items; no dispatch when the step has none. */
export function attentionMerge(shape: AttentionShape, scratch: AttentionScratch, y: Vectors, batch: Slice): Operation {
  return {
    variants: [attentionMergeVariant(shape, placeOf(y))],
    resources: [scratch.partials, scratch.states, y, batch],
    choose: () => 0,
    gridX: (counts) => (counts.items === counts.tokens ? 0 : counts.tokens),
    gridY: () => 1,
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
