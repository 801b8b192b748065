/**
 * Owns the answer of a key whose answers may have no identifiers: a model may repeat or invent some. Holds an answer back to the end of a
 * sentence or line, because what a name is, the words behind it tell. Refuses to put anything back.
 */
import { deidentify } from '../privacy/deid/deidentify.ts';
import type { Mapping } from '../privacy/deid/mapping/mapping.ts';
import type { Restorer } from '../privacy/deid/restore/restorer.ts';

/** Longest text that waits for an end, in characters; then it is cut at a space. */
const mostHeld = 4096;
const sentenceEnd = /[.!?:;]["')\]]?\s|\n/g;

export class ProseGate implements Restorer {
  readonly #mapping: Mapping;
  readonly #isWhole: boolean;
  #held = '';
  /** Characters of it in which no sentence ends. */
  #searched = 0;

  /** What the request had keeps its tags. `isWhole`: JSON, whose syntax is only known at its end. */
  constructor(mapping: Mapping, isWhole: boolean) {
    this.#mapping = mapping;
    this.#isWhole = isWhole;
  }

  push(part: string): string {
    this.#held += part;
    if (this.#isWhole) return '';
    const end = this.#findEnd();
    const ready = this.#held.slice(0, end);
    this.#held = this.#held.slice(end);
    if (end > 0) this.#searched = 0;
    return this.#clean(ready);
  }

  end(): string {
    const rest = this.#held;
    this.#held = '';
    return this.#clean(rest);
  }

  /** Behind the last end of a line; of a sentence only where the text has become long. */
  #findEnd(): number {
    const line = this.#held.lastIndexOf('\n') + 1;
    if (line > 0 || this.#held.length < mostHeld / 8) return line;
    // Its last two may begin what a sentence ends with.
    const from = Math.max(0, this.#searched - 2);
    const sentence = [...this.#held.slice(from).matchAll(sentenceEnd)].at(-1);
    this.#searched = this.#held.length;
    if (sentence !== undefined) return from + sentence.index + sentence[0].length;
    return this.#held.length < mostHeld ? 0 : this.#held.lastIndexOf(' ') + 1;
  }

  #clean(text: string): string {
    return text.trim() === '' ? text : deidentify(text, { mapping: this.#mapping }).text;
  }
}
