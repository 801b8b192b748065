/** Owns SwiGLU: silu(gate) * up of rows that hold gate and up side by side. */
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';
import { type Activations, blockColumns } from './weights.ts';

const bindings: readonly BindingKind[] = ['read', 'write', 'uniform'];

export function swigluVariant(store: Activations['format'], lanes: number): Variant {
  return { label: `swiglu/${store}/sg${lanes}`, file: 'swiglu.wgsl', includes: { STORE: `store/${store}.wgsl` }, constants: { LANES: lanes }, bindings };
}

/** gateUp: [token][2 * columns] f32; y: [token][columns]. */
export function swiglu(gateUp: Slice, y: Activations, columns: number, lanes: number): Operation {
  const blocks = columns / blockColumns;
  return {
    variants: [swigluVariant(y.format, lanes)],
    buffers: [gateUp, y.slice],
    params: packParams(blocks),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => Math.ceil(blocks / lanes),
  };
}
