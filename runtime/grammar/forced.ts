/**
 * Owns text that a grammar leaves no choice of: its bytes, and the tokens that the tokenizer would make of them. Vocabularies of pairs are numbered in the
 * order of their merges, so the pair that makes the lowest id goes first, as in the tokenizer, behind tokens that were added to the vocabulary; cuts between words need not be made, because no token lies
 * across one. Refuses the last token, which may be one with what follows.
 */
import type { TokenId } from '../types.ts';
import { advance, findOnly, type Place } from './frame.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Bytes that are looked ahead: names of keys and beginnings of calls are shorter, and what is longer goes in parts. */
const longest = 256;

/** Tokens of the text that must come from here on; none where the next byte is a choice. */
export function planForced(place: Place, vocabulary: Vocabulary): TokenId[] {
  const text = readForced(place);
  const tokens = cutText(vocabulary, text).slice(0, -1);
  text.fill(0);
  return tokens;
}

function readForced(start: Place): Uint8Array {
  const bytes = new Uint8Array(longest);
  let length = 0;
  try {
    for (let place = start; length < longest; length++) {
      const byte = findOnly(place);
      if (byte === undefined) break;
      bytes[length] = byte;
      place = advance(place, byte)!;
    }
  } catch {
    // What is too much work to look ahead is said when the answer is there.
  }
  return bytes.subarray(0, length);
}

/** Up to where the vocabulary lacks a byte. */
function cutText(vocabulary: Vocabulary, text: Uint8Array): TokenId[] {
  const found: (number | undefined)[] = [];
  let start = 0;
  for (let at = 0; at < text.length; ) {
    const added = findAdded(vocabulary, text, at);
    if (added === undefined) at++;
    else {
      found.push(...mergeText(vocabulary, text.subarray(start, at)), added.id);
      start = at += added.length;
    }
  }
  found.push(...mergeText(vocabulary, text.subarray(start)));
  return found.slice(0, found.includes(undefined) ? found.indexOf(undefined) : found.length) as TokenId[];
}

/** The longest token that the tokenizer looks for before it cuts, where the text has one here. */
function findAdded(
  { added = new Uint32Array(0), offsets, bytes }: Vocabulary,
  text: Uint8Array,
  at: number,
): { readonly id: number; readonly length: number } | undefined {
  let found: { readonly id: number; readonly length: number } | undefined;
  for (const id of added) {
    const [first, length] = [offsets[id]!, offsets[id + 1]! - offsets[id]!];
    let same = 0;
    while (same < length && bytes[first + same] === text[at + same]) same++;
    if (same === length && length > (found?.length ?? 0)) found = { id, length };
  }
  return found;
}

function mergeText(vocabulary: Vocabulary, text: Uint8Array): (number | undefined)[] {
  /** Part i is [ends[i - 1], ends[i]). */
  const ends = Array.from(text, (_, i) => i + 1);
  const find = (part: number, last = part): number | undefined => findToken(vocabulary, text, ends[part - 1] ?? 0, ends[last]!);
  const rank = (part: number): number => (part + 1 < ends.length ? find(part, part + 1) : undefined) ?? Number.POSITIVE_INFINITY;
  const ranks = ends.map((_, part) => rank(part));
  for (let least = Math.min(...ranks); least < Number.POSITIVE_INFINITY; least = Math.min(...ranks)) {
    const part = ranks.indexOf(least);
    ends.splice(part, 1);
    ranks.splice(part, 1);
    ranks[part] = rank(part);
    if (part > 0) ranks[part - 1] = rank(part - 1);
  }
  return ends.map((_, part) => find(part));
}

/** The token of the bytes [start, end). Of several the last: those before it stand for single bytes of characters that have no token. */
function findToken(vocabulary: Vocabulary, text: Uint8Array, start: number, end: number): number | undefined {
  for (const { ids } of [vocabulary.plain, vocabulary.special]) {
    let [low, high] = [0, ids.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(vocabulary, ids[middle]!, text, start, end) <= 0) low = middle + 1;
      else high = middle;
    }
    const id = ids[low - 1];
    if (id !== undefined && compare(vocabulary, id, text, start, end) === 0) return id;
  }
  return undefined;
}

function compare({ offsets, bytes }: Vocabulary, id: number, text: Uint8Array, start: number, end: number): number {
  const first = offsets[id]!;
  const [length, wanted] = [offsets[id + 1]! - first, end - start];
  for (let i = 0; i < length && i < wanted; i++) if (bytes[first + i] !== text[start + i]) return bytes[first + i]! - text[start + i]!;
  return length - wanted;
}
