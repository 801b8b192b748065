/** Owns cities and counties: by lists, and by the state that stands behind. What is a word or a name of people too needs a sign. Leaves states and countries alone. */
import { given, Word } from './lexicon.ts';
import { credentials } from './name-parts.ts';
import { isCountryOrState, stateLength } from './regions.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import { set } from './words.ts';

const prepositions = set('in at to from near of outside around via');

/** Names of cities and counties. What is a word or a person's name too needs a sign: a preposition, a state behind it. */
export function findCity(scan: Scan, index: number): void {
  if (!scan.isCapital(index) && scan.has(index, Word.common)) return;
  const long = longPlace(scan, index);
  const end = index + 1 + long;
  if (long === 0 && !scan.has(index, Word.city)) {
    // A county, or a city that no list has before a state.
    if (scan.isCapital(index) && isStateBehind(scan, end) && !isSigned(scan, index, end)) takeCity(scan, index, end);
    else if (
      scan.isCapital(index) &&
      /^(?:county|parish|township|borough)$/.test(scan.at(end)) &&
      scan.isCapital(end) &&
      !/^(?:the|this|our|a|each|every)$/.test(scan.at(index))
    )
      scan.take(index, end + 1, 'GEO', Sure.context);
    return;
  }
  if (isCountryOrState(scan, index) > long) return;
  const isOther = scan.has(index, Word.common | Word.english | Word.medical | Word.eponym | Word.female | Word.male);
  const isStated = isStateBehind(scan, end) && !(long === 0 && isSigned(scan, index, end));
  if (!scan.isCapital(index)) {
    if (
      (isStated || (long > 0 && !scan.has(index, Word.common)) || (prepositions.has(scan.at(index - 1)) && !isOther && scan.length(index) > 4)) &&
      scan.length(index) > 2
    )
      scan.take(index, end, 'GEO', Sure.list);
    return;
  }
  if (scan.length(index) < 3 && long === 0) return;
  if (scan.isUpper(index) && scan.length(index) <= 4 && !isStated && long === 0) return;
  const isAfterPlace = (scan.isEnglish ? /^,$/ : /^[,.(/-]$/).test(scan.at(index - 1)) && scan.typeOf(index - 2) === 'GEO';
  const isPlaced = (prepositions.has(scan.at(index - 1)) && scan.gap(index) <= Gap.space && !beginsName(scan, index, end)) || isAfterPlace;
  const isClinical = long === 0 && scan.has(index, Word.medical | Word.eponym) && !isStated;
  if (isStated) {
    takeCity(scan, index, end);
    return;
  }
  if (isClinical) return;
  if (isPlaced || (long > 0 && !scan.has(index, Word.common | Word.english))) scan.take(index, end, 'GEO', Sure.context);
  else if (!isOther && !scan.has(index, Word.surname)) scan.take(index, end, 'GEO', Sure.list);
}

/** A name of people too, with another name behind it: `to Sharon Crane`. */
function beginsName(scan: Scan, index: number, end: number): boolean {
  return scan.has(index, Word.female | Word.male) && end === index + 1 && scan.isCapital(end) && scan.gap(end) === Gap.space && !scan.isUpper(end);
}

/** Words of a place's name after the first, where the lists have such a place. */
function longPlace(scan: Scan, index: number): number {
  const rests = scan.lexicon.longPlaces.get(scan.at(index));
  if (rests === undefined) return 0;
  for (const rest of rests) {
    let at = index + 1;
    let skipped = 0;
    for (const word of rest) {
      while (/^[.'-]$/.test(scan.at(at)) && scan.isJoined(at)) {
        at += 1;
        skipped += 1;
      }
      if (
        scan.at(at) !== word ||
        scan.gap(at) > Gap.space ||
        (scan.isCapital(index) && !scan.isCapital(at) && !/^(?:de|la|el|los|las|del|of|the|y)$/.test(word))
      ) {
        at = -1;
        break;
      }
      at += 1;
    }
    if (at > 0) return rest.length + skipped;
  }
  return 0;
}

/** `, TX` or `, Texas`, and `TX 77030`. */
function isStateBehind(scan: Scan, end: number): boolean {
  if (scan.gap(end) > Gap.space && scan.at(end) !== ',') return false;
  const at = scan.at(end) === ',' ? end + 1 : end;
  if (at === end && !(scan.isUpper(at) && scan.isNumber(at + 1) && scan.length(at + 1) === 5)) return false;
  return scan.isCapital(at) && stateLength(scan, at) > 0 && (scan.length(at) > 2 || scan.isUpper(at));
}

/** `Jane Roe, MD`: behind a first name a state's letters that are a degree too are one. */
function isSigned(scan: Scan, index: number, end: number): boolean {
  const at = scan.at(end) === ',' ? end + 1 : end;
  return credentials.has(scan.at(at)) && scan.isCapital(index - 1) && scan.has(index - 1, given) && scan.gap(index) === Gap.space;
}

/** With the capitalised words before it: `Salt Lake City, UT`. */
function takeCity(scan: Scan, index: number, end: number): void {
  let start = index;
  while (
    start > index - 3 &&
    start > 0 &&
    scan.isCapital(start - 1) &&
    scan.gap(start) === Gap.space &&
    !scan.beginsSentence(start - 1) &&
    !scan.isTaken(start - 1)
  )
    start -= 1;
  scan.take(start, end, 'GEO', Sure.context);
}

/** A state that follows a place belongs to it, and so does the ZIP code behind: `Mercy Clinic, California`, `Boston, MA 02115`. */
export function extendPlaces(scan: Scan): void {
  for (let index = 1; index < scan.count; index++) {
    if (scan.typeOf(index - 1) !== 'GEO' || scan.isTaken(index)) continue;
    const at = scan.at(index) === ',' ? index + 1 : index;
    if (scan.gap(at) > Gap.line || !scan.isCapital(at)) continue;
    const length = stateLength(scan, at);
    if (length === 0 || (scan.length(at) <= 2 && !scan.isUpper(at)) || (at === index && !(scan.isNumber(at + length) && scan.length(at + length) === 5)))
      continue;
    const zip = at + length;
    scan.take(at, scan.isNumber(zip) && scan.length(zip) === 5 && scan.gap(zip) <= Gap.line ? zip + 1 : zip, 'GEO', Sure.context);
  }
}
