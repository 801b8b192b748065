/**
 * Owns norms of whole rows, or of equal parts of them: f32 in, f32 out, alone or added to the residual. Weights are multiplied as they come: where a checkpoint
 * stores w for a norm by 1 + w (safetensors of Gemma 1 to 3, Qwen3-Next), whoever loads it adds the 1; GGUF files have done so.
 * Squares of values are added up in f32: magnitudes stay below 1e17.
 */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';

/** weight, bias: [columns] f32 in uniform buffers, so of 16,384 columns at most. */
export type RowNorm =
  | { readonly kind: 'rms'; readonly weight?: Slice; readonly epsilon: number }
  | { readonly kind: 'layer'; readonly weight: Slice; readonly bias: Slice; readonly epsilon: number };

export interface NormForm {
  /** File stem in norm/. */
  readonly kind: 'rms' | 'rms_unweighted' | 'layer';
  readonly isAdded: boolean;
  readonly columns: number;
  /** Of all rows. */
  readonly place: Place;
}

export function normRowsVariant({ kind, isAdded, columns, place }: NormForm, lanes: number): Variant {
  const vectors = kind === 'layer' ? 2 : kind === 'rms' ? 1 : 0;
  return {
    label: `norm_rows/${kind}/${isAdded ? 'add' : 'store'}/${place}/sg${lanes}`,
    file: 'norm_rows.wgsl',
    includes: {
      NORM_KIND: `norm/${kind}.wgsl`,
      PLACE_X: `place/x_${place}.wgsl`,
      PLACE_Y: `place/y_${place}.wgsl`,
      PLACE_SUM: `place/sum_${isAdded ? place : 'none'}.wgsl`,
    },
    constants: { LANES: lanes, NORM: 2, NORM_QUADS: columns / 4, EPILOGUE: 2 + vectors, SHAPE: 2 + vectors + Number(isAdded) },
    bindings: [
      bindingKind('read', place),
      bindingKind('write', place),
      ...Array.from({ length: vectors }, () => 'uniform' as const),
      ...(isAdded ? [bindingKind('read', place)] : []),
      'uniform',
    ],
  };
}

export interface NormRowsArguments {
  /** [token][columns] f32, or parts of longer rows; columns: a multiple of 4. */
  readonly x: Vectors;
  readonly norm: RowNorm;
  /** Of the shape and kind of place of x, neither x nor `to`. */
  readonly y: Vectors;
  readonly to?: Vectors | undefined;
  /** Of all that is stored. */
  readonly scale?: number | undefined;
  readonly columns: number;
  /** Parts of rows of `stride` numbers, each normed by itself with the same weights; what rows have behind them stays as it is. */
  readonly parts?: { readonly count: number; readonly stride: number } | undefined;
  readonly lanes: number;
}

/** y = (to + norm(x)) * scale, for every token. */
export function normRows({ x, norm, y, to, scale = 1, columns, parts, lanes }: NormRowsArguments): Operation {
  const kind = norm.kind === 'rms' && norm.weight === undefined ? 'rms_unweighted' : norm.kind;
  return {
    variants: [normRowsVariant({ kind, isAdded: to !== undefined, columns, place: placeOf(y) }, lanes)],
    resources: [x, y, ...(norm.weight === undefined ? [] : [norm.weight]), ...(norm.kind === 'layer' ? [norm.bias] : []), ...(to === undefined ? [] : [to])],
    params: packParams(columns / 4, (parts?.stride ?? columns) / 4, { f32: norm.epsilon }, { f32: scale }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => parts?.count ?? 1,
  };
}
