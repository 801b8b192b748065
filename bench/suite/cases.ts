/**
 * Owns what a case of the kernel bench is: an operation with its sizes, how it is named, and how much it has to read, write and compute.
 * Pure. A new operation is a row of `Sizes`, one of `kinds`, and a set-up (setups/).
 */
import type { AttentionShape } from '../../kernels/attention.ts';
import type { DeltaShape } from '../../kernels/delta.ts';
import { fileRowSize } from '../../kernels/repack.ts';
import { isBlockStorage, packedSize, type StorageWithKernels } from '../../kernels/weights.ts';

interface MatrixSizes {
  readonly storage: StorageWithKernels;
  readonly rows: number;
  readonly columns: number;
  readonly tokens: number;
  /** What the numbers of tokens are rounded to; default f32, which is exact. */
  readonly activations?: 'int8' | undefined;
}

interface RowSizes {
  readonly columns: number;
  readonly tokens: number;
}

export interface AttentionSizes {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headLength: number;
  /** Of values that are the first channels of their keys. */
  readonly latentLength?: number;
  /** Of the positions so many are chosen for each token, by an indexer; default all. */
  readonly topK?: number;
  readonly kv: AttentionShape['kv'];
  /** Of the last token. */
  readonly positions: number;
  readonly tokens: number;
}

/** Of a matrix that has `rows` rows of each head. */
interface HeadSizes {
  readonly storage: StorageWithKernels;
  readonly heads: number;
  readonly rows: number;
  readonly columns: number;
  readonly tokens: number;
}

/** A lightning indexer over `entries` that the last token sees, each of so many tokens: 1 in GLM-5, 4 in DeepSeek-V4. */
export interface IndexSizes {
  readonly entryTokens: 1 | 4;
  readonly entries: number;
  readonly tokens: number;
}

/** Attention over a window and compressed entries (DeepSeek-V4). */
export interface CompressedSizes {
  readonly heads: number;
  readonly headLength: number;
  readonly window: number;
  /** Tokens of an entry. */
  readonly ratio: 4 | 128;
  /** Of the last token, and entries that it sees at most. */
  readonly positions: number;
  readonly topK: number;
  readonly tokens: number;
}

/** Sizes of each operation. */
export interface Sizes {
  /** W x. */
  readonly matmul: MatrixSizes;
  /** RMSNorm, then gate and up rows (`rows` of each), then SwiGLU, in one dispatch. */
  readonly 'gate and up': MatrixSizes;
  /** Rows of a table. */
  readonly embed: Omit<MatrixSizes, 'activations'>;
  /** Rows of a file to rows of the device. */
  readonly repack: Omit<MatrixSizes, 'tokens' | 'activations'>;
  /** One token, or the last of as many, over `positions` of a paged KV cache. */
  readonly attention: AttentionSizes;
  /** W^T q of each head, which makes its query as long as a latent. */
  readonly 'latent queries': HeadSizes;
  /** W x of each head. */
  readonly 'head matmul': HeadSizes;
  /** Scores of entries by the heads of an index query; keys are f16. */
  readonly 'index scores': IndexSizes & { readonly heads: number; readonly length: number };
  /** The `topK` entries with the largest scores. */
  readonly 'index choice': IndexSizes & { readonly topK: number };
  /** Entries are f16. */
  readonly 'compressed attention': CompressedSizes;
  /** What a block gets of four streams of `columns`, Sinkhorn's iteration with it, and its result into them. */
  readonly streams: RowSizes & { readonly turns: number };
  /** Experts by a table of token ids. */
  readonly 'expert table': { readonly experts: number; readonly topK: number; readonly tokens: number };
  /** Convolution and recurrence over `tokens` of one sequence. */
  readonly 'delta rule': Pick<DeltaShape, 'keyHeads' | 'valueHeads' | 'keyLength' | 'valueLength'> & { readonly tokens: number };
  /** Of gate and up beside each other, `columns` of each. */
  readonly gated: RowSizes;
  /** A token of each row of logits: the largest, or drawn by temperature, top-k and top-p. */
  readonly sample: { readonly vocabulary: number; readonly rows: number; readonly isDrawn: boolean };
}

export type Kind = keyof Sizes;
export type Case<K extends Kind = Kind> = { readonly [Each in K]: { readonly kind: Each } & Sizes[Each] }[K];

/** What a run reads and writes at least, in bytes, and multiplies and adds: the two coordinates of a roofline. */
export interface Work {
  readonly bytes: number;
  readonly operations: number;
}

interface KindInfo<S> {
  name(sizes: S): string;
  work(sizes: S): Work;
}

const tokensOf = (tokens: number): string => `${tokens} ${tokens === 1 ? 'token' : 'tokens'}`;
const nameMatrix = ({ storage, rows, columns, tokens, activations }: MatrixSizes): string =>
  `${storage} ${rows}x${columns}, ${tokensOf(tokens)}${activations === undefined ? '' : `, ${activations}`}`;
const nameRows = ({ columns, tokens }: RowSizes): string => `${columns}, ${tokensOf(tokens)}`;
const nameHeads = ({ storage, heads, rows, columns, tokens }: HeadSizes): string => `${storage} ${heads} heads of ${rows}x${columns}, ${tokensOf(tokens)}`;
const workOfHeads = ({ storage, heads, rows, columns, tokens }: HeadSizes): Work => ({
  bytes: weightSize({ storage, rows: heads * rows, columns }) + tokens * heads * (columns + rows) * floatSize,
  operations: 2 * heads * rows * columns * tokens,
});
/** Bytes in the file. Those of storages that are several tensors depend on their groups, so what the device has of them stands for it. */
function weightSize({ storage, rows, columns }: Omit<MatrixSizes, 'tokens'>): number {
  return isBlockStorage(storage) ? rows * fileRowSize(storage, columns) : packedSize(storage, rows, columns);
}

const floatSize = 4;
const halfSize = 2;
const nameEntries = ({ entryTokens, entries, tokens }: IndexSizes): string => `${entries}${entryTokens === 1 ? '' : ` of ${entryTokens}`}, ${tokensOf(tokens)}`;
const seenEntries = ({ ratio, positions, topK }: Pick<CompressedSizes, 'ratio' | 'positions' | 'topK'>): number =>
  Math.min(topK, Math.floor(positions / ratio));

const kinds: { readonly [K in Kind]: KindInfo<Sizes[K]> } = {
  matmul: {
    name: nameMatrix,
    work: (sizes) => ({
      bytes: weightSize(sizes) + sizes.tokens * (sizes.columns + sizes.rows) * floatSize,
      operations: 2 * sizes.rows * sizes.columns * sizes.tokens,
    }),
  },
  'gate and up': {
    name: nameMatrix,
    work: (sizes) => ({
      bytes: 2 * weightSize(sizes) + sizes.tokens * (sizes.columns + sizes.rows) * floatSize,
      operations: 4 * sizes.rows * sizes.columns * sizes.tokens,
    }),
  },
  embed: {
    name: nameMatrix,
    work: (sizes) => ({
      bytes: sizes.tokens * (weightSize(sizes) / sizes.rows + sizes.columns * floatSize),
      operations: sizes.tokens * sizes.columns * 2,
    }),
  },
  repack: {
    name: ({ storage, rows, columns }) => `${storage} ${rows}x${columns}`,
    work: (sizes) => ({ bytes: weightSize(sizes) + packedSize(sizes.storage, sizes.rows, sizes.columns), operations: 0 }),
  },
  attention: {
    name: ({ kv, heads, kvHeads, headLength, latentLength, topK, positions, tokens }) =>
      `${kv} ${heads}/${kvHeads}x${headLength}${latentLength === undefined ? '' : `, latents of ${latentLength},`} over ${topK === undefined ? '' : `${topK} of `}${positions}, ${tokensOf(tokens)}`,
    work: ({ kv, heads, kvHeads, headLength, latentLength, topK = Number.POSITIVE_INFINITY, positions, tokens }) => ({
      bytes:
        Math.min(topK, positions) * kvHeads * headLength * (latentLength === undefined ? 2 : 1) * (kv === 'f32' ? 4 : 2) +
        tokens * heads * (headLength + (latentLength ?? headLength)) * floatSize,
      operations: tokens * Math.min(topK, positions - (tokens - 1) / 2) * heads * (headLength + (latentLength ?? headLength)) * 2,
    }),
  },
  'latent queries': { name: nameHeads, work: workOfHeads },
  'head matmul': { name: nameHeads, work: workOfHeads },
  'index scores': {
    name: ({ heads, length, ...sizes }) => `${heads}x${length} over ${nameEntries(sizes)}`,
    work: ({ heads, length, entries, tokens }) => ({
      bytes: entries * length * halfSize + tokens * (heads * (length + 1) + entries) * floatSize,
      operations: tokens * entries * heads * (2 * length + 2),
    }),
  },
  'index choice': {
    name: ({ topK, ...sizes }) => `${topK} of ${nameEntries(sizes)}`,
    work: ({ topK, entries, tokens }) => ({ bytes: tokens * (entries + topK) * floatSize, operations: tokens * entries }),
  },
  'compressed attention': {
    name: ({ heads, headLength, window, ratio, positions, topK, tokens }) =>
      `${heads}x${headLength} over ${window} and ${seenEntries({ ratio, positions, topK })} of ${ratio}, ${tokensOf(tokens)}`,
    work: ({ heads, headLength, window, tokens, ...sizes }) => ({
      bytes: headLength * ((window + tokens - 1) * floatSize + seenEntries(sizes) * halfSize + 2 * tokens * heads * floatSize),
      operations: tokens * heads * (window + seenEntries(sizes)) * headLength * 4,
    }),
  },
  streams: {
    name: ({ turns, ...sizes }) => `4x${nameRows(sizes)}, ${turns} turns`,
    // Four streams are read for the mixture and again where its result joins them, and written.
    work: ({ columns, tokens }) => ({ bytes: tokens * columns * 14 * floatSize, operations: tokens * columns * 4 * (2 + 2 + 10) }),
  },
  'expert table': {
    name: ({ experts, topK, tokens }) => `${topK} of ${experts}, ${tokensOf(tokens)}`,
    work: ({ topK, tokens }) => ({ bytes: tokens * topK * 4 * floatSize, operations: tokens * topK * 4 }),
  },
  'delta rule': {
    name: ({ keyHeads, valueHeads, keyLength, valueLength, tokens }) => `${keyHeads}x${keyLength}/${valueHeads}x${valueLength}, ${tokensOf(tokens)}`,
    // The state is read and written once; each of its numbers is multiplied and added three times a token.
    work: ({ keyHeads, valueHeads, keyLength, valueLength, tokens }) => ({
      bytes: (2 * valueHeads * keyLength * valueLength + tokens * (2 * keyHeads * keyLength + 3 * valueHeads * valueLength)) * floatSize,
      operations: tokens * valueHeads * keyLength * valueLength * 6,
    }),
  },
  gated: { name: nameRows, work: ({ columns, tokens }) => ({ bytes: tokens * columns * 3 * floatSize, operations: tokens * columns * 4 }) },
  sample: {
    name: ({ vocabulary, rows, isDrawn }) => `${isDrawn ? 'drawn' : 'greedy'} of ${vocabulary}, ${rows} ${rows === 1 ? 'row' : 'rows'}`,
    work: ({ vocabulary, rows }) => ({ bytes: rows * vocabulary * floatSize, operations: rows * vocabulary }),
  },
};

export const kindNames: readonly Kind[] = Object.keys(kinds) as Kind[];

/** The compiler does not see that a case and the row of its kind belong together. */
const infoOf = (one: Case): KindInfo<Case> => kinds[one.kind] as KindInfo<Case>;

/** As it stands in tables, and as --filter sees it. */
export function nameCase(one: Case): string {
  return `${one.kind} ${infoOf(one).name(one)}`;
}

export function workOf(one: Case): Work {
  return infoOf(one).work(one);
}
