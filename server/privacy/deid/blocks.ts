/**
 * Owns addresses as a whole: from a part that is certain (a street, a unit, a post box) outwards over the numbers, names and lines that belong to it, in
 * the manner of any country. Stops at words of a sentence, at labels and at empty lines.
 */
import { findForeignStreets, inner } from './foreign-streets.ts';
import { Word } from './lexicon.ts';
import { isCountryOrState, stateLength } from './regions.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import { set } from './words.ts';

/** Most tokens to each side, and most lines below. */
const reach = 24;
const lines = 4;

export function findAddressBlocks(scan: Scan): void {
  findForeignStreets(scan);
  for (let index = 0; index < scan.count; index++)
    if (scan.at(index) === 'of' && /^(?:corner|intersection)$/.test(scan.at(index - 1))) findCorner(scan, index - 1);
  for (let index = 0; index < scan.count; index++) if (isAnchor(scan, index) && !isAnchor(scan, index - 1)) growAddress(scan, index);
}

/** `the corner of Auenweg 85 and Main Street`. */
function findCorner(scan: Scan, corner: number): void {
  let end = corner + 2;
  for (let at = end; at < corner + 20 && scan.gap(at) <= Gap.line; at++) {
    if (belongs(scan, at)) end = at + 1;
    else if (!isJoint(scan, at) && !isBetweenStreets(scan, at)) break;
  }
  if (end > corner + 2) scan.take(scan.at(corner - 1) === 'the' ? corner - 1 : corner, end, 'GEO', Sure.context);
}

/** `Botley Road St. and Herceg Gateway`. */
function isBetweenStreets(scan: Scan, index: number): boolean {
  const and = scan.at(index) === '.' ? index + 1 : index;
  return /^(?:and|&)$/.test(scan.at(and)) && (isProper(scan, and + 1) || scan.isNumber(and + 1));
}

const isProper = (scan: Scan, index: number): boolean => scan.isCapital(index);

/** What programs write for a field of an address that is empty. */
const empty = set('nan null nil undefined');
const parts = set('apt apartment suite ste unit box floor flat');

/** A find with a house number or a unit in it: cities and facilities alone are no address. */
function isAnchor(scan: Scan, index: number): boolean {
  if (scan.typeOf(index) !== 'GEO') return false;
  if (scan.isNumber(index)) return true;
  return scan.isNumber(index + 1) && scan.typeOf(index + 1) === 'GEO' && parts.has(scan.at(index));
}

function growAddress(scan: Scan, anchor: number): void {
  let end = anchor;
  while (scan.typeOf(end) === 'GEO') end += 1;
  let start = anchor;
  while (scan.typeOf(start - 1) === 'GEO') start -= 1;
  const grownStart = growBack(scan, start);
  const grownEnd = growOn(scan, end);
  const crossing = startOfCrossing(scan, grownStart);
  scan.takeAddress(crossing, grownEnd, Sure.list);
  if (/^(?:and|&)$/.test(scan.at(grownEnd)) && crossing < grownStart) scan.take(crossing, growOn(scan, grownEnd + 1), 'GEO', Sure.list);
}

/** `the corner of A and B`, `Main Street and 12 Oak Avenue`: a street may be told by the one that it meets. */
function startOfCrossing(scan: Scan, start: number): number {
  let at = start;
  if (scan.at(at - 1) === 'and' && isProper(scan, at - 2)) {
    at -= 2;
    while (isProper(scan, at - 1) && scan.gap(at) === Gap.space && !scan.beginsSentence(at)) at -= 1;
    if (scan.at(at - 1) === '-' && scan.isJoined(at)) at -= 2;
  }
  if (scan.at(at - 1) === 'of' && scan.at(at - 2) === 'corner') at -= scan.at(at - 3) === 'the' ? 3 : 2;
  return at;
}

function growOn(scan: Scan, from: number): number {
  let [end, breaks] = [from, 0];
  for (let at = from; at < from + reach && at < scan.count; at++) {
    if (scan.gap(at) === Gap.blank || (scan.gap(at) === Gap.line && (breaks += 1) > lines)) break;
    if (scan.gap(at) === Gap.line && !isAddressLine(scan, at)) break;
    const country = isCountryOrState(scan, at) || (scan.isUpper(at) ? stateLength(scan, at) : 0);
    if (country > 0) {
      end = at + country;
      at += country - 1;
    } else if (belongs(scan, at) || (scan.at(at) === ')' && isBracket(scan, at))) end = at + 1;
    else if (!isJoint(scan, at)) break;
  }
  return end;
}

/** A line of an address is short and has no label: nothing but names, numbers and what joins them. */
function isAddressLine(scan: Scan, start: number): boolean {
  let words = 0;
  for (let at = start; at < start + 10; at++) {
    if (at > start && scan.gap(at) >= Gap.line) return words > 0;
    if (belongs(scan, at) || isCountryOrState(scan, at) > 0 || isCountryOrState(scan, at - 1) > 1 || isCountryOrState(scan, at - 2) > 2) words += 1;
    else if (!isJoint(scan, at))
      return (
        words > 0 &&
        !/^[:=]$/.test(scan.at(at)) &&
        /^(?:in|on|after|for|and|at|last|this|yesterday|today|tomorrow|now|is|was|please|[?!."';)])$/.test(scan.at(at))
      );
  }
  return false;
}

function growBack(scan: Scan, from: number): number {
  let [start, breaks] = [from, 0];
  for (let at = from - 1; at >= 0 && at > from - reach; at--) {
    const gap = scan.gap(at + 1);
    if (gap === Gap.blank || (gap === Gap.line && (breaks += 1) > 2)) break;
    // The line above must begin with a house number to be one of the same address.
    if (gap === Gap.line && !beginsWithNumber(scan, at)) break;
    if (belongs(scan, at)) start = at;
    else if (!isJoint(scan, at)) break;
  }
  return start;
}

function beginsWithNumber(scan: Scan, last: number): boolean {
  let at = last + 1;
  while (at > last - 12 && at > 0 && (at === last + 1 || scan.gap(at) < Gap.line) && (belongs(scan, at - 1) || isJoint(scan, at - 1))) at -= 1;
  while (at <= last && isJoint(scan, at)) at += 1;
  return scan.isNumber(at) || scan.typeOf(at) === 'GEO';
}

/** A token that an address can consist of. */
function belongs(scan: Scan, index: number): boolean {
  if (scan.typeOf(index) === 'GEO' || empty.has(scan.at(index))) return true;
  if (scan.isNumber(index))
    return (
      scan.length(index) <= 6 &&
      !(scan.isJoined(index) && scan.at(index - 1) === ':') &&
      !/^(?:mg|mcg|ml|units|mmhg|bpm|kg|%|x|years|year|yo)$/.test(scan.at(index + 1)) &&
      !/^[:%]$/.test(scan.at(index + 1)) &&
      !scan.isTaken(index)
    );
  if (
    !isProper(scan, index) ||
    /^(?:phone|tel|telephone|fax|email|mobile|cell|dob|mrn|ssn|dr|mr|mrs|ms|the|i|he|she|they|we|it|patient|is|was|my|his|her|your)$/.test(scan.at(index))
  )
    return false;
  if (isProvince(scan, index)) return true;
  return (
    scan.at(index + 1) !== ':' && (!scan.has(index, Word.medical) || scan.has(index, Word.surname | Word.city | Word.eponym)) && scan.typeOf(index) !== 'DATE'
  );
}

/** Two capitals that end an address (`FONTAINE RA`), whatever they stand for elsewhere. */
function isProvince(scan: Scan, index: number): boolean {
  const isLast = scan.gap(index + 1) >= Gap.line || /^[.,;?!)]$/.test(scan.at(index + 1));
  return scan.isUpper(index) && scan.length(index) === 2 && isLast && scan.isCapital(index - 1) && scan.gap(index) === Gap.space;
}

/** `Cyprus (Greek) 25572`: a name in brackets behind a name. */
function isBracket(scan: Scan, index: number): boolean {
  return scan.at(index) === '('
    ? isProper(scan, index - 1) && isProper(scan, index + 1) && scan.at(index + 2) === ')'
    : isProper(scan, index - 1) && scan.at(index - 2) === '(';
}

function isJoint(scan: Scan, index: number): boolean {
  const word = scan.at(index);
  if (word === '(' || word === ')') return isBracket(scan, index);
  if (word === '.')
    return (scan.length(index - 1) <= 4 || scan.isNumber(index - 1)) && (scan.isNumber(index + 1) || isProper(scan, index + 1) || scan.at(index + 1) === ',');
  return (
    /^[,'>/#-]$/.test(word) ||
    (inner.has(word) &&
      scan.gap(index + 1) <= Gap.space &&
      (isProper(scan, index + 1) || inner.has(scan.at(index + 1)) || scan.isNumber(index + 1) || scan.at(index + 1) === '.'))
  );
}
