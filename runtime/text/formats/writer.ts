/**
 * Owns the parts that a parser has found and nobody has taken yet. Leaves out what is empty, and spaces that only stand beside calls
 * and thoughts.
 */
import type { AnswerPart } from './types.ts';

export class PartWriter {
  #parts: AnswerPart[] = [];
  #index = -1;
  /** Spaces that count only if no call or thought follows. */
  #spaces = '';
  #kind: 'content' | 'reasoning' = 'content';
  /** Behind a call or a thought, until text comes: spaces there are nobody's. */
  #isTrimming = false;

  /** What was found since the last time. */
  take(): AnswerPart[] {
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  get callCount(): number {
    return this.#index + 1;
  }

  readonly content = (text: string): void => this.#text('content', text);
  readonly reasoning = (text: string): void => this.#text('reasoning', text);

  /** Another part of the answer begins: spaces at its beginning, and those at the end of the one before, are nobody's. */
  border(): void {
    this.#spaces = '';
    this.#isTrimming = true;
  }

  /** The answer ends: its last spaces are its own. */
  finish(): void {
    if (this.#spaces !== '') this.#parts.push({ kind: this.#kind, text: this.#spaces });
    this.#spaces = '';
  }

  call(name: string, id?: string): void {
    this.border();
    this.#index++;
    this.#parts.push({ kind: 'call', index: this.#index, name, ...(id === undefined ? {} : { id }) });
  }

  readonly arguments = (text: string): void => {
    if (text !== '') this.#parts.push({ kind: 'arguments', index: this.#index, text });
  };

  #text(kind: 'content' | 'reasoning', text: string): void {
    this.#kind = kind;
    const end = text.trimEnd().length;
    if (end === 0) {
      if (!this.#isTrimming) this.#spaces += text;
      return;
    }
    this.#parts.push({ kind, text: this.#isTrimming ? text.slice(0, end).trimStart() : this.#spaces + text.slice(0, end) });
    this.#spaces = text.slice(end);
    this.#isTrimming = false;
  }
}
