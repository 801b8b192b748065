/**
 * Owns where a text of the mapping may begin and end within an answer: at the borders of words and numbers, with plural or genitive
 * behind a name. Refuses parts of longer words and numbers: they are something else.
 */
import { isDigitUnit, isWordUnit } from './trie.ts';

/** `more`: what follows decides, and is not there yet. */
export type Verdict = 'yes' | 'no' | 'more';

/** Signs that hold a number together: 3/14, 555-0100, 10.1. */
const joints = new Set(Array.from('/-.:', (sign) => sign.charCodeAt(0)));

/** Whether what begins with this unit may stand behind the two units before; -1 is none. */
export function canBegin(unit: number, before: number, beforeThat: number): boolean {
  if (!isWordUnit(unit)) return true;
  if (before >= 0 && isWordUnit(before)) return false;
  return !(isDigitUnit(unit) && joints.has(before) && isDigitUnit(beforeThat));
}

/** Whether it may end at this place of the buffer. `isLast`: nothing comes behind the buffer. */
export function canEnd(buffer: string, end: number, isName: boolean, isLast: boolean): Verdict {
  const last = buffer.charCodeAt(end - 1);
  if (!isWordUnit(last)) return 'yes';
  if (end === buffer.length) return isLast ? 'yes' : 'more';
  const next = buffer.charCodeAt(end);
  if (isDigitUnit(last) && joints.has(next)) {
    if (end + 1 < buffer.length) return isDigitUnit(buffer.charCodeAt(end + 1)) ? 'no' : 'yes';
    return isLast ? 'yes' : 'more';
  }
  if (!isWordUnit(next)) return 'yes';
  if (!isName) return 'no';
  const plural = pluralLength(buffer, end, isLast);
  if (plural === undefined) return 'more';
  return plural > 0 ? 'yes' : 'no';
}

/** Whether nothing around a place would be one word or number with what is put there. */
export function standsApart(text: string, start: number, end: number): boolean {
  const [before, next] = [start > 0 ? text.charCodeAt(start - 1) : -1, end < text.length ? text.charCodeAt(end) : -1];
  if (next >= 0 && isWordUnit(next)) return false;
  if (joints.has(before) && isDigitUnit(text.charCodeAt(start - 2))) return false;
  if (joints.has(next) && isDigitUnit(text.charCodeAt(end + 1))) return false;
  return before < 0 || !isWordUnit(before) || isFieldSign(text.charCodeAt(start - 3));
}

/** Between fields of NCPDP; the two signs behind it are the code of a field, right before its value. */
export function isFieldSign(unit: number): boolean {
  return unit >= 0x1c && unit <= 0x1e;
}

/** Length of `s` or `es` that ends the word there, 0 if it goes on otherwise; undefined: not known yet. */
export function pluralLength(buffer: string, end: number, isLast: boolean): number | undefined {
  const ending = buffer.slice(end, end + 3).toLowerCase();
  for (const plural of ['s', 'es']) {
    if (!isLast && ending.length <= plural.length && plural.startsWith(ending)) return undefined;
    if (ending.startsWith(plural) && (ending.length === plural.length || !isWordUnit(ending.charCodeAt(plural.length)))) return plural.length;
  }
  return 0;
}
