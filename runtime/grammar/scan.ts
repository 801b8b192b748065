/**
 * Owns reading text by several terms at once, each with a number: what a string of JSON or a run of text has matched so far.
 * A term that can no longer match is left out. Owns also the steps over UTF-8: a character that is not whole yet is a range of code points.
 */
import { Frame, Interned, type Outcome } from './frame.ts';
import { deriveEdges, isLive } from './terms/derive.ts';
import type { Term } from './terms/term.ts';
import type { Terms } from './terms/terms.ts';

/** One reading; `goal` is whose. */
export interface Reading {
  readonly goal: number;
  readonly term: Term;
}

/** Where readings are. Made by `Scans`. */
export abstract class Scan {
  abstract readonly id: number;
  abstract readonly segments: Segments;
  /** The frame that reads on from here. */
  abstract readonly frame: Frame;

  /** After one code point; undefined if it cannot come here. */
  step(point: number): Scan | undefined {
    const { firsts, lasts, next } = this.segments;
    const at = findSegment(lasts, point);
    return firsts[at] !== undefined && firsts[at] <= point ? next[at] : undefined;
  }

  /** After any code point of a range: where all of them lead, 'mixed' if to different places, undefined if none can come. */
  stepRange(first: number, last: number): Scan | 'mixed' | undefined {
    const { firsts, lasts, next } = this.segments;
    const at = findSegment(lasts, first);
    if (firsts[at] === undefined || firsts[at] > last) return undefined;
    return firsts[at] <= first && lasts[at]! >= last ? next[at] : 'mixed';
  }
}

interface Segments {
  readonly firsts: readonly number[];
  readonly lasts: readonly number[];
  readonly next: readonly Scan[];
}

/** The first segment that ends at the point or behind it. */
function findSegment(lasts: readonly number[], point: number): number {
  let [low, high] = [0, lasts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lasts[middle]! < point) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** For each run of code points that readings share, what remains of each. */
export function splitReadings(terms: Terms, readings: readonly Reading[]): { first: number; last: number; readings: Reading[] }[] {
  const all = readings.flatMap(({ goal, term }) => {
    const { firsts, lasts, next } = deriveEdges(terms, term);
    return firsts.map((first, i) => ({ goal, first, last: lasts[i]!, term: next[i]! })).filter((edge) => isLive(terms, edge.term));
  });
  if (readings.length === 1) return all.map(({ goal, first, last, term }) => ({ first, last, readings: [{ goal, term }] }));
  const borders = [...new Set(all.flatMap(({ first, last }) => [first, last + 1]))].sort((a, b) => a - b);
  const sorted = all.sort((a, b) => a.first - b.first);
  const found: { first: number; last: number; readings: Reading[] }[] = [];
  let active: typeof all = [];
  let taken = 0;
  for (const [i, first] of borders.slice(0, -1).entries()) {
    active = active.filter(({ last }) => last >= first);
    while (taken < sorted.length && sorted[taken]!.first === first) active.push(sorted[taken++]!);
    terms.budget.spend('parts', active.length);
    if (active.length > 0) found.push({ first, last: borders[i + 1]! - 1, readings: active.map(({ goal, term }) => ({ goal, term })) });
  }
  return found;
}

/** Sorted by goal and without doubles, with a key that says all of it. */
export function orderReadings(readings: readonly Reading[]): { readonly key: string; readonly readings: readonly Reading[] } {
  const byKey = new Map(readings.map((reading) => [`${reading.goal}:${reading.term.id}`, reading]));
  const sorted = [...byKey].sort(([, a], [, b]) => a.goal - b.goal || a.term.id - b.term.id);
  return { key: sorted.map(([key]) => key).join(), readings: sorted.map(([, reading]) => reading) };
}

/** Frames within characters of more than one byte. */
export class Characters {
  readonly #frames = new Interned<Frame>();

  /** What a byte from 0x80 on leads to at the start of a character. */
  start(scan: Scan, byte: number): Outcome | null {
    if (byte >= 0xc2 && byte <= 0xdf) return this.#within(scan, (byte & 0x1f) << 6, ((byte & 0x1f) << 6) | 0x3f, 1);
    if (byte >= 0xe0 && byte <= 0xef) {
      const low = (byte & 0xf) << 12;
      return this.#within(scan, Math.max(low, 0x800), byte === 0xed ? 0xd7ff : low | 0xfff, 2);
    }
    if (byte < 0xf0 || byte > 0xf4) return null;
    const low = (byte & 7) << 18;
    return this.#within(scan, Math.max(low, 0x10000), Math.min(low | 0x3ffff, 0x10ffff), 3);
  }

  /** The character is between two code points, and so many bytes are missing. */
  #within(scan: Scan, first: number, last: number, missing: number): Frame | null {
    const next = scan.stepRange(first, last);
    if (next === undefined) return null;
    const isWhole = last - first + 1 === 64 ** missing;
    if (next !== 'mixed' && isWhole) return this.#frames.get(`${next.id}*${missing}`, () => new SameFrame(this, next, missing));
    return this.#frames.get(`${scan.id}:${first}:${missing}`, () => new WithinFrame(this, scan, first, last, missing));
  }

  same(next: Scan, missing: number): Frame {
    return missing === 0 ? next.frame : this.#frames.get(`${next.id}*${missing}`, () => new SameFrame(this, next, missing));
  }

  narrow(scan: Scan, first: number, last: number, missing: number, byte: number): Frame | null {
    const unit = 64 ** (missing - 1);
    const low = Math.floor(first / (unit * 64)) * unit * 64 + (byte & 0x3f) * unit;
    const [from, to] = [Math.max(first, low), Math.min(last, low + unit - 1)];
    if (byte < 0x80 || byte > 0xbf || from > to) return null;
    return missing > 1 ? this.#within(scan, from, to, missing - 1) : (scan.step(from)?.frame ?? null);
  }
}

/** Whatever the character becomes, it leads to one place. */
class SameFrame extends Frame {
  readonly #characters: Characters;
  readonly #next: Scan;
  readonly #missing: number;

  constructor(characters: Characters, next: Scan, missing: number) {
    super();
    [this.#characters, this.#next, this.#missing] = [characters, next, missing];
  }

  protected override answer(byte: number): Frame | null {
    return byte < 0x80 || byte > 0xbf ? null : this.#characters.same(this.#next, this.#missing - 1);
  }
}

class WithinFrame extends Frame {
  readonly #characters: Characters;
  readonly #scan: Scan;
  readonly #first: number;
  readonly #last: number;
  readonly #missing: number;

  constructor(characters: Characters, scan: Scan, first: number, last: number, missing: number) {
    super();
    [this.#characters, this.#scan, this.#first, this.#last, this.#missing] = [characters, scan, first, last, missing];
  }

  protected override answer(byte: number): Frame | null {
    return this.#characters.narrow(this.#scan, this.#first, this.#last, this.#missing, byte);
  }
}
