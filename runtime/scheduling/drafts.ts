/**
 * Owns the guessing of a sequence's next tokens: from its own text (prompt look-up: Saxena 2023), what followed when the last few tokens
 * stood there before, which is good for answers that quote their source; or what the model has foreseen. Learns how often it is right. Refuses to
 * decide anything else: a guess is computed along and kept only if the model draws the same.
 */

/** Tokens that must agree. */
const gramLength = 3;
/** Weight of the last guess in the estimate of how many are right, and what a step without one moves it back towards the start. */
const learning = 0.15;
const recovery = 0.01;
const start = 0.6;

abstract class Guesses {
  #rate = start;

  /** Part of the guesses that were right, lately. */
  get rate(): number {
    return this.#rate;
  }

  /** A guessed token was drawn, or another in its place. */
  learn(isRight: boolean): void {
    this.#rate += learning * ((isRight ? 1 : 0) - this.#rate);
  }

  /** Nothing was guessed in a step: old failures are forgotten slowly. */
  rest(): void {
    if (this.#rate < start) this.#rate += recovery;
  }

  /** Up to `most` tokens that may follow the first `length`; written behind them. Gives how many. */
  abstract guess(length: number, most: number): number;

  /** What is expected to stand at a place of the text; undefined: nothing. */
  see?(place: number, id: number | undefined): void;

  abstract zero(): void;
}

export type { Guesses };

/** From the text so far. */
export class Drafts extends Guesses {
  readonly #ids: Uint32Array;
  /** By hash of a gram: behind its last occurrence; 0: none. */
  readonly #places: Uint32Array;
  #indexed = gramLength - 1;

  /** `ids`: the sequence's own array, which it fills. */
  constructor(ids: Uint32Array) {
    super();
    this.#ids = ids;
    this.#places = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(16, 2 * ids.length))));
  }

  guess(length: number, most: number): number {
    // The gram that ends the text is looked up before it is indexed, else it would find itself.
    while (this.#indexed < length - 1) this.#index(++this.#indexed);
    const from = this.#places[this.#hash(length)] ?? 0;
    if (length < gramLength || from === 0 || !this.#agrees(from, length)) return 0;
    const count = Math.max(0, Math.min(most, this.#ids.length - length));
    // May read what it has just written: a text that repeats itself goes on doing so.
    for (let i = 0; i < count; i++) this.#ids[length + i] = this.#ids[from + i] ?? 0;
    return count;
  }

  zero(): void {
    this.#places.fill(0);
  }

  #index(end: number): void {
    this.#places[this.#hash(end)] = end;
  }

  #agrees(a: number, b: number): boolean {
    for (let i = 1; i <= gramLength; i++) if (this.#ids[a - i] !== this.#ids[b - i]) return false;
    return true;
  }

  /** Of the gram that ends before `end`. */
  #hash(end: number): number {
    let hash = 0x811c9dc5;
    for (let i = end - gramLength; i < end; i++) hash = Math.imul(hash ^ (this.#ids[i] ?? 0), 0x01000193);
    return (hash ^ (hash >>> 15)) & (this.#places.length - 1);
  }
}

/** By a model that foresees (ModelShape): one token, which it expects behind the one that it chose last. */
export class ForeseenDrafts extends Guesses {
  readonly #ids: Uint32Array;
  /** 0: nothing is expected. */
  #place = 0;
  #id = 0;

  /** `ids`: the sequence's own array. */
  constructor(ids: Uint32Array) {
    super();
    this.#ids = ids;
  }

  override see(place: number, id: number | undefined): void {
    this.#place = id === undefined ? 0 : place;
    this.#id = id ?? 0;
  }

  guess(length: number, most: number): number {
    if (length !== this.#place || most < 1 || length >= this.#ids.length) return 0;
    this.#ids[length] = this.#id;
    return 1;
  }

  zero(): void {
    this.#place = this.#id = 0;
  }
}
