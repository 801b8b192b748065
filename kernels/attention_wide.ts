/**
 * Owns the attention kernel for GPUs (attention_wide.wgsl) as an operation: the same inputs, options, items and results as the
 * narrow one (attention.ts), with attention_merge behind it. Refuses devices of less than 128 invocations a workgroup; WebGPU promises 256.
 */
import { type AttentionScratch, type AttentionShape, attentionBase, headVectors } from './attention.ts';
import { emulatedShuffles } from './compose.ts';
import { type Operation, type Place, placeOf, type Slice, type StepCounts, type Variant, type Vectors } from './kernel.ts';

/** Rows (query heads of tokens) of a workgroup, query heads among them, and KV positions of a turn: what 16 KiB of workgroup memory hold. */
interface AttentionTile {
  readonly rows: number;
  readonly heads: number;
  readonly keys: number;
}

function tileOf(shape: AttentionShape): AttentionTile {
  const { heads, kvHeads, headLength } = shape;
  const rows = headLength <= 64 ? 16 : headLength <= 128 ? 8 : headLength <= 256 ? 4 : 2;
  const keys = Math.min(32, 2 ** Math.floor(Math.log2(256 / headVectors(shape))));
  return { rows, heads: Math.min(heads / kvHeads, rows), keys };
}

/** Workgroups that share the query heads of a KV head. */
function groupTiles(shape: AttentionShape): number {
  return Math.ceil(shape.heads / shape.kvHeads / tileOf(shape).heads);
}

/** Tokens of a workgroup: one, whose items are workgroups of their own, then as many as its rows hold. */
function tokensOf(shape: AttentionShape): readonly number[] {
  const { rows, heads } = tileOf(shape);
  return rows < 2 * heads ? [1] : [1, Math.floor(rows / heads)];
}

const invocations = 128;
/** Lanes that work out the softmax of a row. */
const rowLanes = 8;
/** Lanes that workgroup memory stands in for where a subgroup has less than a row needs. */
const emulatedLanes = 32;

export function attentionWideVariants(shape: AttentionShape, place: Place, hasSinks = false): Variant[] {
  const { rows, heads, keys } = tileOf(shape);
  const { label, includes, constants, bindings } = attentionBase(shape, place, hasSinks);
  const isEmulated = shape.lanes < rowLanes;
  const lanes = isEmulated ? emulatedLanes : shape.lanes;
  return tokensOf(shape).map((tokens, i) => ({
    label: `${label}/${i === 0 ? 'items' : `t${tokens}`}/sg${shape.lanes}/wide`,
    file: 'attention_wide.wgsl',
    includes: { ...includes, ...(isEmulated ? { SHUFFLES: emulatedShuffles } : {}) },
    constants: {
      ...constants,
      LANES: lanes,
      SUBGROUPS: invocations / lanes,
      ROW_LANES: rowLanes,
      GROUP_TILES: groupTiles(shape),
      GROUP_TILE: heads,
      IS_ITEM: i === 0,
      TOKENS: tokens,
      ROWS: i === 0 ? heads : rows,
      KEYS: keys,
    },
    bindings,
  }));
}

/** Arguments: see attention. */
export function attentionWide(
  shape: AttentionShape,
  queries: Vectors,
  pool: Vectors,
  scratch: AttentionScratch,
  y: Vectors,
  batch: Slice,
  sinks?: Slice,
): Operation {
  const [, tokens] = tokensOf(shape);
  const mostItems = shape.layout['TOKEN_ITEMS_LIMIT'] ?? 1;
  const headGroups = shape.kvHeads * groupTiles(shape);
  return {
    variants: attentionWideVariants(shape, placeOf(y), sinks !== undefined),
    resources: [queries, pool, scratch.partials, scratch.states, y, batch, ...(sinks === undefined ? [] : [sinks])],
    choose: (counts) => (tokens !== undefined && isPrefill(counts) && counts.tokens >= 2 * tokens ? 1 : 0),
    // A tile of tokens is a workgroup for each item that a token may have; those past its tokens' items end at once.
    gridX: (counts, variant) =>
      variant === 0 || tokens === undefined ? counts.items : Math.ceil(counts.tokens / tokens) * (counts.items === counts.tokens ? 1 : mostItems),
    gridY: () => headGroups,
  };
}

/** Mostly tokens that follow each other in a sequence: decoding ones have a logit row each, and share no keys. */
function isPrefill({ tokens, logitRows }: StepCounts): boolean {
  return 2 * logitRows <= tokens;
}
