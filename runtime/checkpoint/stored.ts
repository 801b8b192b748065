/**
 * Owns the finding of a matrix in a checkpoint: which storage it has, and which tensors it is. GGUF tensors say it themselves; in a folder
 * the tensors that are there and quantization_config decide, never the model's name. Refuses whatever does not fit, by the name of the tensor.
 */
import { fileRowSize } from '../../kernels/repack.ts';
import { columnStep, isBlockStorage, packedStorages, quadRows, type StorageWithKernels } from '../../kernels/weights.ts';
import type { IdsSpec, TensorPart } from '../../models/family.ts';
import { describeShape, tensorPart, unsupported } from './json.ts';
import { findQuantized, type QuantizedName } from './quantized.ts';
import { padMatrix, rowLines, type StoredMatrix, sliceRows, transposedLines } from './strips.ts';
import type { Checkpoint, TensorHeader } from './types.ts';

/** Whether the checkpoint has this tensor of the family. */
export function hasTensor({ names, tensors }: Checkpoint, name: string): boolean {
  return tensors.has(names.nameOf(name));
}

/** A tensor of the family by its name in the files; throws model_unsupported if it is missing or of another shape. */
function findTensor(checkpoint: Checkpoint, name: string, shape: readonly number[]): TensorHeader {
  const fileName = checkpoint.names.nameOf(name);
  const header = checkpoint.tensors.get(fileName);
  if (header === undefined) throw unsupported(tensorPart(checkpoint, { name: fileName }), `shape ${shape.join(' x ')}`, 'nothing');
  if (withoutOnes(header.shape) !== withoutOnes(shape))
    throw unsupported(tensorPart(checkpoint, header), `shape ${shape.join(' x ')}`, describeShape(header.shape));
  return header;
}

/** Files differ in dimensions of 1. */
function withoutOnes(shape: readonly number[]): string {
  return shape.filter((dimension) => dimension !== 1).join();
}

/** A matrix of the family; throws model_unsupported where a tensor is missing, has another shape, or no kernel for its storage. */
export function findMatrix(
  checkpoint: Checkpoint,
  { tensor: name, rows, heads, within, padding = 0 }: TensorPart,
  columns: number,
  storedColumns: number = columns,
): StoredMatrix {
  const all = within?.rows ?? rows;
  const whole = findQuantized(checkpoint, quantizedName(checkpoint.names.nameOf(name)), all, storedColumns) ?? findPlain(checkpoint, name, all, storedColumns);
  const stored = pad(within === undefined ? whole : takeRows(whole, within.firstRow, rows), rows + padding, columns);
  const step = columnStep(stored.storage);
  if (columns % step !== 0) throw unsupported(stored.name, `rows of a multiple of ${step} elements, storage ${stored.storage}`, columns);
  if (heads === undefined || checkpoint.names.hasPairs) return stored;
  return { ...stored, rowStep: leastCommonMultiple(stored.rowStep, heads.headLength), layout: { ...stored.layout, heads } };
}

/** A matrix whose tensor has its columns as rows; only where each number is stored by itself. Throws as findMatrix does. */
export function findTransposed(checkpoint: Checkpoint, name: string, rows: number, columns: number, storedColumns: number = columns): StoredMatrix {
  const header = findTensor(checkpoint, name, [storedColumns, rows]);
  const storage = (['F32', 'F16', 'BF16'] as const).find((known) => known === header.storage);
  if (storage === undefined) throw unsupported(tensorPart(checkpoint, header), 'storage F32, F16, BF16', header.storage);
  const codes = transposedLines(checkpoint, header, storedColumns, rows, storage === 'F32' ? 4 : 2);
  return pad({ name: tensorPart(checkpoint, header), storage, rows, columns: storedColumns, rowStep: quadRows, strips: { codes }, layout: {} }, rows, columns);
}

/** With zeros behind its rows and below them. */
function pad(stored: StoredMatrix, rows: number, columns: number): StoredMatrix {
  if (rows === stored.rows && columns === stored.columns) return stored;
  const { storage } = stored;
  if (!['F32', 'F16', 'BF16'].includes(storage))
    throw unsupported(stored.name, `${rows} rows of ${columns} elements, storage ${storage}`, `${stored.rows} of ${stored.columns}`);
  return padMatrix(stored, rows, columns, fileRowSize(storage, columns));
}

function takeRows(stored: StoredMatrix, first: number, rows: number): StoredMatrix {
  if (first % stored.rowStep !== 0) throw unsupported(stored.name, `parts in multiples of ${stored.rowStep} rows, storage ${stored.storage}`, first);
  return sliceRows(stored, first, rows);
}

function quantizedName(weight: string): QuantizedName {
  return { weight, stem: weight.replace(/\.weight$/, '') };
}

/** Runs of blocks in one tensor. */
function findPlain(checkpoint: Checkpoint, name: string, rows: number, columns: number): StoredMatrix {
  const header = findTensor(checkpoint, name, [rows, columns]);
  const names = (Object.keys(packedStorages) as StorageWithKernels[]).filter((known) => isBlockStorage(known));
  const storage = names.find((known) => known === header.storage);
  if (storage === undefined) throw unsupported(tensorPart(checkpoint, header), `storage ${names.join(', ')}`, header.storage);
  const codes = rowLines(checkpoint, header, fileRowSize(storage, columns));
  return { name: tensorPart(checkpoint, header), storage, rows, columns, rowStep: quadRows, strips: { codes }, layout: {} };
}

/** A small tensor whose numbers are stored by themselves; throws model_unsupported if it is missing, of another shape or storage. */
export function findFloats(checkpoint: Checkpoint, name: string, shape: readonly number[]): TensorHeader {
  const header = findTensor(checkpoint, name, shape);
  if (!['F32', 'F16', 'BF16'].includes(header.storage)) throw unsupported(tensorPart(checkpoint, header), 'storage F32, F16, BF16', header.storage);
  return header;
}

/** The same as f32 on the host. */
export function readFloats(checkpoint: Checkpoint, name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const header = findFloats(checkpoint, name, shape);
  const bytes = new Uint8Array(header.size);
  checkpoint.read(header.offset, bytes);
  if (header.storage === 'F32') return new Float32Array(bytes.buffer);
  if (header.storage === 'F16') return Float32Array.from(new Float16Array(bytes.buffer));
  // BF16 is the upper half of an f32.
  return new Float32Array(Uint32Array.from(new Uint16Array(bytes.buffer), (bits) => bits << 16).buffer);
}

/** A table of whole numbers; throws model_unsupported if it is missing, of another shape or storage. */
export function findIds(checkpoint: Checkpoint, { tensor, rows, columns }: IdsSpec): TensorHeader {
  const header = findTensor(checkpoint, tensor, [rows, columns]);
  if (header.storage !== 'I64') throw unsupported(tensorPart(checkpoint, header), 'storage I64', header.storage);
  return header;
}

/** The same in 32 bits; throws model_unsupported where one is out of its range. */
export function readIds(checkpoint: Checkpoint, spec: IdsSpec): Uint32Array<ArrayBuffer> {
  const header = findIds(checkpoint, spec);
  const bytes = new Uint8Array(header.size);
  checkpoint.read(header.offset, bytes);
  const values = new BigInt64Array(bytes.buffer);
  const wrong = values.find((value) => value < 0n || value >= BigInt(spec.below));
  if (wrong !== undefined) throw unsupported(tensorPart(checkpoint, header), `numbers from 0 to ${spec.below - 1}`, String(wrong));
  return Uint32Array.from(values, Number);
}

function leastCommonMultiple(a: number, b: number): number {
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y));
  return (a / divisor(a, b)) * b;
}
