/**
 * Owns addresses as a whole: from a part that is certain (a street, a unit, a post box) outwards over the numbers, names and lines that belong to it, in
 * the manner of any country. Stops at words of a sentence, at labels and at empty lines.
 */
import { Word } from './lexicon.ts';
import { isCountryOrState, stateLength } from './regions.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import { set } from './words.ts';

/** Most tokens to each side, and most lines below. */
const reach = 24;
const lines = 4;

const inner = set('s de del la las los el of the van von der den het aan en y do da dos das di du le les sur und am im an der st ul u nan no n o os as');

/** Where an address is certain: streets by their endings and beginnings in other languages, with a number beside them. */
const endings = [
  'strasse',
  'straat',
  'stigen',
  'laan',
  'plein',
  'gatan',
  'gata',
  'gate',
  'vej',
  'veien',
  'vegen',
  'vagen',
  'katu',
  'kuja',
  'gasse',
  'platz',
  'allee',
  'utca',
  'weg',
  'vegur',
  'gade',
  'ufer',
  'damm',
];
const beginnings = set('via viale rue avenida av rua calle camino carrer chemin ulica ul piazza corso largo travessa praca impasse allee quai vicolo strada');
const nouns = set('weg utca ut ulica gate gata vei vej tee tie katu laan street road avenue strasse straat plein straede gade dreef pad hof');

export function findAddressBlocks(scan: Scan): void {
  for (let index = 0; index < scan.count; index++) if (scan.at(index) === 'corner' && scan.at(index + 1) === 'of') findCorner(scan, index);
  for (let index = 0; index < scan.count; index++) {
    const isNoun = nouns.has(scan.at(index)) && scan.isCapital(index - 1) && scan.isNumber(index + 1);
    if (scan.isTaken(index) || !(isNoun || isProper(scan, index) || (beginnings.has(scan.at(index)) && scan.isNumber(index - 1)))) continue;
    const isStreet =
      endings.some((ending) => scan.length(index) > ending.length + 2 && scan.at(index).endsWith(ending)) ||
      (nouns.has(scan.at(index)) && isProper(scan, index - 1) && scan.gap(index) === Gap.space);
    if (isStreet && (scan.isNumber(index + 1) || isHouseNumberBefore(scan, index)))
      scan.take(index, scan.isNumber(index + 1) ? index + 2 : index + 1, 'GEO', Sure.context);
    else if (beginnings.has(scan.at(index))) {
      const hasNumber = scan.isNumber(index - 1) && scan.gap(index) <= Gap.space;
      if (leadsToNumber(scan, index) || (hasNumber && leadsToName(scan, index))) scan.take(hasNumber ? index - 1 : index, index + 2, 'GEO', Sure.context);
    }
  }
  findNumbered(scan);
  for (let index = 0; index < scan.count; index++) if (scan.at(index) === 'and') findCrossing(scan, index);
  for (let index = 0; index < scan.count; index++) if (isAnchor(scan, index) && !isAnchor(scan, index - 1)) growAddress(scan, index);
}

/** `return to Ries and Tylova 1036`: two names where a place must stand, the second with a number. */
function findCrossing(scan: Scan, and: number): void {
  let start = and;
  while (start > and - 5 && isProper(scan, start - 1) && scan.gap(start) === Gap.space) start -= 1;
  if (start === and || !/^(?:to|at|in|is|on|same|:)$/.test(scan.at(start - 1))) return;
  let foreign = 0;
  for (let at = and + 1; at < and + 9 && scan.gap(at) <= Gap.space; at++) {
    if (scan.isNumber(at) && scan.length(at) <= 5) {
      if (at > and + 1 && foreign > 0) scan.take(start, at + 1, 'GEO', Sure.context);
      return;
    }
    if (!isProper(scan, at) && !inner.has(scan.at(at)) && scan.at(at) !== '.') return;
    if (isProper(scan, at) && !scan.has(at, Word.common | Word.english | Word.medical)) foreign += 1;
  }
}

/** `the corner of Auenweg 85 and Main Street`. */
function findCorner(scan: Scan, corner: number): void {
  let end = corner + 2;
  for (let at = end; at < corner + 20 && scan.gap(at) <= Gap.line; at++) {
    if (belongs(scan, at)) end = at + 1;
    else if (!isJoint(scan, at) && !(/^(?:and|&)$/.test(scan.at(at)) && end === at)) break;
  }
  if (end > corner + 2) scan.take(scan.at(corner - 1) === 'the' ? corner - 1 : corner, end, 'GEO', Sure.context);
}

function isHouseNumberBefore(scan: Scan, index: number): boolean {
  for (let at = index - 1; at >= index - 4 && scan.gap(at + 1) <= Gap.space; at--) {
    if (scan.isNumber(at)) return scan.length(at) <= 5;
    if (!isProper(scan, at)) return false;
  }
  return false;
}

function leadsToNumber(scan: Scan, index: number): boolean {
  let names = 0;
  for (let at = index + 1; at < index + 8 && scan.gap(at) <= Gap.space; at++) {
    if (scan.isNumber(at)) return names > 0;
    if (isProper(scan, at)) names += 1;
    else if (!inner.has(scan.at(at)) && !/^[.']$/.test(scan.at(at))) return false;
  }
  return false;
}

function leadsToName(scan: Scan, index: number): boolean {
  let at = index + 1;
  while (inner.has(scan.at(at)) && at < index + 4) at += 1;
  return (isProper(scan, at) || (scan.isWord(at) && scan.bits[at] === 0)) && scan.gap(at) === Gap.space;
}

/** `78 Camino Ancho 91`: words that are no English between two numbers, from the beginning of a line or behind a comma. */
function findNumbered(scan: Scan): void {
  for (let index = 0; index < scan.count; index++) {
    if (!scan.isNumber(index) || scan.isTaken(index) || scan.length(index) > 6 || scan.isJoined(index + 1)) continue;
    let [names, foreign] = [0, 0];
    for (let at = index + 1; at < index + 10 && scan.gap(at) <= Gap.space; at++) {
      if (isProper(scan, at)) {
        names += 1;
        if (!scan.has(at, Word.common | Word.english | Word.medical)) foreign += 1;
      } else if (scan.isNumber(at) && names > 0) {
        const isEnd = scan.gap(at + 1) >= Gap.line || /^[,.]$/.test(scan.at(at + 1)) || isProper(scan, at + 1);
        if (foreign > 0 && isEnd && scan.length(at) <= 5 && !(scan.at(at + 1) === '.' && scan.isNumber(at + 2))) scan.take(index, at + 1, 'GEO', Sure.list);
        break;
      } else if (!inner.has(scan.at(at)) && !/^[.'-]$/.test(scan.at(at)) && !(scan.isNumber(at) && names === 0)) break;
    }
  }
}

const isProper = (scan: Scan, index: number): boolean => scan.isCapital(index);

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
    } else if (belongs(scan, at)) end = at + 1;
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
    else if (!isJoint(scan, at)) return words > 0 && !/^[:=]$/.test(scan.at(at)) && /^(?:in|on|after|for|and|at|[?!."';)])$/.test(scan.at(at));
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
  if (scan.typeOf(index) === 'GEO' || scan.at(index) === 'nan') return true;
  if (scan.isNumber(index))
    return (
      scan.length(index) <= 6 &&
      !/^(?:mg|mcg|ml|units|mmhg|bpm|kg|%|x|years|year|yo)$/.test(scan.at(index + 1)) &&
      !/^[:%]$/.test(scan.at(index + 1)) &&
      !scan.isTaken(index)
    );
  if (
    !isProper(scan, index) ||
    /^(?:phone|tel|telephone|fax|email|mobile|cell|dob|mrn|ssn|dr|mr|mrs|ms|the|i|he|she|they|we|it|patient|is|was|my|his|her|your)$/.test(scan.at(index))
  )
    return false;
  return (
    scan.at(index + 1) !== ':' && (!scan.has(index, Word.medical) || scan.has(index, Word.surname | Word.city | Word.eponym)) && scan.typeOf(index) !== 'DATE'
  );
}

function isJoint(scan: Scan, index: number): boolean {
  const word = scan.at(index);
  if (word === '.')
    return (scan.length(index - 1) <= 4 || scan.isNumber(index - 1)) && (scan.isNumber(index + 1) || isProper(scan, index + 1) || scan.at(index + 1) === ',');
  return (
    /^[,'>/#-]$/.test(word) ||
    (inner.has(word) &&
      scan.gap(index + 1) <= Gap.space &&
      (isProper(scan, index + 1) || inner.has(scan.at(index + 1)) || scan.isNumber(index + 1) || scan.at(index + 1) === '.'))
  );
}
