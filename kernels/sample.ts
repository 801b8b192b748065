/** Owns what comes of each logit row: a token (greedy, or drawn after bias, penalties, mask, top-k, top-p, min-p) and log-probabilities. */
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';

/** Likeliest tokens that a row can name. */
export const topLimit = 20;
/** Words of a row's result: chosen id, log-probability (f32), `topLimit` ids, `topLimit` log-probabilities (f32). */
export const resultLength: number = 2 + 2 * topLimit;
/** In place of the id where the row's logits are no numbers. */
export const noId = 0xffffffff;

const bindings: readonly BindingKind[] = ['write', 'write', 'read', 'write', 'read', 'uniform'];

export function sampleVariant(lanes: number, layout: Readonly<Record<string, number>>): Variant {
  return {
    label: `sample/sg${lanes}`,
    file: 'sample.wgsl',
    constants: { LANES: lanes, TOP_LIMIT: topLimit, RESULT_LENGTH: resultLength, ...layout },
    bindings,
  };
}

export interface SampleBuffers {
  /** [logit row][stride] f32, of which the first `vocabulary` count; edits change it in place. */
  readonly logits: Slice;
  /** [logit row][resultLength] words. */
  readonly results: Slice;
  /** Scratch, one f32 an edit. */
  readonly originals: Slice;
  readonly batch: Slice;
  /** [logit row][maskLength] words; only rows that the batch names as masked are read. */
  readonly masks: Slice;
}

/** Words of a row's mask: bit i % 32 of word i / 32 is set where id i may be chosen. At least one bit is. */
export function maskLength(vocabulary: number): number {
  return Math.ceil(vocabulary / 32);
}

export function sample(
  { logits, results, originals, batch, masks }: SampleBuffers,
  { vocabulary, stride }: { readonly vocabulary: number; readonly stride: number },
  lanes: number,
  layout: Readonly<Record<string, number>>,
): Operation {
  return {
    variants: [sampleVariant(lanes, layout)],
    resources: [logits, results, batch, originals, masks],
    params: packParams(vocabulary, stride),
    choose: () => 0,
    gridX: (counts) => counts.logitRows,
    gridY: () => 1,
  };
}
