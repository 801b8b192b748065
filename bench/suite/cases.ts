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
    name: ({ kv, heads, kvHeads, headLength, latentLength, positions, tokens }) =>
      `${kv} ${heads}/${kvHeads}x${headLength}${latentLength === undefined ? '' : `, latents of ${latentLength},`} over ${positions}, ${tokensOf(tokens)}`,
    work: ({ kv, heads, kvHeads, headLength, latentLength, positions, tokens }) => ({
      bytes:
        positions * kvHeads * headLength * (latentLength === undefined ? 2 : 1) * (kv === 'f32' ? 4 : 2) +
        tokens * heads * (headLength + (latentLength ?? headLength)) * floatSize,
      operations: tokens * (positions - (tokens - 1) / 2) * heads * (headLength + (latentLength ?? headLength)) * 2,
    }),
  },
  'latent queries': { name: nameHeads, work: workOfHeads },
  'head matmul': { name: nameHeads, work: workOfHeads },
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
