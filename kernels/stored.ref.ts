/**
 * CPU references of the storages that are several tensors: each number by its row (output) and column (input), in double precision, from
 * the definitions: AutoAWQ (packing_utils.py), GPTQModel (qlinear), compressed-tensors (pack_quantized.py), bitsandbytes (functional.py),
 * OCP 8-bit Floating Point and Microscaling Formats 1.0.
 * Every product here is exact in double precision, so that rounding it to f32 gives what the reference libraries give in f32.
 */
import { bf16, e2m1 } from './formats.ref.ts';
import type { StripStorage } from './weights.ts';

export interface RefTensor {
  readonly storage: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Tensors of a matrix by what follows its name, and what its config.json says. */
export interface RefMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly tensors: ReadonlyMap<string, RefTensor>;
  /** Columns, and rows for blocks of FP8, that share a scale. */
  readonly groupColumns: number;
  readonly groupRows?: number;
  /** GPTQ: what is missing from stored zero points. */
  readonly zeroBias?: number;
}

/** A device may flush what is smaller to zero: values, and scales (e8m0 has two such), of which an e4m3 number is up to 448. Nothing else is lost. */
export const smallestNormal: number = 2 ** -126;

export function storedRow(storage: StripStorage, matrix: RefMatrix, row: number): Float64Array {
  return Float64Array.from({ length: matrix.columns }, (_, column) => values[storage](matrix, row, column));
}

function find({ tensors }: RefMatrix, suffix: string): RefTensor {
  const tensor = tensors.get(suffix);
  if (tensor === undefined) throw new Error(`no ${suffix}`);
  return tensor;
}

/** `count` bits from bit `at` of little-endian bytes on, one by one. */
function bits({ bytes }: RefTensor, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value += (((bytes[Math.floor((at + i) / 8)] ?? 0) >> ((at + i) % 8)) & 1) * 2 ** i;
  return value;
}

/** Number i of a tensor of floats. */
function float(tensor: RefTensor, i: number): number {
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  if (tensor.storage === 'F32') return view.getFloat32(i * 4, true);
  if (tensor.storage === 'F16') return view.getFloat16(i * 2, true);
  if (tensor.storage === 'BF16') return bf16(view.getUint16(i * 2, true));
  if (tensor.storage === 'F8_E8M0' || tensor.storage === 'U8') return 2 ** (view.getUint8(i) - 127);
  throw new Error(`no floats: ${tensor.storage}`);
}

/** e4m3fn: sign, four bits of exponent with bias 7, three of fraction. */
function e4m3(byte: number): number {
  const exponent = (byte >> 3) & 15;
  const fraction = (byte & 7) / 8;
  const size = exponent === 0 ? fraction * 2 ** -6 : (1 + fraction) * 2 ** (exponent - 7);
  return byte >> 7 === 1 ? -size : size;
}

/** Nibble n of a word holds this of its eight rows. */
const awqOrder = [0, 2, 4, 6, 1, 3, 5, 7];
function awqNibble(tensor: RefTensor, rows: number, line: number, row: number): number {
  const word = (line * rows) / 8 + Math.floor(row / 8);
  return bits(tensor, word * 32 + awqOrder.indexOf(row % 8) * 4, 4);
}

/** Group of a column: what g_idx says, else runs. */
function groupOf(matrix: RefMatrix, suffix: string, column: number): number {
  const order = matrix.tensors.get(suffix);
  return order === undefined ? Math.floor(column / matrix.groupColumns) : bits(order, column * 32, 32);
}

function gptq(width: 2 | 3 | 4 | 8): (matrix: RefMatrix, row: number, column: number) => number {
  return (matrix, row, column) => {
    const { rows, zeroBias = 1 } = matrix;
    const group = groupOf(matrix, '.g_idx', column);
    // Down the words of a row's column, bit after bit; a number may begin in one word and end in the next.
    let code = 0;
    for (let i = 0; i < width; i++) {
      const bit = column * width + i;
      code += bits(find(matrix, '.qweight'), (Math.floor(bit / 32) * rows + row) * 32 + (bit % 32), 1) * 2 ** i;
    }
    const zero = bits(find(matrix, '.qzeros'), group * rows * width + row * width, width) + zeroBias;
    return float(find(matrix, '.scales'), group * rows + row) * (code - zero);
  };
}

function packed(width: 4 | 8): (matrix: RefMatrix, row: number, column: number) => number {
  return (matrix, row, column) => {
    const { columns, groupColumns, tensors } = matrix;
    const groups = columns / groupColumns;
    const group = groupOf(matrix, '.weight_g_idx', column);
    const half = 2 ** (width - 1);
    const code = bits(find(matrix, '.weight_packed'), (row * columns + column) * width, width) - half;
    const zeros = tensors.get('.weight_zero_point');
    const perWord = 32 / width;
    const word = Math.floor(row / perWord) * groups + group;
    const zero = zeros === undefined ? 0 : bits(zeros, word * 32 + (row % perWord) * width, width) - half;
    return float(find(matrix, '.weight_scale'), row * groups + group) * (code - zero);
  };
}

function fp8(matrix: RefMatrix, row: number, column: number): number {
  const { columns, groupColumns, groupRows = 1 } = matrix;
  const scales = matrix.tensors.get('.weight_scale_inv') ?? find(matrix, '.weight_scale');
  const i = Math.floor(row / groupRows) * Math.ceil(columns / groupColumns) + Math.floor(column / groupColumns);
  return e4m3(find(matrix, '.weight').bytes[row * columns + column] ?? 0) * float(scales, i);
}

function fp4(matrix: RefMatrix, row: number, column: number): number {
  const { columns, tensors } = matrix;
  const codes = tensors.get('_blocks') ?? find(matrix, '.weight');
  const scales = tensors.get('_scales') ?? find(matrix, '.scale');
  // Low bits first: the even column is in the low half of its byte.
  return e2m1(bits(codes, (row * columns + column) * 4, 4)) * float(scales, Math.floor((row * columns + column) / 32));
}

function nf4(matrix: RefMatrix, row: number, column: number): number {
  const element = row * matrix.columns + column;
  const byte = find(matrix, '.weight').bytes[Math.floor(element / 2)] ?? 0;
  const code = element % 2 === 0 ? byte >> 4 : byte & 15;
  return float(find(matrix, '.weight.quant_map'), code) * absmax(matrix, Math.floor(element / matrix.groupColumns));
}

/** With double quantization rounded to f32 after each step, as bitsandbytes computes it; runs of 256, and nestedOffset. */
function absmax(matrix: RefMatrix, run: number): number {
  const stored = find(matrix, '.weight.absmax');
  if (stored.storage === 'F32') return float(stored, run);
  const number = float(find(matrix, '.weight.nested_quant_map'), stored.bytes[run] ?? 0);
  const factor = float(find(matrix, '.weight.nested_absmax'), Math.floor(run / 256));
  return Math.fround(Math.fround(number * factor) + Math.fround(nestedOffset));
}
export const nestedOffset = 0.0001;

const values: Readonly<Record<StripStorage, (matrix: RefMatrix, row: number, column: number) => number>> = {
  AWQ: (matrix, row, column) => {
    const { rows, groupColumns } = matrix;
    const group = Math.floor(column / groupColumns);
    const code = awqNibble(find(matrix, '.qweight'), rows, column, row) - awqNibble(find(matrix, '.qzeros'), rows, group, row);
    return float(find(matrix, '.scales'), group * rows + row) * code;
  },
  GPTQ2: gptq(2),
  GPTQ3: gptq(3),
  GPTQ4: gptq(4),
  GPTQ8: gptq(8),
  CT_INT4: packed(4),
  CT_INT8: packed(8),
  FP8: fp8,
  FP4: fp4,
  NF4: nf4,
};
