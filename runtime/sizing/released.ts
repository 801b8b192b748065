/**
 * Owns tensors of a released model as its files have them, and what each takes on the device. One row stands for a tensor of every expert.
 * Refuses to know what the tensors are for.
 */
import { packedSize } from '../../kernels/weights.ts';
import type { WeightBill } from './types.ts';

/** FP8 has a scale for each 128 x 128 numbers, FP4 one for each 32 of a row, both in tensors of their own. */
export interface ReleasedTensor {
  /** `*` stands for the number of the expert. */
  readonly name: string;
  readonly storage: 'BF16' | 'F32' | 'I64' | 'FP8' | 'FP4';
  readonly shape: readonly number[];
  readonly experts?: number;
  readonly place: WeightBill['place'];
  readonly isTable?: true;
}

/** A tensor as the header of a file names it. */
export interface ReleasedHeader {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes. */
  readonly size: number;
}

export interface ScaleForm {
  readonly dtype: 'F8_E8M0' | 'F32';
  /** Put in the place of `.weight`. */
  readonly suffix: '.scale' | '.weight_scale_inv';
}

const sizes: Readonly<Record<string, number>> = { BF16: 2, F32: 4, I64: 8, F8_E4M3: 1, F8_E8M0: 1, I8: 1 };
const scaleBlock = 128;
const fp4Block = 32;

const lengthOf = (shape: readonly number[]): number => shape.reduce((product, dimension) => product * dimension, 1);

/** Every tensor of the files, scales included. */
export function* listHeaders(tensors: readonly ReleasedTensor[], scales: ScaleForm): Generator<ReleasedHeader> {
  const header = (name: string, dtype: string, shape: readonly number[]): ReleasedHeader => ({
    name,
    dtype,
    shape,
    size: lengthOf(shape) * (sizes[dtype] ?? 0),
  });
  for (const { name, storage, shape, experts = 1 } of tensors) {
    const [rows = 0, columns = 0] = shape;
    for (let expert = 0; expert < experts; expert++) {
      const own = name.replace('*', String(expert));
      const scale = own.replace(/\.weight$/, scales.suffix);
      if (storage === 'FP8') {
        yield header(own, 'F8_E4M3', shape);
        yield header(scale, scales.dtype, [Math.ceil(rows / scaleBlock), Math.ceil(columns / scaleBlock)]);
      } else if (storage === 'FP4') {
        yield header(own, 'I8', [rows, columns / 2]);
        yield header(scale, 'F8_E8M0', [rows, columns / fp4Block]);
      } else yield header(own, storage, shape);
    }
  }
}

/** Numbers that the model multiplies by or adds; scales and tables of ids are none. */
export function countParameters(tensors: readonly ReleasedTensor[]): number {
  return tensors.reduce((sum, { storage, shape, experts = 1 }) => sum + (storage === 'I64' ? 0 : lengthOf(shape) * experts), 0);
}

/** What they take on the device: matrices packed; vectors, and what is only added, as f32; ids as words. */
export function billTensors(tensors: readonly ReleasedTensor[]): WeightBill[] {
  return tensors.map(({ name, place, storage, shape, experts = 1, isTable }) => {
    const [rows = 0, columns] = name.endsWith('.ape') ? [] : shape;
    const own = storage === 'I64' || columns === undefined ? Math.ceil(lengthOf(shape) / 4) * 16 : packedSize(storage, rows, columns);
    return { place, size: own * experts, ...(experts > 1 && { experts }), ...(isTable && { isTable }) };
  });
}
