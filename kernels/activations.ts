/**
 * Owns the small kernels on activations: rms_norm and quantize, which give int8 blocks. With f32 activations the
 * norm is part of the matmul.
 */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type Variant, type Vectors } from './kernel.ts';
import { blockColumns } from './weights.ts';

/** `place`: of x. */
export function rmsNormVariant(gather: boolean, place: Place, columns: number, lanes: number, layout: Readonly<Record<string, number>>): Variant {
  return {
    label: `rms_norm/int8${gather ? '/gather' : ''}/${place}/sg${lanes}`,
    file: 'rms_norm.wgsl',
    includes: { PLACE_X: `place/x_${place}.wgsl` },
    constants: { LANES: lanes, GATHER: gather, NORM_QUADS: columns / 4, ...layout },
    bindings: [bindingKind('read', place), 'uniform', 'write', 'read', 'uniform'],
  };
}

export interface RmsNormArguments {
  /** [token][columns] f32. */
  readonly x: Vectors;
  /** [columns] f32, in a uniform buffer. */
  readonly weight: Slice;
  /** int8 blocks. */
  readonly y: Slice;
  readonly columns: number;
  readonly epsilon: number;
  readonly over: 'tokens' | 'logitRows';
  readonly batch: Slice;
  readonly lanes: number;
  readonly layout: Readonly<Record<string, number>>;
}

export function rmsNorm(args: RmsNormArguments): Operation {
  return {
    variants: [rmsNormVariant(args.over === 'logitRows', placeOf(args.x), args.columns, args.lanes, args.layout)],
    resources: [args.x, args.weight, args.y, args.batch],
    params: packParams(args.columns / blockColumns, { f32: args.epsilon }),
    choose: () => 0,
    gridX: (counts) => counts[args.over],
    gridY: () => 1,
  };
}

export function quantizeVariant(place: Place, lanes: number): Variant {
  return {
    label: `quantize/${place}/sg${lanes}`,
    file: 'quantize.wgsl',
    includes: { PLACE_X: `place/x_${place}.wgsl` },
    constants: { LANES: lanes },
    bindings: [bindingKind('read', place), 'write', 'uniform'],
  };
}

/** x: [token][columns] f32 as int8 blocks. */
export function quantize(x: Vectors, y: Slice, columns: number, lanes: number): Operation {
  return {
    variants: [quantizeVariant(placeOf(x), lanes)],
    resources: [x, y],
    params: packParams(columns / blockColumns),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}
