/** Owns names that the words around announce: titles, labels and kin before them, credentials behind. */
import { namesThing } from './eponyms.ts';
import { given, Word } from './lexicon.ts';
import { callers, credentials, endOfLower, endOfName, kin, labels, particles, stops, takeName, titles, weakTitles } from './name-parts.ts';
import { isCountryOrState, isPeople } from './regions.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import { Cue, setCue } from './words.ts';

setCue(Cue.person, titles, labels, kin, callers, credentials);
setCue(Cue.person, 'surname forename lastname firstname apellido apellidos me him her am m es'.split(' '));

/** What the word announces. */
export function findByContext(scan: Scan, index: number, certain: Set<string>): void {
  findAfterTitle(scan, index, certain);
  findAfterLabel(scan, index, certain);
  findBeforeCredential(scan, index, certain);
}

function findAfterTitle(scan: Scan, index: number, certain: Set<string>): void {
  const word = scan.at(index);
  if (!titles.has(word)) return;
  const isWeak = weakTitles.has(word);
  if (isWeak && !scan.isCapital(index)) return;
  let at = index + 1;
  if (scan.at(at) === '.' && scan.gap(at) === Gap.none) at += 1;
  if (scan.gap(at) > Gap.line || !scan.isWord(at)) return;
  if (/^(?:dr|dra|sr|sra|don|dona)$/.test(word) && /^(?:d|dona|don|dr|dra)$/.test(scan.at(at))) at += scan.at(at + 1) === '.' ? 2 : 1;
  if (isWeak && !scan.has(at, given | Word.surname) && scan.bits[at] !== 0) return;
  if (isWeak && scan.has(at, Word.common) && !scan.has(at, given)) return;
  const end = endOfName(scan, at, true);
  if (end > at) {
    takeName(scan, at, end, Sure.context, certain);
    scan.take(index, at, 'NAME', Sure.context);
  } else if (!isWeak && scan.gap(at) <= Gap.space && !scan.isCapital(at) && (scan.bits[at] === 0 || scan.isPlainName(at)) && scan.length(at) > 2)
    scan.take(at, endOfLower(scan, at), 'NAME', Sure.context);
}

/** `Patient: John Smith`, `Name: Smith, John`, `named John`, `mother Jane`, `(mom) Jane`, `/es/ Jane`. */
function findAfterLabel(scan: Scan, index: number, certain: Set<string>): void {
  if (scan.at(index + 1) === ':' && isNameField(scan, index)) {
    takeField(scan, index + 2, certain);
    return;
  }
  const word = scan.at(index);
  const isLabel = labels.has(word) || kin.has(word);
  const isCaller = callers.has(word) || isIntroduced(scan, index);
  const isSigned = word === 'es' && scan.at(index - 1) === '/' && scan.at(index + 1) === '/';
  if (!isLabel && !isCaller && !isSigned) return;
  let at = index + 1;
  let hasMark = false;
  while (at < index + 6 && at < scan.count && !scan.isWord(at) && /^[:?#\-,./|=()"]$/.test(scan.at(at))) {
    if (/^[:?|=/]$/.test(scan.at(at))) hasMark = true;
    if (/^[,.)(-]$/.test(scan.at(at)) && !hasMark && !isSigned && scan.at(at) !== '(' && scan.at(at) !== ',') return;
    at += 1;
  }
  if (isCaller && /^(?:is|was|es)$/.test(scan.at(at))) at += scan.at(at + 1) === ':' ? 2 : 1;
  while (titles.has(scan.at(at)) && scan.isCapital(at)) at += scan.at(at + 1) === '.' ? 2 : 1;
  if (!scan.isWord(at) || scan.gap(at) > (hasMark ? Gap.line : Gap.space) || stops.has(scan.at(at)) || scan.isTaken(at)) return;
  if (scan.at(at + 1) === ':' || isCountryOrState(scan, at) > 0) return;
  const isStrong = hasMark || isSigned || isCaller;
  const isName = scan.has(at, given | Word.surname);
  const isOrdinary = scan.has(at, Word.common | Word.english | Word.medical);
  if (!scan.isCapital(at)) {
    if (
      (isCaller || (kin.has(word) && !hasMark) || (hasMark && scan.isCaseless && scan.has(at, given) && scan.bits[at + 1] === 0)) &&
      scan.length(at) > 2 &&
      (scan.isPlainName(at) || (isCaller && scan.bits[at] === 0 && scan.gap(at) === Gap.space))
    )
      scan.take(at, endOfLower(scan, at), 'NAME', Sure.context);
    return;
  }
  if (namesThing(scan, at)) return;
  if (isOrdinary && !isName) return;
  // An ordinary word needs a second name behind it, or a list that says it is a given name.
  const second = nextWord(scan, at);
  const hasSecond = second > 0 && scan.isCapital(second) && (scan.has(second, given | Word.surname) || scan.bits[second] === 0) && !stops.has(scan.at(second));
  if (
    isOrdinary &&
    !hasSecond &&
    !((isStrong || kin.has(word)) && scan.has(at, given)) &&
    !(/^(?:baby|twin|infant|babe)$/.test(word) && isName) &&
    !(isStrong && isSurnameFirst(scan, at))
  )
    return;
  if (!isName && !isStrong && scan.bits[at] !== 0) return;
  if (scan.isUpper(at) && !isName && scan.length(at) < 5) return;
  const end = endOfName(scan, at, true);
  if (end <= at) return;
  takeName(scan, at, end, Sure.context, certain);
  if (isStrong && isSurnameFirst(scan, at)) {
    const rest = endOfName(scan, end + 1, true);
    if (rest > end + 1) takeName(scan, end, rest, Sure.context, certain);
  }
}

/** A field that holds a part of a name and nothing else, so that words that are no names count too (`Last name: Long`). */
function isNameField(scan: Scan, index: number): boolean {
  const word = scan.at(index);
  return (
    /^(?:surname|forename|lastname|firstname|apellidos?)$/.test(word) ||
    (word === 'name' && /^(?:first|last|given|family|maiden|middle)$/.test(scan.at(index - 1)))
  );
}

function takeField(scan: Scan, start: number, certain: Set<string>): void {
  let end = start;
  while (
    end < start + 6 &&
    (scan.isCapital(end) || (particles.has(scan.at(end)) && scan.isCapital(end + 1)) || (scan.at(end) === '-' && scan.isJoined(end))) &&
    (end === start || scan.gap(end) <= Gap.space) &&
    scan.at(end + 1) !== ':'
  )
    end += 1;
  if (end > start && !/^(?:unknown|none|unavailable|not|n|na)$/.test(scan.at(start))) takeName(scan, start, end, Sure.context, certain);
}

/** `everyone calls me Christian`, `I'm Thomas`: before a given name, and no religion of somebody. */
function isIntroduced(scan: Scan, index: number): boolean {
  const next = index + 1;
  if (scan.gap(next) !== Gap.space || !scan.isCapital(next) || !scan.has(next, given)) return false;
  if (/^(?:me|him|her)$/.test(scan.at(index))) return /^(?:call|calls|called)$/.test(scan.at(index - 1));
  const isFirstPerson =
    (scan.at(index) === 'am' && scan.at(index - 1) === 'i') || (scan.at(index) === 'm' && scan.at(index - 1) === "'" && scan.at(index - 2) === 'i');
  return isFirstPerson && !isPeople(scan.at(next));
}

function nextWord(scan: Scan, index: number): number {
  let at = index + 1;
  while (at < index + 4 && /^[.,'-]$/.test(scan.at(at))) at += 1;
  return scan.isWord(at) && scan.gap(at) <= Gap.space ? at : -1;
}

/** `Smith, John` and `SMITH, JOHN A`. */
function isSurnameFirst(scan: Scan, index: number): boolean {
  const comma = endOfName(scan, index, true);
  return (
    scan.at(comma) === ',' &&
    scan.gap(comma) === Gap.none &&
    scan.isCapital(comma + 1) &&
    scan.gap(comma + 1) <= Gap.space &&
    scan.has(comma + 1, given) &&
    !credentials.has(scan.at(comma + 1)) &&
    stateless(scan, comma + 1)
  );
}

const stateless = (scan: Scan, index: number): boolean => isCountryOrState(scan, index) === 0;

/** `Jane Roe, RN`, `John Smith MD`: read backwards from the credential. */
function findBeforeCredential(scan: Scan, index: number, certain: Set<string>): void {
  if (!credentials.has(scan.at(index)) || !scan.isUpper(index)) return;
  let at = index - 1;
  if (scan.at(at) === ',') at -= 1;
  if (scan.gap(index) > Gap.space) return;
  let start = at + 1;
  let words = 0;
  while (start > 0 && words < 4) {
    const before = start - 1;
    const word = scan.at(before);
    if (start <= at && scan.gap(start) > Gap.space) break;
    if (
      scan.isCapital(before) &&
      !stops.has(word) &&
      !credentials.has(word) &&
      !titles.has(word) &&
      (!scan.has(before, Word.medical | Word.common) || scan.has(before, given | Word.surname))
    )
      words += 1;
    else if (!(word === '.' && scan.length(before - 1) === 1) && !(/^['-]$/.test(word) && scan.isJoined(before)) && !(particles.has(word) && words > 0)) break;
    start = before;
  }
  while (start <= at && !scan.isCapital(start)) start += 1;
  if (words >= 2 || (words === 1 && scan.isPlainName(start))) takeName(scan, start, at + 1, Sure.context, certain);
}
