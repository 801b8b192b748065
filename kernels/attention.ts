/**
 * Owns the three kernels around the KV pool: rope_store (rotate, scale, store), attention (per item and KV head)
 * and attention_merge (join a token's items), and clear_blocks, which zeroes freed blocks.
 */
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';
import type { Activations } from './weights.ts';

export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  /** A multiple of 4. */
  readonly headLength: number;
  /** Dimensions of a head that are rotated; a multiple of 4. */
  readonly rotaryLength: number;
  readonly kv: 'f16' | 'f32';
  readonly blockLength: number;
  readonly lanes: number;
  /** BATCH_ constants of the batch. */
  readonly layout: Readonly<Record<string, number>>;
}

/** K and V of one layer: [slot][KV head][head length] in the KV format. */
export interface KvPool {
  readonly keys: Slice;
  readonly values: Slice;
}

export function ropeStoreVariant(shape: AttentionShape): Variant {
  return {
    label: `rope_store/${shape.kv}/sg${shape.lanes}`,
    file: 'rope_store.wgsl',
    includes: { KV: `kv/${shape.kv}.wgsl` },
    constants: { LANES: shape.lanes, HEADS: shape.heads, KV_HEADS: shape.kvHeads, HEAD_QUADS: shape.headLength / 4, ROTARY_QUADS: shape.rotaryLength / 4, ...shape.layout },
    bindings: ['read', 'write', 'write', 'write', 'read', 'read', 'uniform'] satisfies BindingKind[],
  };
}

/**
 * projected: [token][(heads + 2 * KV heads) * head length] f32, queries then keys then values;
 * queries out: [token][head][head length] f32, times headLength^-0.5; rotation: [position][rotary length] f32, pairs of cos and sin.
 */
export function ropeStore(shape: AttentionShape, projected: Slice, queries: Slice, pool: KvPool, rotation: Slice, batch: Slice): Operation {
  return {
    variants: [ropeStoreVariant(shape)],
    buffers: [projected, queries, pool.keys, pool.values, rotation, batch],
    params: packParams(((shape.heads + 2 * shape.kvHeads) * shape.headLength) / 4, { f32: shape.headLength ** -0.5 }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

export function attentionVariant(shape: AttentionShape): Variant {
  const group = shape.heads / shape.kvHeads;
  return {
    label: `attention/${shape.kv}/d${shape.headLength}g${group}/sg${shape.lanes}`,
    file: 'attention.wgsl',
    includes: { KV: `kv/${shape.kv}.wgsl` },
    constants: {
      LANES: shape.lanes,
      HEADS: shape.heads,
      KV_HEADS: shape.kvHeads,
      GROUP: group,
      HEAD_QUADS: shape.headLength / 4,
      BLOCK_LENGTH: shape.blockLength,
      ...shape.layout,
    },
    bindings: ['read', 'read', 'read', 'write', 'write', 'read'] satisfies BindingKind[],
  };
}

export interface AttentionScratch {
  /** [item][head][head length] f32. */
  readonly partials: Slice;
  /** [item][head] pairs of f32. */
  readonly states: Slice;
}

export function attention(shape: AttentionShape, queries: Slice, pool: KvPool, scratch: AttentionScratch, batch: Slice): Operation {
  return {
    variants: [attentionVariant(shape)],
    buffers: [queries, pool.keys, pool.values, scratch.partials, scratch.states, batch],
    choose: () => 0,
    gridX: (counts) => counts.items,
    gridY: () => shape.kvHeads,
  };
}

export function attentionMergeVariant(shape: AttentionShape, store: Activations['format']): Variant {
  return {
    label: `attention_merge/${store}/d${shape.headLength}/sg${shape.lanes}`,
    file: 'attention_merge.wgsl',
    includes: { STORE: `store/${store}.wgsl` },
    constants: { LANES: shape.lanes, HEADS: shape.heads, HEAD_QUADS: shape.headLength / 4, ...shape.layout },
    bindings: ['read', 'read', 'write', 'read'] satisfies BindingKind[],
  };
}

/** y: [token][heads * head length]. */
export function attentionMerge(shape: AttentionShape, scratch: AttentionScratch, y: Activations, batch: Slice): Operation {
  return {
    variants: [attentionMergeVariant(shape, y.format)],
    buffers: [scratch.partials, scratch.states, y.slice, batch],
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

export function clearBlocksVariant(shape: AttentionShape): Variant {
  const blockVectors = (shape.blockLength * shape.kvHeads * shape.headLength * (shape.kv === 'f16' ? 2 : 4)) / 16;
  return {
    label: `clear_blocks/sg${shape.lanes}`,
    file: 'clear_blocks.wgsl',
    constants: { LANES: shape.lanes, BLOCK_VECTORS: blockVectors, ...shape.layout },
    bindings: ['write', 'write', 'read'] satisfies BindingKind[],
  };
}

export function clearBlocks(shape: AttentionShape, pool: KvPool, batch: Slice): Operation {
  return {
    variants: [clearBlocksVariant(shape)],
    buffers: [pool.keys, pool.values, batch],
    choose: () => 0,
    gridX: (counts) => counts.clears,
    gridY: () => 1,
  };
}
