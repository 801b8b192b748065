/** Owns the gathering of activations for a matrix whose columns are sorted by group, with the norm of its input where it has one. */
import { type BindingKind, bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';
import type { Norm } from './matmul.ts';

export interface PermuteChoice {
  readonly places: { readonly x: Place; readonly y: Place };
  readonly isNormed: boolean;
  /** Gather the rows that logit rows name. */
  readonly isGathered: boolean;
  readonly columns: number;
  readonly lanes: number;
  readonly layout: Readonly<Record<string, number>>;
}

export function permuteVariant({ places, isNormed, isGathered, columns, lanes, layout }: PermuteChoice): Variant {
  const input = isNormed ? 'normed' : 'plain';
  const bindings: BindingKind[] = [bindingKind('read', places.x), bindingKind('write', places.y), 'read', 'read'];
  const norm = isNormed ? bindings.push('uniform') - 1 : 0;
  return {
    label: `permute/${input}${isGathered ? '/gather' : ''}/${places.x}-${places.y}/sg${lanes}`,
    file: 'permute.wgsl',
    includes: { INPUT: `input/${input}.wgsl`, PLACE_X: `place/x_${places.x}.wgsl`, PLACE_Y: `place/y_${places.y}.wgsl` },
    constants: { LANES: lanes, GATHER: isGathered, NORM: norm, NORM_QUADS: columns / 4, SHAPE: bindings.push('uniform') - 1, ...layout },
    bindings,
  };
}

export interface PermuteArguments {
  /** [token][columns] f32. */
  readonly x: Vectors;
  /** [columns] u32. */
  readonly order: Slice;
  /** [token or logit row][columns] f32. */
  readonly y: Vectors;
  readonly norm?: Norm | undefined;
  readonly columns: number;
  readonly over: 'tokens' | 'logitRows';
  readonly batch: Slice;
  readonly lanes: number;
  readonly layout: Readonly<Record<string, number>>;
}

/** With a norm, `logitRows` also gathers them, as a matmul does. */
export function permute({ x, order, y, norm, columns, over, batch, lanes, layout }: PermuteArguments): Operation {
  const isNormed = norm !== undefined;
  const places = { x: placeOf(x), y: placeOf(y) };
  return {
    variants: [permuteVariant({ places, isNormed, isGathered: isNormed && over === 'logitRows', columns, lanes, layout })],
    resources: [x, y, order, batch, ...(isNormed ? [norm.weight] : [])],
    params: packParams(columns / 4, { f32: norm?.epsilon ?? 0 }),
    choose: () => 0,
    gridX: (counts) => counts[over],
    gridY: () => 1,
  };
}
