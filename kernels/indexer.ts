/**
 * Owns the kernels of a lightning indexer (DeepSeek-AI 2025, V3.2), which chooses the entries of the pool that a token attends to: the key of a token
 * (index_rows.wgsl), scores of entries (index_scores.wgsl) and the slots of the largest (choose_keys.wgsl). Queries are turned by others, and
 * attention.ts, or compressed.ts, goes over what was chosen. An entry is a token, or what is kept of several. Refuses heads that are no multiple of four.
 */
import { type AttentionShape, attentionConstants, headVectors, indexStart, type PoolShape, slotVectors, vectorQuads } from './attention.ts';
import type { HeadOptions } from './heads.ts';
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type StepCounts, type Variant, type Vectors } from './kernel.ts';
import type { TileFacts } from './tiles.ts';

/** Entries of a pool (lib/entries.wgsl): one for `tokens` tokens, in the slots of the last `slots` of them. */
export interface EntryPlaces {
  readonly tokens: number;
  readonly slots: number;
  /** Vectors of 16 bytes of a slot, and the first of an entry's that its index key has. */
  readonly slotVectors: number;
  readonly keyStart: number;
}

/** Every token has an entry, with an index key behind the rest. */
export function tokenEntries(pool: PoolShape): EntryPlaces {
  return { tokens: 1, slots: 1, slotVectors: slotVectors(pool), keyStart: indexStart(pool) };
}

/** What is common to kernels that look for entries. */
export type EntryPool = Pick<AttentionShape, 'kv' | 'blockLength' | 'poolFold' | 'lanes' | 'layout'>;

export function entryConstants({ tokens, slots, slotVectors: length }: Omit<EntryPlaces, 'keyStart'>, pool: EntryPool): Record<string, number> {
  const { kv, blockLength, poolFold, lanes, layout } = pool;
  const entry = { ENTRY_TOKENS: tokens, ENTRY_SLOTS: slots, SLOT_VECTORS: length, VECTOR_QUADS: vectorQuads(kv) };
  return { ...layout, ...entry, LANES: lanes, BLOCK_LENGTH: blockLength, POOL_FOLD: poolFold };
}

/** `indexHeads`: of a token's query; `topK`: entries that a token sees at most. */
export interface IndexShape extends EntryPool {
  readonly indexLength: number;
  readonly indexHeads: number;
  readonly topK: number;
  readonly entries: EntryPlaces;
}

function keyConstants({ indexLength, kv }: Pick<IndexShape, 'indexLength' | 'kv'>, keyStart: number): Record<string, number> {
  return { INDEX_QUADS: indexLength / 4, INDEX_VECTORS: headVectors({ headLength: indexLength, kv }), INDEX_START: keyStart };
}

/** The latent pool that a token's index key is stored in. */
export type IndexRowShape = AttentionShape & { readonly indexLength: number };

/** Channels of the index key and of a row with it, a multiple of four. */
export interface IndexRowForm extends Pick<HeadOptions, 'pairs' | 'rotaryStart'> {
  readonly rowLength: number;
}

export function indexRowsVariant(shape: IndexRowShape, { pairs = 'interleaved', rotaryStart = 0, rowLength }: IndexRowForm, place: Place): Variant {
  return {
    label: `index_rows/${shape.kv}/d${shape.indexLength}/${pairs}-${rotaryStart}-${shape.rotaryLength}/${place}/sg${shape.lanes}`,
    file: 'index_rows.wgsl',
    includes: {
      KV: `kv/${shape.kv}.wgsl`,
      TURN: `heads/${pairs === 'interleaved' ? 'interleaved' : 'half_split'}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_STORED: `place/stored_${place}.wgsl`,
    },
    constants: { ...attentionConstants(shape), ...keyConstants(shape, indexStart(shape)), ROW_QUADS: rowLength / 4, ROTARY_START: rotaryStart },
    bindings: [bindingKind('read', place), bindingKind('write', place, 'rgba32uint'), 'read', 'read', 'uniform', 'uniform', 'uniform'],
  };
}

/** Of keys: [index length] f32 in uniform buffers. */
export interface IndexNorm {
  readonly weight: Slice;
  readonly bias: Slice;
  readonly epsilon: number;
}

export interface IndexRowBuffers {
  /** [token][row length] f32, the key first, in the kind of place of the pool. */
  readonly rows: Vectors;
  readonly pool: Vectors;
  readonly norm: IndexNorm;
  /** [position][pair] (cos, sin) f32. */
  readonly rotation: Slice;
  readonly batch: Slice;
}

/** The key of a token to its slot; all of the rotary length turns. */
export function indexRows(shape: IndexRowShape, form: IndexRowForm, { rows, pool, norm, rotation, batch }: IndexRowBuffers): Operation {
  return {
    variants: [indexRowsVariant(shape, form, placeOf(pool))],
    resources: [rows, pool, batch, rotation, norm.weight, norm.bias],
    params: packParams({ f32: norm.epsilon }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

/** Scores of tokens from `firstToken` on, of `rows` at most, each with room for `stride` entries: f32 scratch. */
export interface ScoreRows {
  readonly scores: Slice;
  readonly stride: number;
  readonly firstToken: number;
  readonly rows: number;
}

const rowsOf = ({ firstToken, rows }: ScoreRows, { tokens }: StepCounts): number => Math.max(0, Math.min(rows, tokens - firstToken));

/** Of entries of several tokens how many. */
const entryName = ({ entries }: IndexShape): string => (entries.tokens === 1 ? '' : `/${entries.tokens}`);

export function indexScoresVariant(shape: IndexShape, stride: number, place: Place): Variant {
  return {
    label: `index_scores/${shape.kv}/d${shape.indexLength}${entryName(shape)}/${place}/sg${shape.lanes}`,
    file: 'index_scores.wgsl',
    includes: {
      KV: `kv/${shape.kv}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_GATES: `place/gates_${place}.wgsl`,
      PLACE_POOL: `place/pool_${place}.wgsl`,
    },
    constants: { ...entryConstants(shape.entries, shape), ...keyConstants(shape, shape.entries.keyStart), SCORE_STRIDE: stride },
    bindings: [bindingKind('read', place), bindingKind('read', place), bindingKind('read', place, 'rgba32uint'), 'read', 'write', 'uniform'],
  };
}

export interface IndexScoreBuffers {
  /** [token][index head][index length] f32, turned and scaled. */
  readonly queries: Vectors;
  /** A number for each head of a token, from `start` on in rows of `width` f32; both multiples of four. */
  readonly weights: { readonly rows: Vectors; readonly start: number; readonly width: number };
  readonly pool: Vectors;
  readonly batch: Slice;
}

/** Workgroups of a token: enough for a GPU to have work where there is one token only. */
function scoreWorkgroups({ items, tokens }: StepCounts, { family = 'narrow' }: TileFacts): number {
  if (family === 'narrow') return items === tokens ? 1 : 8;
  return items === tokens ? 4 : 256;
}

export function indexScores(shape: IndexShape, { queries, weights, pool, batch }: IndexScoreBuffers, rows: ScoreRows, facts: TileFacts): Operation {
  return {
    variants: [indexScoresVariant(shape, rows.stride, placeOf(pool))],
    resources: [queries, weights.rows, pool, batch, rows.scores],
    params: packParams(rows.firstToken, shape.indexHeads / 4, weights.width / 4, weights.start / 4),
    choose: () => 0,
    gridX: (counts) => rowsOf(rows, counts),
    gridY: (counts) => scoreWorkgroups(counts, facts),
  };
}

const wideInvocations = 256;

export function chooseKeysVariant(shape: IndexShape, stride: number, { lanes, family = 'narrow' }: TileFacts): Variant {
  return {
    label: `choose_keys/k${shape.topK}${entryName(shape)}/sg${lanes}`,
    file: 'choose_keys.wgsl',
    constants: {
      ...entryConstants(shape.entries, shape),
      TOP_K: shape.topK,
      SCORE_STRIDE: stride,
      SUBGROUPS: family === 'narrow' ? 1 : Math.max(1, wideInvocations / lanes),
    },
    bindings: ['read', 'read', 'write', 'uniform'],
  };
}

/** chosen: see ChoiceBuffers. */
export function chooseKeys(shape: IndexShape, rows: ScoreRows, chosen: Slice, batch: Slice, facts: TileFacts): Operation {
  return {
    variants: [chooseKeysVariant(shape, rows.stride, facts)],
    resources: [rows.scores, batch, chosen],
    params: packParams(rows.firstToken, 256),
    choose: () => 0,
    gridX: (counts) => rowsOf(rows, counts),
    gridY: () => 1,
  };
}

/** Bytes of scores that there is room for at once. */
const scoreRoom = 2 ** 26;

/** Bytes of scores for `tokens`, which see `most` entries at most: for so many of them at once as there is room for, one at least. */
export function scoresSize(tokens: number, most: number): number {
  return Math.max(1, Math.min(tokens, Math.floor(scoreRoom / 4 / most))) * most * 4;
}

export interface ChoiceBuffers extends IndexScoreBuffers {
  /** Scratch of `scoresSize`: tokens that find no room in it go one part after the other. */
  readonly scores: Slice;
  /** [token][topK] first slots of entries, of which each token has as many as it sees, topK at most. */
  readonly chosen: Slice;
}

/** The entries that matter most to each of up to `tokens` tokens, of the `most` that one may see. */
export function chooseEntries(shape: IndexShape, tokens: number, most: number, { scores, chosen, ...buffers }: ChoiceBuffers, facts: TileFacts): Operation[] {
  const rows = Math.floor(scores.size / 4 / most);
  return Array.from({ length: Math.ceil(tokens / rows) }, (_, part) => {
    const own = { scores, stride: most, firstToken: part * rows, rows };
    return [indexScores(shape, buffers, own, facts), chooseKeys(shape, own, chosen, buffers.batch, facts)];
  }).flat();
}
