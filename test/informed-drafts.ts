/**
 * Owns guesses that are often right. A tiny random model never repeats itself, so its own text guesses nothing: these come from what it will say,
 * and a third of them are wrong. In place of runtime/scheduling/drafts.ts, by `vi.mock`.
 */
import type { Drafts } from '../runtime/scheduling/drafts.ts';

/** Whole texts, prompt and answer, that sequences turn into. */
export const texts: number[][] = [];

export class InformedDrafts implements Pick<Drafts, 'rate' | 'guess' | 'learn' | 'rest' | 'zero'> {
  readonly rate = 0.9;
  readonly #ids: Uint32Array;

  constructor(ids: Uint32Array) {
    this.#ids = ids;
  }

  guess(length: number, most: number): number {
    const text = texts.find((ids) => ids.length > length && this.#ids.subarray(0, length).every((id, i) => id === ids[i])) ?? [];
    const guessed = text.slice(length, Math.min(length + most, this.#ids.length)).map((id, i) => ((length + i) % 3 === 0 ? Math.max(0, id - 1) : id));
    this.#ids.set(guessed, length);
    return guessed.length;
  }

  learn(): void {}
  rest(): void {}
  zero(): void {}
}
