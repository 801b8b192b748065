/**
 * Owns what stages of a model say to each other: each is given a step by the one before and hands it on, with the rows that its layers have made of it;
 * the last one gives what comes of it to the first. Typed arrays only: they are wiped where they are sent and where they are read (link/).
 */
import type { StepCounts } from '../../kernels/kernel.ts';
import type { ZeroReport } from '../types.ts';

export type RingMessage =
  | {
      readonly type: 'step';
      readonly counts: Required<StepCounts>;
      readonly wantsLogits: boolean;
      readonly hasDeparted: boolean;
      /** Of the batch, or a part of it. */
      readonly words: Uint32Array;
      readonly masks: readonly { readonly row: number; readonly words: Uint32Array<ArrayBuffer> }[];
      /** [token][width]. */
      readonly rows: Float32Array;
    }
  /** As StepResults takes them. */
  | { readonly type: 'results'; readonly words: Uint32Array; readonly logits?: Float32Array | undefined }
  /** Goes round once; each stage adds what it finds in the blocks that are nobody's. */
  | { readonly type: 'check'; readonly kv: Uint32Array; readonly state: Uint32Array; readonly blockCount: number; readonly report: ZeroReport };

export interface RingListener {
  message(message: RingMessage): void;
  /** The stage before is gone. */
  closed(): void;
}

/** A stage's place: messages come from the stage before and go to the next, from the last to the first. */
export interface Ring {
  send(message: RingMessage): void;
  listen(listener: RingListener): void;
}

export function addReports(one: ZeroReport, other: ZeroReport): ZeroReport {
  const names = Object.keys(one) as (keyof ZeroReport)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as Record<keyof ZeroReport, number>;
}
