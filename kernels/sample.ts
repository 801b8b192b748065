/** Owns what comes of each logit row: a token (greedy, or drawn after bias, penalties, mask, top-k, top-p, min-p) and log-probabilities. */
import { emulatedShuffles } from './compose.ts';
import { type BindingKind, type Operation, packParams, type Slice, type Variant } from './kernel.ts';
import type { TileFacts } from './tiles.ts';

/** Likeliest tokens that a row can name. */
export const topLimit = 20;
/** Words of a row's result: chosen id, log-probability (f32), `topLimit` ids, `topLimit` log-probabilities (f32), the id that is expected behind the chosen one. */
export const resultLength: number = 3 + 2 * topLimit;
/** In place of the id where the row's logits are no numbers. */
export const noId = 0xffffffff;

const bindings: readonly BindingKind[] = ['write', 'write', 'read', 'write', 'read', 'uniform'];

/** What has a row: a subgroup of `lanes`, or on a GPU a whole workgroup of them, which exchange through workgroup memory. */
export interface RowLanes {
  readonly lanes: number;
  readonly isWorkgroup: boolean;
}

/** 16 bytes of workgroup memory each, of the 16 KiB that every device has. */
const mostLanes = 1024;
/** What WebGPU promises. */
const promisedInvocations = 256;

/** A vocabulary has too many logits for one subgroup of a GPU: each of its lanes would wait for memory thousands of times. `invocations`: of a workgroup at most. */
export function rowLanes({ lanes, family = 'narrow' }: TileFacts, invocations: number = promisedInvocations): RowLanes {
  const most = Math.min(mostLanes, invocations);
  return family === 'narrow' || most <= lanes ? { lanes, isWorkgroup: false } : { lanes: most, isWorkgroup: true };
}

/** `isAhead`: of logits for the token behind the chosen one. */
export function sampleVariant({ lanes, isWorkgroup }: RowLanes, layout: Readonly<Record<string, number>>, isAhead = false): Variant {
  return {
    label: `sample/${isAhead ? 'ahead/' : ''}${isWorkgroup ? 'wg' : 'sg'}${lanes}`,
    file: 'sample.wgsl',
    includes: isWorkgroup ? { SHUFFLES: emulatedShuffles } : {},
    constants: { LANES: lanes, LOADS: isWorkgroup ? 4 : 1, TOP_LIMIT: topLimit, RESULT_LENGTH: resultLength, AHEAD: isAhead, ...layout },
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
  row: RowLanes,
  layout: Readonly<Record<string, number>>,
  isAhead = false,
): Operation {
  return {
    variants: [sampleVariant(row, layout, isAhead)],
    resources: [logits, results, batch, originals, masks],
    params: packParams(vocabulary, stride),
    choose: () => 0,
    gridX: (counts) => counts.logitRows,
    gridY: () => 1,
  };
}
