/**
 * Owns named places of care: capitalised words that end in a word for a facility, and what stands where only a place can stand (`seen at UCSF`). Leaves what
 * names no place alone: `the Emergency Department`, `Primary Care Clinic`, `at Stage`.
 */
import { namesThing } from './eponyms.ts';
import { given, Word } from './lexicon.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import { Cue, set, setCue } from './words.ts';

/** Last words of a facility's name. */
const heads =
  set(`hospital hospitals hosp clinic clinics center centre ctr cntr infirmary sanatorium hospice health healthcare pediatrics paediatrics university college institute school academy campus group associates practice partners
  pavilion rehabilitation rehab homecare surgicenter pharmacy church cathedral airport prison jail shelter library elementary system network foundation services care imaging labs laboratories office branch location
  clinica clinico centro complejo ambulatorio policlinico policlinica consultorio`);
/** Heads that clinical text uses for much else: they need a name of the lists before them, or one that no list knows. */
const weakHeads = set(
  'office branch location care health group practice partners system network services school rehab rehabilitation imaging pharmacy hospice labs library college academy institute foundation associates pediatrics',
);
/** Words of a facility's name that also head departments: alone they name nothing. */
const generic =
  set(`the a an our this that your their his her my at in to from of and for hospital hosp clinic center centre ctr medical med health healthcare university general primary urgent care emergency department dept
  intensive unit surgical surgery outpatient inpatient pediatric pediatrics paediatrics family community regional county state city national nursing home rehabilitation rehab women womens children childrens mental
  behavioral public school college skilled facility cancer heart transplant trauma wound pain sleep diabetes eye dental dialysis infusion imaging day house same new local area outside referring group practice services system
  primary pharmacy hospice library academy institute church campus shelter academic tertiary teaching level i ii iii iv patient admit admission discharge visit provider physician support social respiratory
  de del la el los las centro hospitalario clinica clinico complejo`);
/** Words of coming to a place: behind them `to`, `from` and `in` lead to one. */
const visits =
  set(`seen admitted treated evaluated operated hospitalized hospitalised discharged presented presents presenting transferred visited visiting visits visit referred diagnosed managed reviewed followed checked registered scheduled performed done delivered born
  received surgery care records appointment residing stay stayed workup`);

const placeLabels = set(
  'where location venue city town birthplace hometown residence facility hospital clinic site county municipality localidad provincia municipio lugar ciudad procedencia natural',
);

const isSurePlace = /^(?:where|city|town|venue|birthplace|hometown|localidad|provincia|municipio|ciudad)$/;

/** `Where: ...`, `City: ...`: the words with capitals behind it. */
function findLabelled(scan: Scan, index: number): void {
  if (!placeLabels.has(scan.at(index)) || scan.at(index + 1) !== ':') return;
  let end = index + 2;
  let at = end;
  for (; at < index + 12 && scan.gap(at) <= Gap.space; at++) {
    if (scan.isCapital(at)) end = at + 1;
    else if (!/^(?:'|-|\.|,|&|\/|of|de|la|el|del|s|the)$/.test(scan.at(at)) || (scan.at(at) === '.' && !/^(?:st|mt|ft|sta|ste)$/.test(scan.at(at - 1)))) break;
  }
  if (end > index + 2 && scan.at(end) !== ':' && (isSurePlace.test(scan.at(index)) || hasProperName(scan, index + 2, end)))
    scan.take(index + 2, end, 'GEO', Sure.context);
}

export function findFacility(scan: Scan, index: number): void {
  if (scan.isCue(index, Cue.facility)) findNamed(scan, index);
  if (!scan.isCapital(index)) return;
  const before = scan.at(index - 1);
  const isVisited = /^(?:at|@|visited|visiting)$/.test(before) || (/^(?:to|from|in)$/.test(before) && visits.has(scan.at(index - 2)));
  if (isVisited) findVisited(scan, index);
}

/** By a word for a facility, or a label of a place. */
function findNamed(scan: Scan, index: number): void {
  findLabelled(scan, index);
  if (!scan.isEnglish && spanishHeads.has(scan.at(index)) && scan.isCapital(index)) findSpanishFacility(scan, index);
  else if (heads.has(scan.at(index))) {
    if (scan.isCapital(index)) findHeaded(scan, index);
    else findLowerHead(scan, index);
  }
}

/** `Hospital Universitario Virgen del Rocío`: in Spanish the name stands behind the word. */
function findSpanishFacility(scan: Scan, index: number): void {
  let end = index + 1;
  for (let at = index + 1; at < index + 14 && scan.gap(at) <= Gap.space; at++) {
    if (scan.isCapital(at) && scan.at(at + 1) !== ':') end = at + 1;
    else if (
      !/^(?:de|del|la|las|los|el|y|dr|dra|general|san|universitario|universitari|clinico)$/.test(scan.at(at)) &&
      !(scan.at(at) === '.' && /^(?:dr|dra|sta|sto|j|n|s)$/.test(scan.at(at - 1))) &&
      !(scan.isNumber(at) && scan.at(at + 1) === 'de')
    )
      break;
    if (/^(?:universitario|clinico|general)$/.test(scan.at(at))) end = at + 1;
  }
  if (end > index + 1 && countNames(scan, index, end) > 0) scan.take(index, end, 'GEO', Sure.context);
}

const spanishHeads = set(
  'hospital clinica complejo centro residencia policlinica policlinico fundacion instituto ambulatorio sanatorio consultorio universidad facultad',
);
setCue(Cue.facility, heads, placeLabels, spanishHeads);

function findHeaded(scan: Scan, index: number): void {
  let end = index + 1;
  while (isHeadAt(scan, end) || (scan.at(end) === '.' && /^(?:hosp|ctr|med|cntr)$/.test(scan.at(end - 1)))) end += 1;
  if (scan.at(end) === 'of' && scan.isCapital(end + 1) && scan.gap(end) === Gap.space) {
    end += 2;
    while (scan.isCapital(end) && scan.gap(end) === Gap.space) end += 1;
  }
  const start = startOfFacility(scan, index);
  const isNamed = countNames(scan, start, end) > 0;
  const isPlaced = /^(?:at|from|to|in|near|visited|our|@)$/.test(scan.at(start - 1)) && end - start >= 2 && !/^(?:care|unit|department)$/.test(scan.at(end));
  const isWeak = weakHeads.has(scan.at(end - 1));
  if (isWeak ? isNamed && (isPlaced || hasProperName(scan, start, end)) : isNamed || isPlaced) scan.take(start, end, 'GEO', Sure.context);
}

function isHeadAt(scan: Scan, index: number): boolean {
  return scan.isCapital(index) && (heads.has(scan.at(index)) || scan.at(index) === 'med') && scan.gap(index) === Gap.space;
}

/** A word that no list of ordinary words has. */
function hasProperName(scan: Scan, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (scan.isWord(at) && scan.length(at) > 2 && !scan.has(at, Word.common | Word.english | Word.medical)) return true;
  return false;
}

/** `San Francisco clinic`, `our Chicago office`: a name of a place before the word. */
function findLowerHead(scan: Scan, index: number): void {
  if (!/^(?:clinic|hospital|hosp|office|branch|campus|location)$/.test(scan.at(index)) || scan.gap(index) > Gap.space) return;
  const start = startOfFacility(scan, index);
  if (
    start === index ||
    /^(?:dr|mr|mrs|ms)$/.test(scan.at(scan.at(start - 1) === '.' ? start - 2 : start - 1)) ||
    countNames(scan, start, index) === 0 ||
    namesThing(scan, start)
  )
    return;
  const isKnown = scan.has(start, Word.city | Word.surname | given) || scan.lexicon.longPlaces.has(scan.at(start));
  const isFirst = scan.beginsSentence(start) && scan.has(start, Word.common | Word.english | Word.medical);
  if (!isFirst && (isKnown || hasProperName(scan, start, index))) scan.take(start, index + 1, 'GEO', Sure.context);
}

/** Words with capitals where a place must stand. */
function findVisited(scan: Scan, index: number): void {
  if (scan.gap(index) > Gap.space || /^(?:dr|mr|mrs|ms|prof)$/.test(scan.at(index))) return;
  let end = index;
  for (let at = index; at < index + 10 && scan.gap(at) <= Gap.space; at++) {
    const word = scan.at(at);
    if (scan.isCapital(at) && !(scan.has(at, Word.medical) && scan.isUpper(at))) end = at + 1;
    else if (!/^(?:&|'|-|s|of|the|and|de|la|\.)$/.test(word) || (word === '.' && !/^(?:st|mt|ft|hosp|ctr|med)$/.test(scan.at(at - 1)))) {
      if (/^(?:clinic|hospital|office)$/.test(word) && at > index) end = at + 1;
      break;
    }
  }
  if (scan.at(end) === "'" && scan.at(end + 1) === 's' && scan.isJoined(end)) end += 2;
  const isAbbreviation = scan.isUpper(index) && end === index + 1;
  if (end === index || namesThing(scan, index) || (isAbbreviation && (scan.length(index) < 3 || scan.has(index, Word.medical | Word.common)))) return;
  if (end === index + 1 && scan.at(end) === '-' && scan.isNumber(end + 1)) return;
  if (countNames(scan, index, end) > 0 && isSomePlace(scan, index, end)) scan.take(index, end, 'GEO', Sure.list);
}

/** Not only words of medicine, and not a single everyday word. */
function isSomePlace(scan: Scan, start: number, end: number): boolean {
  let isSome = false;
  for (let at = start; at < end; at++) if (scan.isWord(at) && scan.length(at) > 1 && !scan.has(at, Word.medical)) isSome = true;
  return isSome && (end - start > 1 || !scan.has(start, Word.common) || scan.has(start, Word.city));
}

function countNames(scan: Scan, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++)
    if (scan.isWord(at) && scan.length(at) > 1 && (!generic.has(scan.at(at)) || (scan.isUpper(at) && /^(?:la)$/.test(scan.at(at))))) count += 1;
  return count;
}

/** Backwards over capitals and what may stand between them. */
function startOfFacility(scan: Scan, index: number): number {
  let start = index;
  while (start > 0 && start > index - 10 && scan.gap(start) <= Gap.space) {
    const before = start - 1;
    const word = scan.at(before);
    const isStop = word === '.' && !/^(?:st|ste|mt|ft|dr)$/.test(scan.at(before - 1)) && scan.length(before - 1) !== 1;
    const isInner = /^(?:&|'|-|\.|of|the|and|s|de|del|la|y|for|downtown|main)$/.test(word) && !isStop;
    if (scan.isNumber(before) || (!scan.isCapital(before) && !isInner)) break;
    start -= 1;
  }
  while (start < index && (!scan.isCapital(start) || /^(?:the|seen|at|in|for|from|visited|patient|admitted|dr|and|of|our)$/.test(scan.at(start)))) start += 1;
  return start;
}
