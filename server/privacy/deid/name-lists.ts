/** Owns names that the lists tell, and words with a capital that no list knows. */
import { isEponymUse } from './eponyms.ts';
import { given, Word } from './lexicon.ts';
import { actors, countWords, endOfLower, endOfName, kin, stops, takeName, titles } from './name-parts.ts';
import { isCountryOrState, isPeople } from './regions.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap, Shape } from './tokens.ts';

/** A given name and what follows it, or a surname that is nothing else. */
export function findByLists(scan: Scan, index: number, certain: Set<string>, things: ReadonlySet<string>): void {
  if (scan.isTaken(index) || !scan.has(index, given | Word.surname) || scan.length(index) < 2) return;
  if (stops.has(scan.at(index)) || titles.has(scan.at(index)) || kin.has(scan.at(index))) return;
  if (isPeople(scan.at(index)) || isKey(scan, index)) return;
  if (!scan.isCapital(index)) {
    if (scan.isEnglish) findLower(scan, index);
    return;
  }
  if (isEponymUse(scan, index)) return;
  const isOrdinary = scan.has(index, Word.common | Word.english | Word.medical);
  const end = endOfName(scan, index, false);
  const words = countWords(scan, index, end);
  const isGiven = scan.has(index, given);
  if (words >= 2 && isGiven && !scan.isUpper(index) && hasNamePart(scan, index + 1, end, false)) {
    takeName(scan, index, end, Sure.list, certain);
    return;
  }
  if (words >= 2 && isGiven && hasNamePart(scan, index + 1, end, isOrdinary)) {
    takeName(scan, index, end, Sure.list, certain);
    return;
  }
  if (words >= 2 && !isOrdinary && hasNamePart(scan, index + 1, end, true)) {
    takeName(scan, index, end, Sure.list, certain);
    return;
  }
  if (words === 2 && scan.length(index + 1) === 1 && scan.at(index + 2) === '.' && !scan.beginsSentence(index)) {
    takeName(scan, index, end, Sure.list, certain);
    return;
  }
  if (isCountryOrState(scan, index) > 0 || (scan.has(index, Word.eponym) && !isGiven)) return;
  if (!scan.isEnglish && scan.beginsSentence(index) && words < 2) return;
  if (scan.isUpper(index) && scan.length(index) <= 4 && !isGiven) return;
  if (scan.isUpper(index) && scan.length(index) <= 3) return;
  if (things.has(scan.at(index))) return;
  if (!isOrdinary) {
    scan.take(index, words >= 2 && !scan.has(index + 1, Word.common | Word.medical) ? end : index + 1, 'NAME', Sure.guess);
    return;
  }
  if (isGiven && scan.beginsSentence(index) && doers.test(scan.at(index + 1))) scan.take(index, index + 1, 'NAME', Sure.guess);
  else if (isGiven && !scan.has(index, Word.medical) && (isSubject(scan, index) || isSpeaker(scan, index))) scan.take(index, index + 1, 'NAME', Sure.guess);
}

/** What nobody but somebody does. */
const doers = /^(?:lives|lived|says|said|asks|asked|told|bought|wrote|went|works|worked|married|called)$/;

/** A word that is a name too, where only somebody can stand: `Grace reports`, `with Rose`, `Mark's`. */
function isSubject(scan: Scan, index: number): boolean {
  if (scan.isUpper(index)) return false;
  const next = scan.at(index + 1);
  if (next === "'" && scan.at(index + 2) === 's' && scan.isJoined(index + 1)) return true;
  if (scan.beginsSentence(index)) return actors.has(next) && !/^(?:will|may)$/.test(scan.at(index));
  return !scan.isCapital(index - 1) && (!scan.isCapital(index + 1) || scan.gap(index + 1) > Gap.space);
}

/** `Amber: "Who are you?"` at the beginning of a line. */
function isSpeaker(scan: Scan, index: number): boolean {
  return scan.gap(index) >= Gap.line && scan.at(index + 1) === ':' && /^["\\]$/.test(scan.at(index + 2));
}

/** Whether one of the further words is a name, an initial or unknown. */
function hasNamePart(scan: Scan, start: number, end: number, mustBeSurname: boolean): boolean {
  for (let index = start; index < end; index++) {
    if (!scan.isWord(index)) continue;
    if (scan.length(index) === 1) {
      if (!mustBeSurname || scan.at(index + 1) === '.') return true;
    } else if (scan.has(index, given | Word.surname)) {
      if (!mustBeSurname || !scan.has(index, Word.common | Word.medical)) return true;
    } else if (scan.bits[index] === 0) return true;
  }
  return false;
}

/** Two names side by side in lower case, or a given name that is no other word. */
function findLower(scan: Scan, index: number): void {
  if (!scan.isPlainName(index) || scan.length(index) < 4 || scan.has(index, Word.rare | Word.eponym)) return;
  const end = endOfLower(scan, index);
  const isPair = end > index + 1;
  if (isPair || scan.has(index, given)) scan.take(index, end, 'NAME', Sure.guess);
}

/** A word with a capital that no list knows, in English text: more often a name than anything else. */
export function findUnknown(scan: Scan, index: number, things: ReadonlySet<string>): void {
  if (!scan.isEnglish || scan.length(index) < 3) return;
  if (!scan.isCapital(index)) return;
  const shape = scan.tokens.shapes[index];
  const isKnown = (scan.bits[index]! & ~(Word.rare | Word.city)) !== 0;
  if (isKnown || isPeople(scan.at(index)) || isCountryOrState(scan, index) > 0 || isEponymUse(scan, index)) return;
  if (scan.has(index, Word.rare) && scan.beginsSentence(index)) return;
  if (shape === Shape.upper && scan.length(index) < 6 && isLatin(scan.at(index))) return;
  if (shape === Shape.mixed && !/^(?:[mM][cC]|[mM]ac|[dD]e|[lL][ae]|[vV]an|[dD][iu]|O|[fF]itz)/.test(scan.source(index))) return;
  if (isJoinedToCode(scan, index) || isKey(scan, index)) return;
  if (things.has(scan.at(index))) return;
  const isPlace = /^(?:in|at|to|from|near)$/.test(scan.at(index - 1)) || scan.typeOf(index - 1) === 'GEO';
  scan.take(index, Math.max(index + 1, endOfName(scan, index, false)), isPlace ? 'GEO' : 'NAME', Sure.guess);
}

/** `"meta":` of a record. */
function isKey(scan: Scan, index: number): boolean {
  return scan.at(index + 1) === '"' && scan.at(index - 1) === '"' && scan.at(index + 2) === ':';
}

/** Words of another script are no abbreviations of English. */
function isLatin(word: string): boolean {
  return word.charCodeAt(0) < 0x370;
}

/** Part of a code or a compound: `GenX-12`, `anti-Xa`, `SomeWord2`. */
function isJoinedToCode(scan: Scan, index: number): boolean {
  if (scan.isJoined(index) && (scan.isNumber(index - 1) || (/^[-_/]$/.test(scan.at(index - 1)) && scan.isJoined(index - 1) && !scan.isCapital(index - 2))))
    return true;
  const next = index + 1;
  return scan.isJoined(next) && (scan.isNumber(next) || (scan.at(next) === '-' && scan.isJoined(next + 1) && !scan.isCapital(next + 1)));
}

/** OCR and emphasis: `J o h n`, one letter at a time, where the letters are a name of the lists. */
export function findSpelled(scan: Scan, index: number): void {
  if (
    scan.length(index) !== 1 ||
    !scan.isCapital(index) ||
    (scan.length(index - 1) === 1 && scan.isWord(index - 1) && scan.gap(index) === Gap.space && !scan.isCapital(index))
  )
    return;
  let end = index;
  let word = '';
  while (end < scan.count && end < index + 16 && scan.isWord(end) && scan.length(end) === 1 && (end === index || scan.gap(end) === Gap.space))
    word += scan.at(end++);
  if (word.length >= 3 && (scan.lexicon.look(word) & (given | Word.surname)) !== 0) scan.take(index, end, 'NAME', Sure.list);
}
