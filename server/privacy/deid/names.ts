/**
 * Owns names of people: after titles, labels, kin and words such as `named`, before credentials, by lists, and by being unknown. A name that is certain in
 * one place is taken wherever it stands. Refuses names that stand for diseases, signs, tests, drugs and devices.
 */
import { findThings, namesThing } from './eponyms.ts';
import { findInitials } from './initials.ts';
import { given, Word } from './lexicon.ts';
import { findByContext } from './name-context.ts';
import { findByLists, findSpelled, findUnknown } from './name-lists.ts';
import { actors, credentials, isCommonSurname, stops } from './name-parts.ts';
import { findRegions } from './regions.ts';
import { type Scan, Sure } from './scan.ts';
import { Cue } from './words.ts';

export function findNames(scan: Scan): void {
  const certain = new Set<string>();
  const things = findThings(scan);
  const regions = findRegions(scan);
  for (let index = 0; index < scan.count; index++) {
    if (!scan.isWord(index)) continue;
    if (scan.isCue(index, Cue.person)) findByContext(scan, index, certain);
    if (!regions.has(index)) findByLists(scan, index, certain, things);
    findSpelled(scan, index);
  }
  for (let index = 0; index < scan.count; index++) if (scan.isWord(index) && !scan.isTaken(index) && !regions.has(index)) findUnknown(scan, index, things);
  spread(scan, certain);
  findInitials(scan);
  findNeighbours(scan);
}

/** `Marie, April and Victor`: what could be a name stands in a row with names. */
function findNeighbours(scan: Scan): void {
  const canBe = (index: number): boolean =>
    (scan.isCapital(index) || scan.isCaseless) &&
    !scan.isTaken(index) &&
    scan.has(index, given | Word.surname) &&
    !(credentials.has(scan.at(index)) && scan.isUpper(index)) &&
    (!scan.has(index, Word.medical) || (scan.has(index, given) && !scan.isUpper(index))) &&
    !/^(?:male|female|man|woman)$/.test(scan.at(index + 1)) &&
    (!stops.has(scan.at(index)) || scan.at(index) === 'april' || (isCommonSurname(scan.at(index)) && scan.at(index - 1) === 'and'));
  const isRow = (mark: number): boolean => scan.at(mark) === ',' || scan.at(mark) === 'and' || scan.at(mark) === '&';
  for (let index = 0; index < scan.count; index++)
    if (canBe(index) && isRow(index - 1) && scan.typeOf(index - 2) === 'NAME') scan.take(index, index + 1, 'NAME', Sure.guess);
  for (let index = scan.count - 1; index >= 0; index--)
    if (canBe(index) && isRow(index + 1) && scan.typeOf(index + 2) === 'NAME' && !scan.isJoined(index + 2)) scan.take(index, index + 1, 'NAME', Sure.guess);
}

/** Every word that was part of a certain name is a name wherever it stands with a capital, and in lower case if it is no other word. */
function spread(scan: Scan, certain: ReadonlySet<string>): void {
  if (certain.size === 0) return;
  for (let index = 0; index < scan.count; index++) {
    if (scan.isTaken(index) || !certain.has(scan.at(index))) continue;
    const isOrdinary = scan.has(index, Word.common | Word.english | Word.medical);
    const isCapital = scan.isCapital(index) && !namesThing(scan, index) && (!isOrdinary || !scan.beginsSentence(index) || isActing(scan, index));
    const isLower = !scan.isCapital(index) && !isOrdinary && !scan.has(index, Word.city | Word.rare) && scan.length(index) > 3;
    if (isCapital || isLower) scan.take(index, index + 1, 'NAME', Sure.list);
  }
}

/** At the beginning of a sentence a word that is certain elsewhere needs what follows somebody. */
function isActing(scan: Scan, index: number): boolean {
  const next = scan.at(index + 1);
  return scan.isUpper(index) || actors.has(next) || next === ',' || (next === "'" && scan.at(index + 2) === 's');
}
