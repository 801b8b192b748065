/**
 * Owns where an answer is cut that has to be searched, since a model may repeat or invent identifiers: at the end of a line or sentence, because what a
 * name is, the words behind it tell. Refuses to know what is done with a piece.
 */
import type { Restorer } from '../privacy/deid/restore/restorer.ts';

/** Longest text that waits for an end, in characters; then it is cut at a space. */
const mostHeld = 4096;
const sentenceEnd = /[.!?:;]["')\]]?\s|\n/g;

export class ProseGate implements Restorer {
  readonly #clean: (text: string) => string;
  readonly #isWhole: boolean;
  #held = '';
  /** Characters of it in which no sentence ends. */
  #searched = 0;

  /** `isWhole`: JSON, whose syntax is only known at its end. */
  constructor(clean: (text: string) => string, isWhole: boolean) {
    this.#clean = clean;
    this.#isWhole = isWhole;
  }

  push(part: string): string {
    this.#held += part;
    if (this.#isWhole) return '';
    const end = this.#findEnd();
    const ready = this.#held.slice(0, end);
    this.#held = this.#held.slice(end);
    if (end > 0) this.#searched = 0;
    return this.#write(ready);
  }

  end(): string {
    const rest = this.#held;
    this.#held = '';
    return this.#write(rest);
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

  #write(text: string): string {
    return text.trim() === '' ? text : this.#clean(text);
  }
}
