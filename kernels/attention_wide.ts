/**
 * Owns the attention kernels for GPUs (attention_wide.wgsl, attention_latent.wgsl, attention_matrix.wgsl) as an operation: the same inputs, options, items and
 * results as the narrow one (attention.ts), with attention_merge behind it. Refuses devices of less than 128 invocations a workgroup; WebGPU promises 256.
 */
import { type AttentionScratch, type AttentionShape, attentionBase, headVectors } from './attention.ts';
import { emulatedShuffles } from './compose.ts';
import { type Operation, type Place, placeOf, type Slice, type StepCounts, type Variant, type Vectors } from './kernel.ts';
import { type MatrixUnit, unitName, unitParts } from './matrix_unit.ts';

/** What a workgroup takes. Rows, keys and how long heads are make what must fit 16 KiB of workgroup memory. */
interface Form {
  /** One item of a token, or one item after the other of as many tokens. */
  readonly tokens: 'item' | number;
  /** Query heads of tokens. */
  readonly rows: number;
  /** Query heads of a token among them. */
  readonly heads: number;
  /** KV positions of a turn. */
  readonly keys: number;
  /** Lanes that work out the softmax of a row. */
  readonly rowLanes: number;
  readonly unit?: MatrixUnit;
}

const invocations = 128;
/** Quads of channels of latent rows that workgroup memory holds of 16 queries and 32 keys. */
const chunkQuads: Readonly<Record<AttentionShape['kv'], number>> = { f16: 16, f32: 8, q8: 16 };
/** Lanes that workgroup memory stands in for where a subgroup has less than a row may need. */
const emulatedLanes = 32;
const leastLanes = 8;

/**
 * For a few tokens, and for many. With a unit the latter take it, which adds in another order; but for f32 keys and values, which are
 * there for exactness, and which it would round.
 */
function formsOf(shape: AttentionShape, unit: MatrixUnit | undefined): readonly [Form, ...Form[]] {
  const { headLength, kv } = shape;
  const group = shape.heads / shape.kvHeads;
  const isLatent = shape.latentLength !== undefined;
  const rows = isLatent || headLength <= 64 ? 16 : headLength <= 128 ? 8 : headLength <= 256 ? 4 : 2;
  const heads = Math.min(group, rows);
  const keys = isLatent ? 32 : Math.min(32, 2 ** Math.floor(Math.log2(256 / headVectors(shape))));
  const wide = { heads, keys, rowLanes: 8 };
  const few: Form = { ...wide, tokens: 'item', rows: heads };
  // Tokens that each have keys of their own share none.
  if (shape.topK !== undefined) return [few];
  if (unit !== undefined && kv !== 'f32') return [few, matrixForm(headLength, group, unit)];
  return rows < 2 * heads ? [few] : [few, { ...wide, tokens: Math.floor(rows / heads), rows }];
}

/** f32 takes twice the memory, long heads twice the registers for sums. */
function matrixForm(headLength: number, group: number, unit: MatrixUnit): Form {
  const rows = unit.element === 'f16' && headLength <= 256 ? 32 : 16;
  const heads = Math.min(group, rows);
  return { tokens: Math.floor(rows / heads), rows, heads, keys: 32, rowLanes: invocations / rows, unit };
}

/** Workgroups that share the query heads of a KV head. */
function groupTiles({ heads, kvHeads }: AttentionShape, form: Form): number {
  return Math.ceil(heads / kvHeads / form.heads);
}

/** All that WebGPU promises, in bytes. */
const workgroupMemory = 16_384;

/** Keys of a turn that fit beside the memory of emulated shuffles. Bytes: those of attention_wide.wgsl and attend/rows.wgsl. */
function emulatedKeys(shape: AttentionShape, { keys, rows }: Form): number {
  const vectors = headVectors(shape);
  const turn = keys * ((2 * vectors + 1) * 16 + rows * 4);
  const rest = rows * (shape.headLength * 4 + 32) + invocations * 16;
  return turn + rest > workgroupMemory ? keys / 2 : keys;
}

export function attentionWideVariants(shape: AttentionShape, place: Place, hasSinks = false, unit?: MatrixUnit): Variant[] {
  const { label, includes, constants, bindings } = attentionBase(shape, place, hasSinks);
  const isEmulated = shape.lanes < leastLanes;
  const lanes = isEmulated ? emulatedLanes : shape.lanes;
  return formsOf(shape, unit).map((form) => {
    const parts = form.unit === undefined ? { includes: {}, constants: {} } : unitParts(form.unit);
    const family = form.unit === undefined ? 'wide' : `matrix/${unitName(form.unit)}`;
    return {
      label: `${label}/${form.tokens === 'item' ? 'items' : `t${form.tokens}`}/sg${shape.lanes}/${family}`,
      file: `attention_${form.unit !== undefined ? 'matrix' : shape.latentLength !== undefined ? 'latent' : 'wide'}.wgsl`,
      includes: { ...includes, ...parts.includes, ...(isEmulated ? { SHUFFLES: emulatedShuffles } : {}) },
      constants: {
        ...constants,
        ...parts.constants,
        LANES: lanes,
        SUBGROUPS: invocations / lanes,
        ROW_LANES: form.rowLanes,
        GROUP_TILES: groupTiles(shape, form),
        GROUP_TILE: form.heads,
        IS_ITEM: form.tokens === 'item',
        TOKENS: form.tokens === 'item' ? 1 : form.tokens,
        ROWS: form.rows,
        KEYS: form.keys,
        CHUNK_QUADS: chunkQuads[shape.kv],
      },
      ...(form.unit === undefined && shape.latentLength === undefined && { emulated: { KEYS: emulatedKeys(shape, form) } }),
      bindings,
    };
  });
}

/** Arguments: see attention. `unit`: what multiplies queries, keys and values of many tokens. */
export function attentionWide(
  shape: AttentionShape,
  queries: Vectors,
  pool: Vectors,
  scratch: AttentionScratch,
  y: Vectors,
  batch: Slice,
  sinks?: Slice,
  chosen?: Slice,
  unit?: MatrixUnit,
): Operation {
  const forms = formsOf(shape, unit);
  const formAt = (variant: number): Form => forms[variant] ?? forms[0];
  const many = forms[1]?.tokens;
  const mostItems = shape.layout['TOKEN_ITEMS_LIMIT'] ?? 1;
  return {
    variants: attentionWideVariants(shape, placeOf(y), sinks !== undefined, unit),
    resources: [queries, pool, scratch.partials, scratch.states, y, batch, ...[sinks, chosen].filter((slice) => slice !== undefined)],
    choose: (counts) => (typeof many === 'number' && isPrefill(counts) && counts.tokens >= 2 * many ? 1 : 0),
    // A tile of tokens is a workgroup for each item that a token may have; those past its tokens' items end at once.
    gridX: (counts, variant) => {
      const { tokens } = formAt(variant);
      return tokens === 'item' ? counts.items : Math.ceil(counts.tokens / tokens) * (counts.items === counts.tokens ? 1 : mostItems);
    },
    gridY: (_, variant) => shape.kvHeads * groupTiles(shape, formAt(variant)),
  };
}

/** Mostly tokens that follow each other in a sequence: decoding ones have a logit row each, and share no keys. */
function isPrefill({ tokens, logitRows }: StepCounts): boolean {
  return 2 * logitRows <= tokens;
}
