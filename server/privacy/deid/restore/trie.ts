/**
 * Owns the set of texts that an answer may have in it, as a tree of code units, capitals and small letters alike. Refuses to know
 * where a match may begin or end (restorer.ts).
 */
import type { Pair } from '../mapping/mapping.ts';

export interface Node {
  readonly next: Map<number, Node>;
  /** Texts that end here; they differ in case only. */
  readonly pairs: Pair[];
}

export function createNode(): Node {
  return { next: new Map(), pairs: [] };
}

export function insert(root: Node, text: string, pair: Pair): void {
  let node = root;
  for (let at = 0; at < text.length; at += 1) {
    const unit = foldUnit(text.charCodeAt(at));
    let next = node.next.get(unit);
    if (next === undefined) node.next.set(unit, (next = createNode()));
    node = next;
  }
  if (!node.pairs.includes(pair)) node.pairs.push(pair);
}

const ascii = Uint16Array.from({ length: 128 }, (_, unit) => (unit >= 65 && unit <= 90 ? unit + 32 : unit));

/** Small letters, where they are one unit too. */
export function foldUnit(unit: number): number {
  if (unit < 128) return ascii[unit] as number;
  const small = String.fromCharCode(unit).toLowerCase();
  return small.length === 1 ? small.charCodeAt(0) : unit;
}

const word = /[\p{L}\p{M}\p{N}_]/u;

/** Halves of a surrogate pair count as letters, so that nothing begins or ends between them. */
export function isWordUnit(unit: number): boolean {
  if (unit < 128) return (unit >= 97 && unit <= 122) || (unit >= 48 && unit <= 57) || (unit >= 65 && unit <= 90) || unit === 95;
  return (unit >= 0xd800 && unit <= 0xdfff) || word.test(String.fromCharCode(unit));
}

export function isDigitUnit(unit: number): boolean {
  return unit >= 48 && unit <= 57;
}
