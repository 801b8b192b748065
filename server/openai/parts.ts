/**
 * Owns the parts of which every answer consists, whatever the wire format: text, thoughts, calls of tools. Parts of a kind that follow each
 * other are one run: what waits to be sent leaves as runs, and a whole answer is its runs. Refuses to know a wire format.
 */
import { joinPassages, type Passage } from './answer-text.ts';

/** A piece of an answer. Of a call the text is a piece of the JSON text of its arguments, `arguments` more of it. */
export type ContentPart = Passage &
  (
    | { readonly type: 'text' | 'reasoning' }
    /** `call` counts the calls of a choice from 0. */
    | { readonly type: 'call'; readonly call: number; readonly id: string; readonly name: string }
    | { readonly type: 'arguments'; readonly call: number }
  );

/** What a choice has given that nobody has taken. */
export class PartRuns {
  readonly #runs: ContentPart[][] = [];

  /** Whether a run begins with it, so that a frame is to be sent. */
  add(part: ContentPart): boolean {
    const last = this.#runs.at(-1);
    if (last?.[0] !== undefined && continues(last[0], part)) {
      last.push(part);
      return false;
    }
    this.#runs.push([part]);
    return true;
  }

  /** The first run as one part. */
  take(): ContentPart | undefined {
    const run = this.#runs.shift();
    return run?.[0] === undefined ? undefined : { ...run[0], ...joinPassages(run) };
  }

  takeAll(): readonly ContentPart[] {
    return Array.from({ length: this.#runs.length }, () => this.take()).filter((part) => part !== undefined);
  }
}

/** Whether a part goes on with what another began. */
export function continues(first: ContentPart, part: ContentPart): boolean {
  return part.type === 'arguments' ? first.type === 'call' || first.type === 'arguments' : part.type !== 'call' && first.type === part.type;
}

/** All text of one kind; undefined where there is none. */
export function textOf(parts: readonly ContentPart[], type: 'text' | 'reasoning'): string | undefined {
  const found = parts.filter((part) => part.type === type);
  return found.length === 0 ? undefined : found.map(({ text }) => text).join('');
}

export type CallPart = Extract<ContentPart, { type: 'call' }>;

/** The calls of a whole answer, each with all of its arguments. */
export function callsOf(parts: readonly ContentPart[]): readonly CallPart[] {
  return parts.filter((part) => part.type === 'call');
}
