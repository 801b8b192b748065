/**
 * Owns what a step gives back, read row by row from the words of kernels/sample.wgsl. Refuses to keep anything:
 * it is valid until the next step.
 */
import { noId, resultLength, topLimit } from '../kernels/sample.ts';
import type { TokenId, TokenLogprobs } from './types.ts';

/** One row each for every logit row of the batch, in its order. */
export interface RowResults {
  /** Whether the row's logits are no numbers; then nothing else of it means anything. */
  isBroken(row: number): boolean;
  /** The token that was chosen. */
  id(row: number): TokenId;
  /** The token that is expected behind it, of a model that foresees; undefined: its logits are no numbers. */
  foreseen(row: number): TokenId | undefined;
  /** Log-probabilities of the row's target and its `count` likeliest tokens. */
  logprobs(row: number, count: number): TokenLogprobs;
  /** The row's logits, a copy; only in a step that wants logits. */
  logits(row: number): Float32Array;
}

export class StepResults implements RowResults {
  readonly #words: Uint32Array;
  readonly #floats: Float32Array;
  readonly #vocabularySize: number;
  readonly #stride: number;
  /** [logit row][stride], where the step wanted them. */
  #logits: Float32Array | undefined;

  /** `stride`: numbers in a row of logits. */
  constructor(rowCount: number, vocabularySize: number, stride: number) {
    this.#words = new Uint32Array(rowCount * resultLength);
    this.#floats = new Float32Array(this.#words.buffer);
    this.#vocabularySize = vocabularySize;
    this.#stride = stride;
  }

  set(words: Uint32Array, logits: Float32Array | undefined): void {
    this.#words.set(words);
    this.#logits = logits;
  }

  /** Of some rows, from `row` on; the others stay as they are. */
  put(row: number, words: Uint32Array, logits: Float32Array | undefined): void {
    this.#words.set(words, row * resultLength);
    if (logits === undefined) return;
    this.#logits ??= new Float32Array((this.#words.length / resultLength) * this.#stride);
    this.#logits.set(logits, row * this.#stride);
  }

  /** What has come of the first `count` rows, as `set` takes it. */
  first(count: number): { readonly words: Uint32Array; readonly logits: Float32Array | undefined } {
    return { words: this.#words.subarray(0, count * resultLength), logits: this.#logits };
  }

  /** Overwrites token ids and drops logits. */
  zero(): void {
    this.#words.fill(0);
    this.#logits?.fill(0);
    this.#logits = undefined;
  }

  isBroken(row: number): boolean {
    return this.#words[row * resultLength] === noId;
  }

  id(row: number): TokenId {
    return (this.#words[row * resultLength] ?? 0) as TokenId;
  }

  foreseen(row: number): TokenId | undefined {
    const id = this.#words[(row + 1) * resultLength - 1] ?? noId;
    return id === noId ? undefined : (id as TokenId);
  }

  logprobs(row: number, count: number): TokenLogprobs {
    const first = row * resultLength + 2;
    const top = Array.from({ length: Math.min(count, this.#vocabularySize) }, (_, i) => ({
      id: (this.#words[first + i] ?? 0) as TokenId,
      logprob: this.#floats[first + topLimit + i] ?? 0,
    }));
    return { logprob: this.#floats[first - 1] ?? 0, top };
  }

  logits(row: number): Float32Array {
    const first = row * this.#stride;
    return this.#logits?.slice(first, first + this.#vocabularySize) ?? new Float32Array();
  }
}
