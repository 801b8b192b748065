/**
 * Owns the storages of safetensors checkpoints that are several tensors: which ones each needs, in which shapes, and how a chunk of rows
 * lies in them (kernels/repack has the layouts). Refuses what has no kernel or does not fit together, naming tensor, storage and what would do.
 */
import type { ScaleKind } from '../../kernels/repack.ts';
import { blockColumns, type StorageWithKernels } from '../../kernels/weights.ts';
import type { InwardError } from '../errors.ts';
import { readAbsmax } from './absmax.ts';
import { describeShape, tensorPart, unsupported } from './json.ts';
import { readOrder } from './order.ts';
import type { Quantization } from './quantization.ts';
import { columnLines, rowLines, type StoredMatrix, type Strip, wholeLine } from './strips.ts';
import type { Checkpoint, TensorHeader } from './types.ts';

/** `model.layers.0.mlp.up_proj.weight`, and the same without `.weight`. */
export interface QuantizedName {
  readonly weight: string;
  readonly stem: string;
}

/** Chunks of what is packed along or across rows begin at whole words of everything. */
const packedRowStep = 32;

/** The matrix of one of the storages here; undefined where it is a plain tensor, or there is nothing at all. */
export function findQuantized(checkpoint: Checkpoint, name: QuantizedName, rows: number, columns: number): StoredMatrix | undefined {
  const { quantization } = checkpoint;
  const tensors = new Tensors(checkpoint, name, rows, columns);
  if (tensors.has('.qweight')) return quantization.method === 'awq' ? awq(tensors, quantization) : gptq(tensors, quantization);
  if (tensors.has('.weight_packed')) return packed(tensors, quantization);
  if (tensors.has('_blocks')) return fp4(tensors, '_blocks', '_scales');
  const weight = checkpoint.tensors.get(name.weight);
  if (weight?.storage === 'F8_E4M3') return fp8(tensors, quantization);
  if (weight?.storage === 'U8' && quantization.method === 'bitsandbytes') return nf4(tensors);
  if (weight?.storage === 'U8' || weight?.storage === 'I8')
    return fp4(tensors, '.weight', weight.storage === 'I8' || tensors.has('.scale') ? '.scale' : '.weight_scale');
  return undefined;
}

/** The tensors of one matrix. */
class Tensors {
  readonly checkpoint: Checkpoint;
  readonly name: QuantizedName;
  readonly rows: number;
  readonly columns: number;

  constructor(checkpoint: Checkpoint, name: QuantizedName, rows: number, columns: number) {
    this.checkpoint = checkpoint;
    this.name = name;
    this.rows = rows;
    this.columns = columns;
  }

  has(suffix: string): boolean {
    return this.checkpoint.tensors.has(this.name.stem + suffix);
  }

  /** One of them, as errors call it. */
  part(name: string): string {
    return tensorPart(this.checkpoint, this.checkpoint.tensors.get(name) ?? { name });
  }

  refuse(suffix: string, storage: string, expected: string | number, found: string | number): InwardError {
    return unsupported(`${this.part(this.name.stem + suffix)} of storage ${storage}`, expected, found);
  }

  /** One with these dimensions (or one of several shapes) and this type (or one of several). */
  get(suffix: string, storage: string, types: readonly string[], ...shapes: readonly (readonly number[])[]): TensorHeader {
    const header = this.checkpoint.tensors.get(this.name.stem + suffix);
    const expected = `${types.join(' or ')} of shape ${shapes.map(describeShape).join(' or ')}`;
    if (header === undefined) throw this.refuse(suffix, storage, expected, 'nothing');
    const fits = types.includes(header.storage) && shapes.some((shape) => shape.join() === header.shape.join());
    if (!fits) throw this.refuse(suffix, storage, expected, `${header.storage} of shape ${describeShape(header.shape)}`);
    return header;
  }

  /** Columns that share a scale, checked against what a block of the device is. */
  group(storage: StorageWithKernels, groupColumns: number | undefined): number {
    const { columns } = this;
    if (columns % blockColumns !== 0) throw this.refuse('', storage, `rows of a multiple of ${blockColumns} elements`, columns);
    const group = groupColumns ?? columns;
    if (group % blockColumns !== 0) throw this.refuse('', storage, `groups of a multiple of ${blockColumns} columns`, group);
    return group;
  }

  stored(
    storage: StorageWithKernels,
    rowStep: number,
    strips: StoredMatrix['strips'],
    layout: StoredMatrix['layout'],
    order?: StoredMatrix['order'],
  ): StoredMatrix {
    const { name, rows, columns } = this;
    return { name: this.part(name.weight), storage, rows, columns, rowStep, strips, layout, ...(order && { order }) };
  }
}

const halves = ['F16', 'BF16'] as const;
const elementSizes: Readonly<Record<ScaleKind, number>> = { F32: 4, F16: 2, BF16: 2, F8_E8M0: 1 };
const kindOf = ({ storage }: TensorHeader): ScaleKind => storage as ScaleKind;
const sizeOf = (header: TensorHeader): number => elementSizes[kindOf(header)];

/** [columns][rows / 8] words, and the same for groups. */
function awq(tensors: Tensors, { groupColumns }: Quantization & { readonly method: 'awq' }): StoredMatrix {
  const { checkpoint, rows, columns } = tensors;
  const group = tensors.group('AWQ', groupColumns);
  if (rows % 8 !== 0) throw tensors.refuse('.qweight', 'AWQ', 'a multiple of 8 rows', rows);
  const groups = Math.ceil(columns / group);
  const codes = columnLines(checkpoint, tensors.get('.qweight', 'AWQ', ['I32'], [columns, rows / 8]), columns, rows / 2, 4);
  const zeros = columnLines(checkpoint, tensors.get('.qzeros', 'AWQ', ['I32'], [groups, rows / 8]), groups, rows / 2, 4);
  const scales = tensors.get('.scales', 'AWQ', halves, [groups, rows]);
  const strips = { codes, zeros, scales: columnLines(checkpoint, scales, groups, rows * 2, 16) };
  return tensors.stored('AWQ', packedRowStep, strips, { scaleKind: kindOf(scales), groupColumns: group });
}

/** [columns * bits / 32] words a row, one row beside the other; zero points are packed along the rows. */
function gptq(tensors: Tensors, quantization: Quantization): StoredMatrix {
  const { checkpoint, rows, columns, name } = tensors;
  if (quantization.method !== 'gptq') throw tensors.refuse('.qweight', 'AWQ or GPTQ', 'quant_method awq or gptq', quantization.method);
  const { bits, zeroBias, groupColumns } = quantization;
  const storage = `GPTQ${bits}` as const;
  const group = tensors.group(storage, groupColumns);
  const step = bits === 3 ? 32 : 32 / bits;
  if (rows % step !== 0) throw tensors.refuse('.qweight', storage, `a multiple of ${step} rows`, rows);
  const groups = Math.ceil(columns / group);
  const words = (columns * bits) / 32;
  const codes = columnLines(checkpoint, tensors.get('.qweight', storage, ['I32'], [words, rows]), words, rows * 4, 32);
  const zeros = columnLines(checkpoint, tensors.get('.qzeros', storage, ['I32'], [groups, (rows * bits) / 32]), groups, (rows * bits) / 8, bits);
  const scales = tensors.get('.scales', storage, halves, [groups, rows]);
  const needsOrder = quantization.hasOrder || tensors.has('.g_idx');
  const order = needsOrder
    ? readOrder(checkpoint, tensors.get('.g_idx', storage, ['I32'], [columns]), group, `${tensors.part(`${name.stem}.g_idx`)} of storage ${storage}`)
    : undefined;
  const strips = { codes, zeros, scales: columnLines(checkpoint, scales, groups, rows * 2, 16), ...orderStrip(order) };
  return tensors.stored(storage, packedRowStep, strips, { scaleKind: kindOf(scales), groupColumns: group, zeroBias }, order);
}

function orderStrip(order: Uint32Array<ArrayBuffer> | undefined): { readonly order?: Strip } {
  return order === undefined ? {} : { order: wholeLine(new Uint8Array(order.buffer)) };
}

/** compressed-tensors: bits and groups follow from the shapes. */
function packed(tensors: Tensors, { method }: Quantization): StoredMatrix {
  const { checkpoint, rows, columns, name } = tensors;
  const words = checkpoint.tensors.get(`${name.stem}.weight_packed`)?.shape[1] ?? 0;
  const bits = (words * 32) / columns === 8 ? 8 : 4;
  const storage = `CT_INT${bits}` as const;
  if (method !== 'compressed-tensors') throw tensors.refuse('.weight_packed', storage, 'quant_method compressed-tensors', method);
  tensors.group(storage, undefined);
  const weight = tensors.get('.weight_packed', 'CT_INT4 or CT_INT8', ['I32'], [rows, columns / 8], [rows, columns / 4]);
  const groups = checkpoint.tensors.get(`${name.stem}.weight_scale`)?.shape[1] ?? 0;
  const group = tensors.group(storage, groups > 0 && columns % groups === 0 ? columns / groups : undefined);
  const scales = tensors.get('.weight_scale', storage, halves, [rows, columns / group]);
  const perWord = 32 / bits;
  const zeros = tensors.has('.weight_zero_point')
    ? tensors.get('.weight_zero_point', storage, ['I32'], [Math.ceil(rows / perWord), columns / group])
    : undefined;
  const orderPart = `${tensors.part(`${name.stem}.weight_g_idx`)} of storage ${storage}`;
  const order = tensors.has('.weight_g_idx')
    ? readOrder(checkpoint, tensors.get('.weight_g_idx', storage, ['I32', 'I64'], [columns]), group, orderPart)
    : undefined;
  const strips = {
    codes: rowLines(checkpoint, weight, (columns * bits) / 8),
    scales: rowLines(checkpoint, scales, (columns / group) * 2),
    ...(zeros && { zeros: rowLines(checkpoint, zeros, (columns / group) * 4, perWord) }),
    ...orderStrip(order),
  };
  // Zero points are stored plus half the range, as the codes are; without them zero is that half.
  const zeroBias = zeros === undefined ? 2 ** (bits - 1) : 0;
  return tensors.stored(storage, packedRowStep, strips, { scaleKind: kindOf(scales), groupColumns: group, zeroBias }, order);
}

/** A scale for the tensor, for each row, or for each block of rows and columns. */
function fp8(tensors: Tensors, quantization: Quantization): StoredMatrix {
  const { checkpoint, rows, columns } = tensors;
  tensors.group('FP8', undefined);
  const suffix = ['.weight_scale_inv', '.weight_scale', '.scale'].find((known) => tensors.has(known)) ?? '.weight_scale';
  const [blockRows, blockColumnCount] = ('block' in quantization ? quantization.block : undefined) ?? [1, columns];
  tensors.group('FP8', blockColumnCount);
  const grid = [Math.ceil(rows / blockRows), Math.ceil(columns / blockColumnCount)];
  const weight = tensors.get('.weight', 'FP8', ['F8_E4M3'], [rows, columns]);
  // Where the configuration says blocks, a single scale would be one that lacks the others.
  const others = quantization.method === 'fp8' && quantization.block !== undefined ? [] : [[], [1], [1, 1], [rows]];
  const scales = tensors.get(suffix, 'FP8', ['F32', ...halves, 'F8_E8M0'], ...others, grid);
  const isOne = scales.shape.every((dimension) => dimension === 1);
  const isGrid = scales.shape.join() === grid.join();
  const groupRows = isOne ? rows : isGrid ? blockRows : 1;
  const groupColumns = isGrid && !isOne ? blockColumnCount : columns;
  const strips = {
    codes: rowLines(checkpoint, weight, columns),
    scales: rowLines(checkpoint, scales, Math.ceil(columns / groupColumns) * sizeOf(scales), groupRows),
  };
  return tensors.stored('FP8', packedRowStep, strips, { scaleKind: kindOf(scales), groupRows, groupColumns });
}

/** e2m1, two columns a byte, or 16 bytes for each block of 32 columns; leading dimensions of both are rows. */
function fp4(tensors: Tensors, codesSuffix: string, scalesSuffix: string): StoredMatrix {
  const { checkpoint, columns } = tensors;
  tensors.group('FP4', undefined);
  const blocks = columns / blockColumns;
  const weight = tensors.get(codesSuffix, 'FP4', ['U8', 'I8'], ...withLeading(tensors, codesSuffix, [columns / 2], [blocks, 16]));
  const scales = tensors.get(scalesSuffix, 'FP4', codesSuffix === '_blocks' ? ['U8'] : ['F8_E8M0'], ...withLeading(tensors, scalesSuffix, [blocks]));
  const strips = { codes: rowLines(checkpoint, weight, columns / 2), scales: rowLines(checkpoint, scales, blocks) };
  return tensors.stored('FP4', packedRowStep, strips, { scaleKind: 'F8_E8M0', groupColumns: blockColumns });
}

/** Shapes with these last dimensions in which all before them, as the file has them, make up the rows. */
function withLeading({ checkpoint, name, rows }: Tensors, suffix: string, ...tails: readonly (readonly number[])[]): (readonly number[])[] {
  const shape = checkpoint.tensors.get(name.stem + suffix)?.shape ?? [];
  return tails.map((tail) => {
    const leading = shape.slice(0, Math.max(0, shape.length - tail.length));
    return [...(leading.reduce((product, dimension) => product * dimension, 1) === rows ? leading : [rows]), ...tail];
  });
}

function nf4(tensors: Tensors): StoredMatrix {
  const { checkpoint, rows, columns } = tensors;
  tensors.group('NF4', undefined);
  const weight = tensors.get('.weight', 'NF4', ['U8'], [(rows * columns) / 2, 1]);
  const { runLength, scales } = readAbsmax(tensors);
  const strips = { codes: rowLines(checkpoint, weight, columns / 2), scales };
  return tensors.stored('NF4', packedRowStep, strips, { scaleKind: 'F32', groupColumns: runLength });
}

export type { Tensors };
