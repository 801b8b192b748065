/**
 * Owns the kernel that norms heads and turns their last channels, forwards or back (turned.wgsl). Pairs are interleaved. Refuses what it stores nowhere
 * but in rows of its own: pools are others' (latent.ts, compressed.ts).
 */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';
import type { RowNorm } from './norms.ts';

export interface TurnedShape {
  readonly heads: number;
  /** Of a head, and its last channels that turn; multiples of 4. */
  readonly headLength: number;
  readonly rotaryLength: number;
  readonly norm: 'none' | 'rms' | 'rms_unweighted';
  /** Rows of y before those of each sequence of the step: token t of the i-th is row t + (i + 1) * behind. */
  readonly behind: number;
  readonly lanes: number;
  /** BATCH_ constants of the batch. */
  readonly layout: Readonly<Record<string, number>>;
}

/** `x`, `y`: places. */
export function turnedVariant({ heads, headLength, norm, behind, lanes, layout }: TurnedShape, x: Place, y: Place): Variant {
  const isWeighted = norm === 'rms';
  return {
    label: `turned/${heads}x${headLength}/${norm}${behind === 0 ? '' : `/behind${behind}`}/${x[0]}${y[0]}/sg${lanes}`,
    file: 'turned.wgsl',
    includes: { NORM_KIND: `norm/${isWeighted ? 'rms' : 'rms_unweighted'}.wgsl`, PLACE_X: `place/x_${x}.wgsl`, PLACE_Y: `place/y_${y}.wgsl` },
    constants: {
      ...layout,
      ...{ LANES: lanes, HEADS: heads, BEHIND: behind, IS_NORMED: norm !== 'none', NORM: 4, NORM_QUADS: headLength / 4, SHAPE: isWeighted ? 5 : 4 },
    },
    bindings: [bindingKind('read', x), bindingKind('write', y), 'read', 'read', ...(isWeighted ? (['uniform'] as const) : []), 'uniform'],
  };
}

export interface TurnedArguments {
  /** [token][head][head length] f32; y in rows of as many, which are not x. */
  readonly x: Vectors;
  readonly y: Vectors;
  /** Of each head. */
  readonly norm?: Extract<RowNorm, { readonly kind: 'rms' }> | undefined;
  /** [position][pair] (cos, sin) f32. */
  readonly rotation: Slice;
  readonly isBack?: boolean;
  readonly batch: Slice;
}

export function turned(shape: Omit<TurnedShape, 'norm'>, { x, y, norm, rotation, isBack = false, batch }: TurnedArguments): Operation {
  const { heads, headLength, rotaryLength } = shape;
  const weight = norm?.weight;
  const kind = norm === undefined ? 'none' : weight === undefined ? 'rms_unweighted' : 'rms';
  return {
    variants: [turnedVariant({ ...shape, norm: kind }, placeOf(x), placeOf(y))],
    resources: [x, y, batch, rotation, ...(weight === undefined ? [] : [weight])],
    params: packParams(headLength / 4, (headLength - rotaryLength) / 4, { f32: isBack ? -1 : 1 }, { f32: norm?.epsilon ?? 0 }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => heads,
  };
}
