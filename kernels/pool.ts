/** Owns the kernel that makes one vector of the rows of a sequence. Refuses sequences whose rows are not all in one step. */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';

/** What becomes of a sequence's rows: their mean, the first of them, or of each channel the largest number. */
export type Pooling = 'mean' | 'cls' | 'max';

/** `place`: of x. */
export function poolVariant(pooling: Pooling, place: Place, lanes: number, layout: Readonly<Record<string, number>>): Variant {
  return {
    label: `pool/${pooling}/${place}/sg${lanes}`,
    file: 'pool.wgsl',
    includes: { PLACE_X: `place/x_${place}.wgsl` },
    constants: { ...layout, LANES: lanes, TAKES_FIRST: pooling === 'cls', TAKES_LARGEST: pooling === 'max' },
    bindings: [bindingKind('read', place), 'write', 'read', 'uniform'],
  };
}

export interface PoolArguments {
  /** [token][columns] f32; columns: a multiple of 4. */
  readonly x: Vectors;
  /** [logit row][columns] f32. */
  readonly y: Slice;
  readonly batch: Slice;
  readonly columns: number;
  readonly pooling: Pooling;
  readonly lanes: number;
  readonly layout: Readonly<Record<string, number>>;
}

export function pool({ x, y, batch, columns, pooling, lanes, layout }: PoolArguments): Operation {
  return {
    variants: [poolVariant(pooling, placeOf(x), lanes, layout)],
    resources: [x, y, batch],
    params: packParams(columns / 4),
    choose: () => 0,
    gridX: (counts) => counts.logitRows,
    gridY: () => 1,
  };
}
