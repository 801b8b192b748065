/**
 * Owns the kernel between plain projections and attention (heads.wgsl): norms of heads, rotary embedding in every form, and the KV
 * store in every format. Families that need nothing but interleaved pairs and f16 or f32 have it in the matmul (epilogue/rope.wgsl).
 */
import { type AttentionShape, attentionConstants } from './attention.ts';
import { type BindingKind, bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';

/** How heads differ from the plain ones; all of it is optional. */
export interface HeadOptions {
  /** Pairs are (2i, 2i + 1), or (i, i + half of the rotary length), which is a multiple of 8 then; default interleaved. */
  readonly pairs?: 'interleaved' | 'halfSplit';
  /** Channel where rotation starts; a multiple of 4. */
  readonly rotaryStart?: number;
  /** RMSNorm of each query and key head with weights [head length] in uniform buffers; of values without weights. */
  readonly norm?: { readonly query: Slice; readonly key: Slice; readonly epsilon: number; readonly ofValues?: boolean };
  /** Queries are also multiplied by 1 + growth * ln(1 + floor(position / originalLength)). */
  readonly growth?: { readonly by: number; readonly originalLength: number };
  /** Query heads of a row are so many channels apart, where something stands between them; default the head length. */
  readonly queryPitch?: number;
  /** Rows have no values: values are keys before norm and rotation. */
  readonly sharesKeys?: boolean;
  /** The layer stores nothing: it reads another layer's pool, and rows are queries only. */
  readonly onlyQueries?: boolean;
}

/** Channels of a row [query, key, value heads] as the projections leave it. */
export function headRowLength(shape: AttentionShape, { queryPitch = shape.headLength, sharesKeys, onlyQueries }: HeadOptions = {}): number {
  const kvParts = onlyQueries ? 0 : sharesKeys ? 1 : 2;
  return shape.heads * queryPitch + kvParts * shape.kvHeads * shape.headLength;
}

/** `place`: of rows, queries and pool. */
export function headsVariant(shape: AttentionShape, options: HeadOptions, place: Place): Variant {
  const { pairs = 'interleaved', rotaryStart = 0, norm, queryPitch = shape.headLength, sharesKeys = false } = options;
  const bindings: BindingKind[] = [bindingKind('read', place), bindingKind('write', place), bindingKind('write', place, 'rgba32uint'), 'read', 'read'];
  if (norm !== undefined) bindings.push('uniform', 'uniform');
  const start = (shape.heads * queryPitch) / 4;
  const normed = norm === undefined ? 'plain' : norm.ofValues ? 'normed-v' : 'normed';
  return {
    label: `heads/${shape.kv}/d${shape.headLength}/${normed}/${pairs}-${rotaryStart}-${shape.rotaryLength}/${place}/sg${shape.lanes}`,
    file: 'heads.wgsl',
    includes: {
      KV: `kv/${shape.kv}.wgsl`,
      STORE: `heads/store${shape.kv === 'q8' ? '_q8' : ''}.wgsl`,
      HEAD_NORM: `heads/${norm === undefined ? 'plain' : 'normed'}.wgsl`,
      TURN: `heads/${pairs === 'interleaved' ? 'interleaved' : 'half_split'}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_Y: `place/y_${place}.wgsl`,
      PLACE_STORED: `place/stored_${place}.wgsl`,
    },
    constants: {
      ...attentionConstants(shape),
      ROW_QUADS: headRowLength(shape, options) / 4,
      QUERY_PITCH: queryPitch / 4,
      KEY_START: start,
      VALUE_START: sharesKeys ? start : start + (shape.kvHeads * shape.headLength) / 4,
      ROTARY_START: rotaryStart,
      VALUE_NORM: norm?.ofValues ?? false,
      SHAPE: bindings.push('uniform') - 1,
    },
    bindings,
  };
}

export interface HeadBuffers {
  /** [token][headRowLength] f32. */
  readonly rows: Vectors;
  /** [token][head][head length] f32, in the same kind of place. */
  readonly queries: Vectors;
  readonly pool: Vectors;
  /** [position][pair] (cos, sin) f32. */
  readonly rotation: Slice;
  readonly batch: Slice;
}

export function heads(shape: AttentionShape, options: HeadOptions, { rows, queries, pool, rotation, batch }: HeadBuffers): Operation {
  const { norm, growth } = options;
  return {
    variants: [headsVariant(shape, options, placeOf(queries))],
    resources: [rows, queries, pool, batch, rotation, ...(norm === undefined ? [] : [norm.query, norm.key])],
    params: packParams({ f32: shape.scale ?? shape.headLength ** -0.5 }, { f32: growth?.by ?? 0 }, growth?.originalLength ?? 1, { f32: norm?.epsilon ?? 0 }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => shape.heads + (options.onlyQueries ? 0 : shape.kvHeads),
  };
}
