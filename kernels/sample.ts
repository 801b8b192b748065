/** Owns the choice of a token from each logit row: greedy, temperature, top-k, top-p, seed. */
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';

const bindings: readonly BindingKind[] = ['read', 'write', 'read', 'uniform'];

export function sampleVariant(lanes: number, layout: Readonly<Record<string, number>>): Variant {
  return { label: `sample/sg${lanes}`, file: 'sample.wgsl', constants: { LANES: lanes, ...layout }, bindings };
}

/** logits: [logit row][vocabulary] f32; ids: [logit row] u32. */
export function sample(logits: Slice, ids: Slice, vocabulary: number, batch: Slice, lanes: number, layout: Readonly<Record<string, number>>): Operation {
  return {
    variants: [sampleVariant(lanes, layout)],
    buffers: [logits, ids, batch],
    params: packParams(vocabulary),
    choose: () => 0,
    gridX: (counts) => counts.logitRows,
    gridY: () => 1,
  };
}
