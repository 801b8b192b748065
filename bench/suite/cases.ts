/** Owns what the kernel bench measures: kernels by name, on the shapes of a model of 135M and of squares as in one of 1B. Pure. */
import { fileRowSize } from '../../kernels/repack.ts';
import { columnStep, isBlockStorage, packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';

export type Case =
  /** W x. */
  | { readonly kind: 'matmul'; readonly storage: StorageWithKernels; readonly rows: number; readonly columns: number; readonly tokens: number }
  /** Rows of a table. */
  | { readonly kind: 'embed'; readonly storage: StorageWithKernels; readonly rows: number; readonly columns: number; readonly tokens: number }
  /** One token, or the last of as many, over `positions` of a paged f16 KV cache. */
  | {
      readonly kind: 'attention';
      readonly heads: number;
      readonly kvHeads: number;
      readonly headLength: number;
      readonly positions: number;
      readonly tokens: number;
    };

const storages = (Object.keys(packedStorages) as StorageWithKernels[]).filter(isBlockStorage);
/** What most files have; the other formats are measured on one shape. */
const main: readonly StorageWithKernels[] = ['F16', 'Q4_0', 'Q4_1', 'Q8_0', 'Q4_K', 'Q6_K'];

export function listCases(): Case[] {
  const shapes = [
    [1536, 576],
    [576, 1536],
    [2048, 2048],
  ] as const;
  const tokenCounts = [1, 8, 128];
  return [
    ...main.flatMap((storage) => shapes.flatMap(([rows, columns]) => tokenCounts.map((tokens) => matmul(storage, rows, columns, tokens)))),
    ...storages.filter((storage) => !main.includes(storage)).flatMap((storage) => [1, 128].map((tokens) => matmul(storage, 2048, 2048, tokens))),
    ...(['Q8_0', 'Q4_K'] as const).map((storage): Case => ({ kind: 'embed', storage, rows: 8192, columns: 2048, tokens: 128 })),
    ...[
      { heads: 9, kvHeads: 3, headLength: 64 },
      { heads: 32, kvHeads: 8, headLength: 128 },
    ].flatMap((shape) =>
      [
        [128, 1],
        [2048, 1],
        [512, 64],
      ].map(([positions = 1, tokens = 1]): Case => ({ kind: 'attention', ...shape, positions, tokens })),
    ),
  ];
}

/** Columns to match what the storage takes. */
function matmul(storage: StorageWithKernels, rows: number, columns: number, tokens: number): Case {
  const step = columnStep(storage);
  return { kind: 'matmul', storage, rows, columns: Math.ceil(columns / step) * step, tokens };
}

/** As it stands in tables, and as --filter sees it. */
export function nameCase(one: Case): string {
  const tokens = `${one.tokens} ${one.tokens === 1 ? 'token' : 'tokens'}`;
  return one.kind === 'attention'
    ? `attention f16 ${one.heads}/${one.kvHeads}x${one.headLength} over ${one.positions}, ${tokens}`
    : `${one.kind} ${one.storage} ${one.rows}x${one.columns}, ${tokens}`;
}

/** What a run reads at least, in bytes, and multiplies and adds: the two coordinates of a roofline. */
export function workOf(one: Case): { readonly bytes: number; readonly operations: number } {
  if (one.kind === 'attention') {
    const positions = one.positions - (one.tokens - 1) / 2;
    return {
      bytes: one.positions * one.kvHeads * one.headLength * 2 * 2 + one.tokens * one.heads * one.headLength * 8,
      operations: one.tokens * positions * one.heads * one.headLength * 4,
    };
  }
  const rowSize = fileRowSize(one.storage, one.columns);
  if (one.kind === 'embed') return { bytes: one.tokens * (rowSize + one.columns * 4), operations: one.tokens * one.columns * 2 };
  return { bytes: one.rows * rowSize + one.tokens * (one.columns + one.rows) * 4, operations: 2 * one.rows * one.columns * one.tokens };
}
