/**
 * Owns how a name is read: which of its words name a person, which are initials, and which only title or suffix. Refuses to decide
 * whose name it is (mapping/people.ts).
 */

import type { Span } from '../types.ts';

/** A part of a name as written. */
export interface NamePart {
  readonly text: string;
  /** `other`: spaces, commas, titles: nobody's name. */
  readonly kind: 'given' | 'family' | 'initial' | 'other';
}

const neutral = new Set(
  'mr mrs ms miss mx dr prof sir dame rev fr sr sra srta don doña d dña jr ii iii iv md do rn np pa phd lpn cna pharmd bsn msn dnp facs mba and y de del la las los van von der den di da'.split(
    ' ',
  ),
);
const splitter = /([\p{L}\p{M}'’-]+)|[^\p{L}\p{M}'’-]+/gu;

/** The parts of a name in order; together they are the text. */
export function readName(text: string): NamePart[] {
  const pieces = Array.from(text.matchAll(splitter), ([piece, word]) => ({ piece, isWord: word !== undefined && /\p{L}/u.test(word) }));
  const isName = ({ piece, isWord }: { readonly piece: string; readonly isWord: boolean }): boolean => isWord && !neutral.has(foldWord(piece));
  const comma = pieces.findIndex(({ piece, isWord }) => !isWord && piece.includes(','));
  const words = pieces.flatMap((piece, index) => (isName(piece) && letterCount(piece.piece) > 1 ? [index] : []));
  // `SMITH, JOHN A`: what follows the comma are given names, unless it is only `MD`.
  const isReversed = comma > 0 && words.some((index) => index > comma) && words.some((index) => index < comma);
  const isFamily = (index: number): boolean => (isReversed ? index < comma : index === words.at(-1));
  return pieces.map((piece, index) => {
    if (!isName(piece)) return { text: piece.piece, kind: 'other' };
    if (letterCount(piece.piece) === 1) return { text: piece.piece, kind: 'initial' };
    return { text: piece.piece, kind: isFamily(index) ? 'family' : 'given' };
  });
}

/** The letters of `J.S.`, `J. S.` and `JS`, folded; none of any other name. */
export function readInitials(name: string): string[] {
  return /^(?:\p{Lu}\.\s?){2,4}$|^(?:\p{Lu}\.\s?){1,3}\p{Lu}$|^\p{Lu}{2,3}$/u.test(name)
    ? Array.from(name.matchAll(/\p{Lu}/gu), ([letter]) => foldWord(letter))
    : [];
}

/** One spelling for all cases of a word. */
export function foldWord(word: string): string {
  return word.normalize('NFC').toLowerCase().replaceAll('’', "'");
}

/** A name without `'s` at its end: that belongs to the sentence. */
export function withoutPossessive<T extends Span>(text: string, span: T): T {
  return span.type === 'NAME' && /\p{L}['’]s$/iu.test(text.slice(Math.max(span.start, span.end - 4), span.end)) ? { ...span, end: span.end - 2 } : span;
}

function letterCount(word: string): number {
  return word.replace(/[^\p{L}]/gu, '').length;
}
