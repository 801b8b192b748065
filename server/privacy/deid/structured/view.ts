/**
 * Owns the prose of a text as one text for the detector, and the way from its places back to the source. Messages leave only their
 * prose in it, so that their syntax is never taken for words. Refuses spans that lie in what was put between.
 */
import type { Span } from '../types.ts';
import type { Document, Prose, Run } from './document.ts';

interface Chunk {
  readonly at: number;
  readonly length: number;
  readonly run: Run;
}

export class View {
  readonly #source: string;
  readonly #parts: string[] = [];
  readonly #chunks: Chunk[] = [];
  #length = 0;

  constructor(source: string, documents: readonly Document[]) {
    this.#source = source;
    let at = 0;
    for (const { start, end, prose } of documents) {
      this.#addProse({ runs: [{ start: at, end: start }] });
      for (const entry of prose) this.#addProse(entry);
      at = end;
    }
    this.#addProse({ runs: [{ start: at, end: source.length }] });
  }

  get text(): string {
    return this.#parts.join('');
  }

  /** Spans of the view as spans of the source: one that runs over several pieces of prose becomes several. */
  toSource(spans: readonly Span[]): Span[] {
    const found: Span[] = [];
    let first = 0;
    for (const { start, end, type } of spans) {
      while (first < this.#chunks.length && endOf(this.#chunks[first]) <= start) first += 1;
      for (let at = first; at < this.#chunks.length; at += 1) {
        const chunk = this.#chunks[at] as Chunk;
        if (chunk.at >= end) break;
        const [from, to] = toSourceRange(chunk, start, end);
        const last = found.at(-1);
        if (last !== undefined && last.end === from && last.type === type && at > first) found[found.length - 1] = { ...last, end: to };
        else if (to > from) found.push({ start: from, end: to, type });
      }
    }
    return found;
  }

  #addProse({ label, runs, isMarkup }: Prose): void {
    if (runs.every(({ start, end }) => end <= start)) return;
    this.#add(label === undefined ? '\n' : `\n${label}: `);
    const from = this.#parts.length;
    for (const run of runs) {
      const text = run.meaning ?? this.#source.slice(run.start, run.end);
      this.#chunks.push({ at: this.#length, length: text.length, run });
      this.#add(text);
    }
    if (isMarkup === true) this.#parts.push(blankTags(this.#parts.splice(from).join('')));
    this.#add('\n');
  }

  #add(text: string): void {
    this.#parts.push(text);
    this.#length += text.length;
  }
}

function endOf(chunk: Chunk | undefined): number {
  return chunk === undefined ? 0 : chunk.at + chunk.length;
}

/** A run that stands for other signs is taken whole. */
function toSourceRange({ at, length, run }: Chunk, start: number, end: number): [number, number] {
  if (run.meaning !== undefined) return [run.start, run.end];
  return [run.start + Math.max(0, start - at), run.start + Math.min(length, end - at)];
}

/** Tags as spaces; what may be written in attributes for people to read stays. */
function blankTags(text: string): string {
  return text.replace(/<[^<>]{1,4096}>/g, (tag) => {
    const shown = /(?:\b(?:title|alt)=|mailto:|tel:)[^<>]*/.exec(tag)?.[0] ?? '';
    return `${' '.repeat(tag.length - 1 - shown.length)}${shown}\n`.slice(-tag.length);
  });
}
