/** Owns how tensors are put in another order, as a converter to GGUF does: rows, columns, several in one. Refuses nothing. */
import type { SeededTensor } from '../seeded.ts';

/** Numbers behind one index of the first dimension. */
function widthOf({ shape, values }: SeededTensor): number {
  return values.length / (shape[0] ?? 1);
}

/** Those indices of the first dimension, in this order. */
export function pickRows(tensor: SeededTensor, rows: readonly number[]): SeededTensor {
  const width = widthOf(tensor);
  const values = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) values.set(tensor.values.subarray(row * width, (row + 1) * width), i * width);
  return { ...tensor, shape: [rows.length, ...tensor.shape.slice(1)], values };
}

export function reshape(tensor: SeededTensor, shape: readonly number[]): SeededTensor {
  return { ...tensor, shape };
}

/** The last two dimensions change places. */
export function transpose(tensor: SeededTensor): SeededTensor {
  const [rows = 1, columns = 1] = tensor.shape.slice(-2);
  const size = rows * columns;
  const values = Float32Array.from(tensor.values, (_, i) => {
    const within = i % size;
    return tensor.values[i - within + (within % rows) * columns + Math.floor(within / rows)] ?? Number.NaN;
  });
  return { ...tensor, shape: [...tensor.shape.slice(0, -2), columns, rows], values };
}

/** Tensors of one shape, one behind the other along a new first dimension. */
export function stack(tensors: readonly SeededTensor[]): SeededTensor {
  const [first] = tensors;
  if (first === undefined) throw new Error('nothing to stack');
  const values = new Float32Array(first.values.length * tensors.length);
  for (const [i, tensor] of tensors.entries()) values.set(tensor.values, i * first.values.length);
  return { ...first, shape: [tensors.length, ...first.shape], values };
}

/** Other values, computed in f32. */
export function mapValues({ shape, values }: SeededTensor, change: (value: number) => number): SeededTensor {
  return { shape, values: values.map(change) };
}

/** Numbers `0` to `count - 1`. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Rows of the first dimension as they stand where blocks [outer][inner] of `length` rows become [inner][outer]. */
export function swapBlocks(outer: number, inner: number, length: number): number[] {
  return range(inner).flatMap((j) => range(outer).flatMap((i) => range(length).map((row) => (i * inner + j) * length + row)));
}
