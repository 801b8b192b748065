/**
 * Owns one answer under a grammar: where it is, which tokens may come next, and which must. One for each sequence; synchronous.
 * Refuses tokens that the grammar does not take, and then stays where it was.
 */
import type { TokenId } from '../types.ts';
import { planForced } from './forced.ts';
import { advance, type Frame, isComplete, type Place, tokenBase } from './frame.ts';
import type { Masks } from './masks.ts';
import type { Budget } from './refusal.ts';

export class Matcher {
  readonly #masks: Masks;
  readonly #budget: Budget | undefined;
  /** The mask of the place `#masked`; its reader may read it until the next token. */
  readonly #words: Uint32Array<ArrayBuffer>;
  #place: Place;
  #masked: Place | undefined;
  /** What is left of tokens that were planned; undefined: nothing was planned here. */
  #plan: TokenId[] | undefined;

  constructor(start: Frame, masks: Masks) {
    [this.#masks, this.#budget] = [masks, start.budget];
    this.#words = new Uint32Array(masks.length);
    this.#place = { frame: start, stack: null };
  }

  /** Whether the answer may end here; end tokens are in the mask then. */
  get isComplete(): boolean {
    return isComplete(this.#place);
  }

  /** The tokens that may come next, a bit for each; undefined if there are none, because the vocabulary lacks the bytes. Throws grammar_too_large. */
  mask(): Uint32Array<ArrayBuffer> | undefined {
    const { frame, stack } = this.#place;
    if (this.#masked?.frame === frame && this.#masked.stack === stack) return this.#words;
    this.#masked = undefined;
    this.#budget?.renew();
    if (!this.#masks.fill(this.#place, this.#words)) return undefined;
    this.#masked = this.#place;
    return this.#words;
  }

  /** Goes on by a token, as such or by its bytes; false if it cannot come. */
  accept(id: number): boolean {
    const { offsets, bytes, names } = this.#masks.vocabulary;
    this.#budget?.renew();
    const place = advance(this.#place, tokenBase + id);
    if (place !== undefined) this.#place = place;
    else if (names[id] !== 0 || !this.#acceptBytes(bytes.subarray(offsets[id], offsets[id + 1]))) return false;
    if (this.#plan?.shift() !== id) this.#forgetPlan();
    return true;
  }

  #acceptBytes(bytes: Uint8Array): boolean {
    let place: Place | undefined = this.#place;
    for (const byte of bytes) {
      place = advance(place, byte);
      if (place === undefined) return false;
    }
    this.#place = place;
    return true;
  }

  /** The token that must come next; undefined where there is a choice. Several that only end the answer are none. Throws what `mask` does. */
  get only(): TokenId | undefined {
    const words = this.mask();
    return words && this.#masks.findOnly(words);
  }

  /** The next token of a text that must come, as the tokenizer would cut it, where several can spell it; undefined where there is a choice of texts. */
  get planned(): TokenId | undefined {
    this.#budget?.renew();
    this.#plan ??= planForced(this.#place, this.#masks.vocabulary);
    return this.#plan[0];
  }

  /** Forgets the answer. */
  wipe(): void {
    this.#words.fill(0);
    this.#masked = undefined;
    this.#forgetPlan();
  }

  #forgetPlan(): void {
    this.#plan?.fill(0 as TokenId);
    this.#plan = undefined;
  }
}
