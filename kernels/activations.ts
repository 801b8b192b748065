/**
 * Owns the small kernels on activations: rms_norm and quantize, which give int8 blocks, and swiglu for gate and up
 * that are not one packed matrix. With f32 activations norm and SwiGLU are parts of the matmul.
 */
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';
import { blockColumns } from './weights.ts';

export function rmsNormVariant(gather: boolean, lanes: number, layout: Readonly<Record<string, number>>): Variant {
  return {
    label: `rms_norm/int8${gather ? '/gather' : ''}/sg${lanes}`,
    file: 'rms_norm.wgsl',
    constants: { LANES: lanes, GATHER: gather, ...layout },
    bindings: ['read', 'read', 'write', 'read', 'uniform'] satisfies BindingKind[],
  };
}

export interface RmsNormArguments {
  /** [token][columns] f32. */
  readonly x: Slice;
  /** [columns] f32. */
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
    variants: [rmsNormVariant(args.over === 'logitRows', args.lanes, args.layout)],
    buffers: [args.x, args.weight, args.y, args.batch],
    params: packParams(args.columns / blockColumns, { f32: args.epsilon }),
    choose: () => 0,
    gridX: (counts) => counts[args.over],
    gridY: () => 1,
  };
}

export function quantizeVariant(lanes: number): Variant {
  return { label: `quantize/sg${lanes}`, file: 'quantize.wgsl', constants: { LANES: lanes }, bindings: ['read', 'write', 'uniform'] satisfies BindingKind[] };
}

/** x: [token][columns] f32 as int8 blocks. */
export function quantize(x: Slice, y: Slice, columns: number, lanes: number): Operation {
  return {
    variants: [quantizeVariant(lanes)],
    buffers: [x, y],
    params: packParams(columns / blockColumns),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

export function swigluVariant(lanes: number): Variant {
  return { label: `swiglu/sg${lanes}`, file: 'swiglu.wgsl', constants: { LANES: lanes }, bindings: ['read', 'write', 'uniform'] satisfies BindingKind[] };
}

/** gateUp: [token][2 * columns] f32; y: [token][columns] f32. */
export function swiglu(gateUp: Slice, y: Slice, columns: number, lanes: number): Operation {
  const blocks = columns / blockColumns;
  return {
    variants: [swigluVariant(lanes)],
    buffers: [gateUp, y],
    params: packParams(blocks),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => Math.ceil(blocks / lanes),
  };
}
