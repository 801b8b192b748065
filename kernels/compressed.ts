/**
 * Owns the kernels of attention over compressed keys (DeepSeek-V4): entries of several tokens made of their rows (compress.wgsl), attention over the last
 * tokens and them (attention_compressed.wgsl), and rows that a sequence keeps from one step to the next (keep_rows.wgsl, recall_rows.wgsl). What chooses
 * among entries: indexer.ts. Refuses pools in q8: one factor would not do for all channels.
 */
import { type PoolShape, slotVectors, vectorQuads } from './attention.ts';
import { type EntryPlaces, entryConstants, type IndexShape } from './indexer.ts';
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';

/** What a layer keeps: rows of the last tokens in a sequence's state, entries in the pool. */
export interface CompressedCache {
  /** Positions that a token sees by themselves, its own the last of them. */
  readonly window: number;
  /** Of rows and entries; a multiple of 8. */
  readonly headLength: number;
  /** Tokens of an entry; 0: there are none. */
  readonly ratio: 0 | 4 | 128;
  /** Of the key of an entry by which it is chosen; 0: all are seen. */
  readonly indexLength: number;
}

/** Slots of an entry: those of its last tokens. */
function spreadOf(ratio: number): number {
  return Math.min(ratio, 16);
}

/** An entry mixes tokens of two windows. */
function overlaps({ ratio }: Pick<CompressedCache, 'ratio'>): boolean {
  return ratio === 4;
}

/** Channels of what is multiplied to make entries of it: values and gates, then those of index keys. */
export function rawLength(cache: CompressedCache): number {
  return cache.ratio === 0 ? 0 : 2 * (overlaps(cache) ? 2 : 1) * (cache.headLength + cache.indexLength);
}

/** Tokens whose such rows may be needed. */
function rawHistory(cache: CompressedCache): number {
  return overlaps(cache) ? 2 * cache.ratio : cache.ratio;
}

/** f32 of the rows that a sequence keeps. */
export function keptRowsLength(cache: CompressedCache): number {
  return cache.window * cache.headLength + rawHistory(cache) * rawLength(cache);
}

const entryVectors = ({ headLength, indexLength }: CompressedCache, quads: number): number =>
  Math.ceil(headLength / 4 / quads) + Math.ceil(indexLength / 4 / quads);

/** The pool of a layer with entries: each slot has a part of one. */
export function entryPoolShape(cache: CompressedCache, kv: PoolShape['kv']): PoolShape {
  const quads = vectorQuads(kv);
  const length = Math.ceil(entryVectors(cache, quads) / spreadOf(cache.ratio)) * quads * 4;
  return { kvHeads: 1, headLength: length, latentLength: length, kv };
}

export interface CompressedShape extends CompressedCache {
  readonly heads: number;
  /** Of heads and of index keys. */
  readonly rotaryLength: number;
  readonly indexHeads: number;
  /** Entries that a token sees at most. */
  readonly topK: number;
  readonly kv: 'f16' | 'f32';
  readonly blockLength: number;
  readonly poolFold: number;
  readonly lanes: number;
  /** BATCH_ constants of the batch. */
  readonly layout: Readonly<Record<string, number>>;
}

/** Nobody asks where there are none; but nothing may be divided by zero. */
function entriesOf(shape: CompressedShape): EntryPlaces {
  const { ratio, headLength, kv } = shape;
  if (ratio === 0) return { tokens: 1, slots: 1, slotVectors: 1, keyStart: 0 };
  return { tokens: ratio, slots: spreadOf(ratio), slotVectors: slotVectors(entryPoolShape(shape, kv)), keyStart: Math.ceil(headLength / 4 / vectorQuads(kv)) };
}

/** Entries as the indexer has them. */
export function entryIndex(shape: CompressedShape): IndexShape {
  return { ...shape, entries: entriesOf(shape) };
}

const nameOf = ({ ratio, kv, headLength, indexLength }: CompressedShape): string =>
  `${ratio}/${kv}/d${headLength}${indexLength === 0 ? '' : `i${indexLength}`}`;

/** What an entry has: the key that is a value too, or the one by which it is chosen. */
export type EntryPart = 'entry' | 'index';

/** `place`: of rows and pool. */
export function compressVariant(shape: CompressedShape, part: EntryPart, place: Place): Variant {
  const { headLength, indexLength, rotaryLength, kv } = shape;
  const parts = overlaps(shape) ? 2 : 1;
  const isIndex = part === 'index';
  return {
    label: `compress/${part}/${nameOf(shape)}/${place}/sg${shape.lanes}`,
    file: 'compress.wgsl',
    includes: { KV: `kv/${kv}.wgsl`, PLACE_X: `place/x_${place}.wgsl`, PLACE_STORED: `place/stored_${place}.wgsl` },
    constants: {
      ...entryConstants(entriesOf(shape), shape),
      OVERLAPS: overlaps(shape),
      ENTRY_QUADS: (isIndex ? indexLength : headLength) / 4,
      ROTARY_QUADS: rotaryLength / 4,
      VECTOR_START: isIndex ? entriesOf(shape).keyStart : 0,
      RAW_QUADS: rawLength(shape) / 4,
      RAW_START: isIndex ? (2 * parts * headLength) / 4 : 0,
      STATE_QUADS: keptRowsLength(shape) / 4,
      RING_START: (shape.window * headLength) / 4,
    },
    bindings: [bindingKind('read', place), bindingKind('write', place, 'rgba32uint'), 'read', 'write', 'read', 'read', 'uniform', 'uniform'],
  };
}

/** Quads of a lane. */
function ownQuads({ headLength, indexLength, kv, lanes }: CompressedShape, part: EntryPart): number {
  const quads = vectorQuads(kv);
  return Math.ceil(Math.ceil((part === 'index' ? indexLength : headLength) / 4 / quads) / lanes) * quads;
}

export interface CompressBuffers {
  /** [token][rawLength] f32, in the kind of place of the pool. */
  readonly rows: Vectors;
  readonly pool: Vectors;
  readonly state: Slice;
  /** [place in the window][channel] f32: what is added to gates. */
  readonly biases: Slice;
  readonly norm: { readonly weight: Slice; readonly epsilon: number };
  readonly rotation: Slice;
  readonly batch: Slice;
}

/** Stores the entries that the step's tokens complete. */
export function compress(shape: CompressedShape, part: EntryPart, { rows, pool, state, biases, norm, rotation, batch }: CompressBuffers): Operation {
  return {
    variants: [compressVariant(shape, part, placeOf(pool))],
    resources: [rows, pool, batch, state, biases, rotation, norm.weight],
    params: packParams(ownQuads(shape, part), { f32: norm.epsilon }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

/** Which of the rows that a sequence keeps. */
export type KeptRows = 'window' | 'raw';

function ringConstants(shape: CompressedShape, rows: KeptRows): Record<string, number> {
  const { window, headLength, lanes, layout } = shape;
  const isWindow = rows === 'window';
  return {
    ...layout,
    LANES: lanes,
    LENGTH: isWindow ? window : rawHistory(shape),
    RAW_QUADS: (isWindow ? headLength : rawLength(shape)) / 4,
    STATE_QUADS: keptRowsLength(shape) / 4,
    RING_START: isWindow ? 0 : (window * headLength) / 4,
  };
}

export function keepRowsVariant(shape: CompressedShape, rows: KeptRows, place: Place): Variant {
  return {
    label: `keep_rows/${rows}/${nameOf(shape)}/${place}/sg${shape.lanes}`,
    file: 'keep_rows.wgsl',
    includes: { PLACE_X: `place/x_${place}.wgsl` },
    constants: { ...ringConstants(shape, rows), BEHIND: rows === 'window' ? shape.window : 0 },
    bindings: [bindingKind('read', place), 'read', 'write'],
  };
}

/** x: [token][rawLength] f32, or the rows of `recallRows`. */
export function keepRows(shape: CompressedShape, rows: KeptRows, x: Vectors, state: Slice, batch: Slice): Operation {
  return {
    variants: [keepRowsVariant(shape, rows, placeOf(x))],
    resources: [x, batch, state],
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

export function recallRowsVariant(shape: CompressedShape, place: Place): Variant {
  return {
    label: `recall_rows/${nameOf(shape)}/${place}/sg${shape.lanes}`,
    file: 'recall_rows.wgsl',
    includes: { PLACE_Y: `place/y_${place}.wgsl` },
    constants: ringConstants(shape, 'window'),
    bindings: [bindingKind('write', place), 'read', 'write'],
  };
}

/** y: of each sequence of the step `window` rows, then one a token. */
export function recallRows(shape: CompressedShape, y: Vectors, state: Slice, batch: Slice): Operation {
  return {
    variants: [recallRowsVariant(shape, placeOf(y))],
    resources: [y, batch, state],
    choose: () => 0,
    gridX: (counts) => counts.sequences ?? 0,
    gridY: () => shape.window,
  };
}

/** Heads of a workgroup: they share what is read of keys. */
function headTile(heads: number): number {
  return [4, 3, 2].find((count) => heads % count === 0) ?? 1;
}

/** `place`: of queries, y and the pool; `pool`: of the pool alone, where there is none. */
export function attentionCompressedVariant(shape: CompressedShape, place: Place, pool: Place): Variant {
  const { heads, headLength, window, topK, ratio, kv } = shape;
  return {
    label: `attention_compressed/${heads}/${nameOf(shape)}/w${window}k${topK}/${place}/sg${shape.lanes}`,
    file: 'attention_compressed.wgsl',
    includes: {
      KV: `kv/${kv}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_POOL: `place/pool_${pool}.wgsl`,
      PLACE_Y: `place/y_${place}.wgsl`,
    },
    constants: {
      ...entryConstants(entriesOf(shape), shape),
      WINDOW: window,
      TOP_K: topK,
      HEADS: heads,
      HEAD_QUADS: headLength / 4,
      GROUP_TILE: headTile(heads),
      SINKS: 6,
      HAS_ENTRIES: ratio !== 0,
    },
    bindings: [bindingKind('read', place), bindingKind('read', pool, 'rgba32uint'), bindingKind('write', place), 'read', 'read', 'read', 'read', 'uniform'],
  };
}

export interface CompressedBuffers {
  /** [token][head][head length] f32; y like it. */
  readonly queries: Vectors;
  readonly y: Vectors;
  /** Those of `recallRows` and of the step, in a buffer. */
  readonly rows: Slice;
  /** undefined: there are no entries. */
  readonly pool: Vectors | undefined;
  /** First slots of entries (indexer.ts), read where a token sees more than topK; undefined: all are seen. */
  readonly chosen: Slice | undefined;
  /** [head] f32: one more score of each head, whose value is zero. */
  readonly sinks: Slice;
  readonly batch: Slice;
}

export function attentionCompressed(shape: CompressedShape, { queries, y, rows, pool, chosen, sinks, batch }: CompressedBuffers): Operation {
  return {
    // What is not there is not read; something has to be bound.
    variants: [attentionCompressedVariant(shape, placeOf(y), pool === undefined ? 'buffer' : placeOf(pool))],
    resources: [queries, pool ?? rows, y, batch, rows, chosen ?? rows, sinks],
    params: packParams(shape.headLength / 4, { f32: shape.headLength ** -0.5 }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => shape.heads / headTile(shape.heads),
  };
}
