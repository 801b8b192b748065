/**
 * Owns the kernels of a lightning indexer (DeepSeek-AI 2025, V3.2), which chooses the entries of the pool that a token attends to: the key of a token
 * (index_rows.wgsl), scores of entries (index_scores.wgsl) and the slots of the largest (choose_keys.wgsl). Queries are turned by heads.ts, and
 * attention.ts goes over what was chosen. An entry is a token, or what is kept of `entryTokens`. Refuses heads that are no multiple of four.
 */
import { type AttentionShape, attentionConstants, headVectors, indexStart } from './attention.ts';
import type { HeadOptions } from './heads.ts';
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type StepCounts, type Variant, type Vectors } from './kernel.ts';
import type { TileFacts } from './tiles.ts';

/** That of the pool; `indexHeads`: of a token's query. */
export type IndexShape = AttentionShape & { readonly indexLength: number; readonly indexHeads: number; readonly topK: number };

function indexConstants(shape: IndexShape): Record<string, number> {
  const { indexLength, kv, entryTokens = 1, topK } = shape;
  return {
    ...attentionConstants(shape),
    INDEX_QUADS: indexLength / 4,
    INDEX_VECTORS: headVectors({ headLength: indexLength, kv }),
    INDEX_START: indexStart(shape),
    ENTRY_TOKENS: entryTokens,
    TOP_K: topK,
  };
}

/** Channels of the index key and of a row with it, a multiple of four. */
export interface IndexRowForm extends Pick<HeadOptions, 'pairs' | 'rotaryStart'> {
  readonly rowLength: number;
}

export function indexRowsVariant(shape: IndexShape, { pairs = 'interleaved', rotaryStart = 0, rowLength }: IndexRowForm, place: Place): Variant {
  return {
    label: `index_rows/${shape.kv}/d${shape.indexLength}/${pairs}-${rotaryStart}-${shape.rotaryLength}/${place}/sg${shape.lanes}`,
    file: 'index_rows.wgsl',
    includes: {
      KV: `kv/${shape.kv}.wgsl`,
      TURN: `heads/${pairs === 'interleaved' ? 'interleaved' : 'half_split'}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_STORED: `place/stored_${place}.wgsl`,
    },
    constants: { ...indexConstants(shape), ROW_QUADS: rowLength / 4, ROTARY_START: rotaryStart },
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
export function indexRows(shape: IndexShape, form: IndexRowForm, { rows, pool, norm, rotation, batch }: IndexRowBuffers): Operation {
  return {
    variants: [indexRowsVariant(shape, form, placeOf(pool))],
    resources: [rows, pool, batch, rotation, norm.weight, norm.bias],
    params: packParams({ f32: norm.epsilon }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

/** Scores of tokens from `firstToken` on, of `rows` at most, each with room for `stride` entries. */
export interface ScoreRows {
  readonly scores: Slice;
  readonly stride: number;
  readonly firstToken: number;
  readonly rows: number;
}

const rowsOf = ({ firstToken, rows }: ScoreRows, { tokens }: StepCounts): number => Math.max(0, Math.min(rows, tokens - firstToken));

export function indexScoresVariant(shape: IndexShape, stride: number, place: Place): Variant {
  return {
    label: `index_scores/${shape.kv}/d${shape.indexLength}/${place}/sg${shape.lanes}`,
    file: 'index_scores.wgsl',
    includes: {
      KV: `kv/${shape.kv}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_GATES: `place/gates_${place}.wgsl`,
      PLACE_POOL: `place/pool_${place}.wgsl`,
    },
    constants: { ...indexConstants(shape), SCORE_STRIDE: stride },
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
    label: `choose_keys/k${shape.topK}/sg${lanes}`,
    file: 'choose_keys.wgsl',
    constants: { ...indexConstants(shape), SCORE_STRIDE: stride, SUBGROUPS: family === 'narrow' ? 1 : Math.max(1, wideInvocations / lanes) },
    bindings: ['read', 'read', 'write', 'uniform'],
  };
}

/** chosen: [token][topK] slots, of which each token has as many as it sees entries, topK at most. */
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
