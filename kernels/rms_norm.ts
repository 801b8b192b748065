/** Owns RMSNorm, over all tokens or over the tokens that logit rows name; gives activations in either format. */
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';
import { type Activations, blockColumns } from './weights.ts';

const bindings: readonly BindingKind[] = ['read', 'read', 'write', 'read', 'uniform'];

export function rmsNormVariant(store: Activations['format'], gather: boolean, lanes: number, layout: Readonly<Record<string, number>>): Variant {
  return {
    label: `rms_norm/${store}${gather ? '/gather' : ''}/sg${lanes}`,
    file: 'rms_norm.wgsl',
    includes: { STORE: `store/${store}.wgsl` },
    constants: { LANES: lanes, GATHER: gather, ...layout },
    bindings,
  };
}

export interface RmsNormArguments {
  /** [token][columns] f32. */
  readonly x: Slice;
  /** [columns] f32. */
  readonly weight: Slice;
  readonly y: Activations;
  readonly columns: number;
  readonly epsilon: number;
  readonly over: 'tokens' | 'logitRows';
  readonly batch: Slice;
  readonly lanes: number;
  readonly layout: Readonly<Record<string, number>>;
}

export function rmsNorm(args: RmsNormArguments): Operation {
  return {
    variants: [rmsNormVariant(args.y.format, args.over === 'logitRows', args.lanes, args.layout)],
    buffers: [args.x, args.weight, args.y.slice, args.batch],
    params: packParams(args.columns / blockColumns, { f32: args.epsilon }),
    choose: () => 0,
    gridX: (counts) => counts[args.over],
    gridY: () => 1,
  };
}
