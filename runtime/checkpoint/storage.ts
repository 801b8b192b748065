/**
 * Owns the storage types of GGUF: type id -> name, block length (elements), block size (bytes).
 * Source: GGML_QUANT_SIZES of gguf-py 0.19.0; Q1_0 as in llama.cpp. Refuses ids that the format has withdrawn or never given;
 * whether a kernel exists for a storage is the kernels' business.
 */
import type { StorageName } from './types.ts';

/** A way of keeping numbers in a file: elements in blocks of a fixed size. */
export interface Storage {
  readonly name: StorageName;
  /** Elements in one block; a row must be a multiple of it. */
  readonly blockLength: number;
  /** Bytes of one block. */
  readonly blockSize: number;
}

/** [type id, name, block length, block size] */
const rows: readonly (readonly [number, StorageName, number, number])[] = [
  [0, 'F32', 1, 4],
  [1, 'F16', 1, 2],
  [2, 'Q4_0', 32, 18],
  [3, 'Q4_1', 32, 20],
  [6, 'Q5_0', 32, 22],
  [7, 'Q5_1', 32, 24],
  [8, 'Q8_0', 32, 34],
  [9, 'Q8_1', 32, 36],
  [10, 'Q2_K', 256, 84],
  [11, 'Q3_K', 256, 110],
  [12, 'Q4_K', 256, 144],
  [13, 'Q5_K', 256, 176],
  [14, 'Q6_K', 256, 210],
  [15, 'Q8_K', 256, 292],
  [16, 'IQ2_XXS', 256, 66],
  [17, 'IQ2_XS', 256, 74],
  [18, 'IQ3_XXS', 256, 98],
  [19, 'IQ1_S', 256, 50],
  [20, 'IQ4_NL', 32, 18],
  [21, 'IQ3_S', 256, 110],
  [22, 'IQ2_S', 256, 82],
  [23, 'IQ4_XS', 256, 136],
  [24, 'I8', 1, 1],
  [25, 'I16', 1, 2],
  [26, 'I32', 1, 4],
  [27, 'I64', 1, 8],
  [28, 'F64', 1, 8],
  [29, 'IQ1_M', 256, 56],
  [30, 'BF16', 1, 2],
  [34, 'TQ1_0', 256, 54],
  [35, 'TQ2_0', 256, 66],
  [39, 'MXFP4', 32, 17],
  [40, 'NVFP4', 64, 36],
  [41, 'Q1_0', 128, 18],
];

const byId: ReadonlyMap<number, Storage> = new Map(rows.map(([id, name, blockLength, blockSize]) => [id, { name, blockLength, blockSize }]));
const byName: ReadonlyMap<StorageName, Storage> = new Map([...byId.values()].map((storage) => [storage.name, storage]));

/** Ids of storages that llama.cpp once wrote and has withdrawn (Q4_2, Q4_3, the repacked Q4_0 and IQ4_NL). */
const withdrawnIds: ReadonlySet<number> = new Set([4, 5, 31, 32, 33, 36, 37, 38]);

export function isWithdrawnStorage(id: number): boolean {
  return withdrawnIds.has(id);
}

/** The storage with this GGML type id, or undefined. */
export function findStorage(id: number): Storage | undefined {
  return byId.get(id);
}

/** The storage of this name, or undefined. */
export function findStorageByName(name: StorageName): Storage | undefined {
  return byName.get(name);
}
