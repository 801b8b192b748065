/**
 * Owns streets of other countries: by the word for a street, before or behind the name, by the ending of the name, and by the house number that stands
 * beside words that no list knows. Refuses numbers that are quantities, doses or years.
 */
import { given, Word } from './lexicon.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import { isUnit } from './units.ts';
import { set } from './words.ts';

/** Words in lower case inside of names of places. */
export const inner: ReadonlySet<string> = set(
  's de del des della dello delle degli dei di da do das dos du d l la las los le les lo el of the van von der den dem het aan en y und e nad pod na sur sous am im an der st ul u n no o os as aux et',
);

/*
 * Words for a street from the dictionaries of their languages, written by hand; libpostal's lists of street types have the Finnish, Hungarian, German, Dutch,
 * Norwegian and Basque ones too.
 */
/** Endings of names of streets, and those that are also endings of other words: such a name must be of no list. */
const endings = set(`strasse straat stigen laan plein gatan gata gate vej veien vegen vagen katu kuja gasse platz allee utca weg vegur gade ufer damm
  straede straeti polku vayla grand torget torg gracht singel dreef dijk steeg markt pfad steig chaussee prospekt`);
const doubtfulEndings = set('tie baan kade pad hof ring plan hlid braut tun raitti kaari ranta backen rinne graben stieg');
/** Words for a street before its name, with a number somewhere, and behind it, with a number after. */
const beginnings =
  set(`via viale rue avenida av avenue rua calle camino carrer chemin ulica ul ulitsa piazza piazzale corso largo travessa praca impasse allee quai vicolo strada boulevard bulevar bulevardul
  calea aleja aleje al plac osiedle os namesti nabrezi trida trg cesta paseo passeig plaza placa avinguda carrera ronda rambla prospekt odos leoforos plateia jalan jl lotissement λεωφοροσ λεωφορος οδος πλατεια
  улица ул проспект пр`);
const nouns =
  set(`weg utca ut ulica ulice gate gata gatan vei veien vej vag vagen tee tie katu laan street road avenue strasse straat plein straede gade dreef pad hof ter korut sor koz rakpart setany fasor tanav puiestee
  kalea etorbidea enparantza sokak caddesi bulvari iela gatve platz allee torg ulitsa namesti terrasse krt u utja tere`);
const ordinal = set('utca ut utja u ter tere korut krt sor koz rakpart setany fasor');
/** Words for a post box; a number behind them is one. */
const boxes = set('postfach postbus postboks postbox apartado casilla skrytka');

/** How far before and behind a number a word for a street may stand, in tokens. */
const [before, behind] = [8, 5];

/** Finds each where it stands; an address grows out of them (blocks.ts). */
export function findForeignStreets(scan: Scan): void {
  // Each of them needs a number: only words around one are looked at, and none twice.
  let next = 0;
  for (const number of scan.numbers) {
    for (let index = Math.max(next, number - before); index < Math.min(number + behind, scan.count); index++)
      if (scan.isWord(index) && !scan.isTaken(index)) findAt(scan, index);
    next = number + behind;
  }
  findNumbered(scan);
  for (const index of scan.numbers) if (!scan.isTaken(index)) findHouseNumber(scan, index);
  for (let index = 0; index < scan.count; index++) if (scan.at(index) === 'and') findCrossing(scan, index);
}

function findAt(scan: Scan, index: number): void {
  if (boxes.has(scan.at(index)) && scan.isNumber(index + 1) && scan.gap(index + 1) === Gap.space) scan.take(index, index + 2, 'GEO', Sure.context);
  else if (endsLikeStreet(scan, index)) findByEnding(scan, index);
  else if (beginnings.has(scan.at(index))) findByBeginning(scan, index);
}

function endsLikeStreet(scan: Scan, index: number): boolean {
  const word = scan.at(index);
  if (nouns.has(word)) return isNameBefore(scan, index) && scan.gap(index) <= Gap.space && (word.length > 1 || scan.at(index + 1) === '.');
  if (!scan.isCapital(index) || word.length < 6) return false;
  const isKnown = scan.has(index, Word.common | Word.english | Word.medical | given);
  // The ending and at least three letters before it.
  for (let cut = 3; cut <= word.length - 3; cut++) {
    const ending = word.slice(cut);
    if (endings.has(ending) || (doubtfulEndings.has(ending) && !isKnown)) return true;
  }
  return false;
}

function findByEnding(scan: Scan, index: number): void {
  const after = scan.at(index + 1) === '.' && scan.length(index) <= 3 ? index + 2 : index + 1;
  const hasNumber = scan.isNumber(after) && scan.gap(after) <= Gap.space && !isUnit(scan, after + 1);
  if (!hasNumber && !isHouseNumberBefore(scan, index)) return;
  let start = index;
  while (start > index - 4 && (nouns.has(scan.at(index)) || scan.at(start - 1) === '-') && isPartBefore(scan, start)) start -= 1;
  const end = hasNumber ? after + 1 : index + 1;
  // In Hungarian a house number is an ordinal.
  scan.take(start, hasNumber && ordinal.has(scan.at(index)) && scan.at(end) === '.' ? end + 1 : end, 'GEO', Sure.context);
}

function isPartBefore(scan: Scan, index: number): boolean {
  const isHyphen = scan.at(index - 1) === '-' && scan.isJoined(index) && scan.isJoined(index - 1);
  return isHyphen || (isNameBefore(scan, index) && scan.gap(index) <= Gap.space && !scan.has(index - 1, Word.common));
}

/** A capital, or a word that no list knows behind one (`Árpád fejedelem útja`). */
function isNameBefore(scan: Scan, index: number): boolean {
  return scan.isCapital(index - 1) || (scan.isWord(index - 1) && scan.bits[index - 1] === 0 && scan.isCapital(index - 2));
}

function findByBeginning(scan: Scan, index: number): void {
  const hasNumber = scan.isNumber(index - 1) && scan.gap(index) <= Gap.space && !isUnit(scan, index);
  const end = endOfNumbered(scan, index) || (hasNumber ? endOfNamed(scan, index) : 0);
  if (end > 0) scan.take(hasNumber ? index - 1 : index, end, 'GEO', Sure.context);
}

function isHouseNumberBefore(scan: Scan, index: number): boolean {
  for (let at = index - 1; at >= index - 4 && scan.gap(at + 1) <= Gap.space; at--) {
    if (scan.isNumber(at)) return scan.length(at) <= 5;
    if (!scan.isCapital(at)) return false;
  }
  return false;
}

/** Behind the number that the name leads to; 0 where it leads to none. */
function endOfNumbered(scan: Scan, index: number): number {
  let names = 0;
  for (let at = index + 1; at < index + 8 && scan.gap(at) <= Gap.space; at++) {
    if (scan.isNumber(at)) return names > 0 && scan.length(at) <= 5 && !isUnit(scan, at + 1) ? at + 1 : 0;
    if (scan.isCapital(at)) names += 1;
    else if (!inner.has(scan.at(at)) && !/^[.',-]$/.test(scan.at(at))) return 0;
  }
  return 0;
}

/** `33 avenue de la gare`: behind the words inside, the name and the capitals that follow it; 0 where no name follows. */
function endOfNamed(scan: Scan, index: number): number {
  let end = index + 1;
  while (inner.has(scan.at(end)) && end < index + 4) end += 1;
  const isName = scan.isCapital(end) || (scan.isWord(end) && (scan.bits[end] === 0 || end > index + 1));
  if (!isName || scan.gap(end) !== Gap.space) return 0;
  do end += 1;
  while (end < index + 8 && scan.isCapital(end) && scan.gap(end) === Gap.space);
  return end;
}

/** `78 Camino Ancho 91`: words that are no English between two numbers, from the beginning of a line or behind a comma. */
function findNumbered(scan: Scan): void {
  for (const index of scan.numbers) {
    if (scan.isTaken(index) || scan.length(index) > 6 || scan.isJoined(index + 1)) continue;
    let [names, foreign] = [0, 0];
    for (let at = index + 1; at < index + 10 && scan.gap(at) <= Gap.space; at++) {
      if (scan.isCapital(at)) {
        names += 1;
        if (!scan.has(at, Word.common | Word.english | Word.medical)) foreign += 1;
      } else if (scan.isNumber(at) && names > 0) {
        const isEnd = scan.gap(at + 1) >= Gap.line || /^[,.]$/.test(scan.at(at + 1)) || scan.isCapital(at + 1);
        if (foreign > 0 && isEnd && scan.length(at) <= 5 && !(scan.at(at + 1) === '.' && scan.isNumber(at + 2))) scan.take(index, at + 1, 'GEO', Sure.list);
        break;
      } else if (!inner.has(scan.at(at)) && !/^[.'-]$/.test(scan.at(at)) && !(scan.isNumber(at) && names === 0)) break;
    }
  }
}

const placing = set('in at to on near from of by is address');

/**
 * `lives on Grössgstötten 50`, `at Törneby 2`: words with capitals, one of them no English, behind a word of place, and a short number that ends the
 * sentence, the line or the clause.
 */
function findHouseNumber(scan: Scan, number: number): void {
  if (scan.length(number) > 4 || scan.gap(number) !== Gap.space || !endsClause(scan, number + 1)) return;
  let [start, foreign] = [number, 0];
  for (let at = number - 1; at > number - 8 && at >= 0 && scan.gap(at + 1) <= Gap.space; at--) {
    if (scan.isCapital(at) && scan.typeOf(at) !== 'DATE' && !scan.has(at, Word.medical | Word.eponym)) {
      start = at;
      if (isForeign(scan, at)) foreign += 1;
    } else if (!isInside(scan, at)) break;
  }
  if (scan.isNumber(start - 1) && scan.gap(start) === Gap.space) start -= 1;
  if (foreign > 0 && placing.has(scan.at(start - 1)) && scan.gap(start) === Gap.space) scan.take(start, number + 1, 'GEO', Sure.context);
}

/** No English, and no abbreviation. */
function isForeign(scan: Scan, index: number): boolean {
  return !scan.has(index, Word.common | Word.english | given) && scan.length(index) > 3 && !scan.isUpper(index);
}

function isInside(scan: Scan, index: number): boolean {
  return inner.has(scan.at(index)) || /^['-]$/.test(scan.at(index)) || (scan.at(index) === '.' && scan.length(index - 1) <= 2);
}

function endsClause(scan: Scan, index: number): boolean {
  if (scan.gap(index) >= Gap.line) return true;
  if (/^[.,;?!)"]$/.test(scan.at(index))) return !(scan.isJoined(index + 1) && scan.isNumber(index + 1));
  return /^(?:in|street|st|and|apt|suite|where|which)$/.test(scan.at(index)) && scan.gap(index) === Gap.space;
}

/** `return to Ries and Tylova 1036`: two names where a place must stand, the second with a number. */
function findCrossing(scan: Scan, and: number): void {
  let start = and;
  while (start > and - 5 && scan.isCapital(start - 1) && scan.gap(start) === Gap.space) start -= 1;
  if (start === and || !/^(?:to|at|in|is|on|same|:)$/.test(scan.at(start - 1))) return;
  let foreign = 0;
  for (let at = and + 1; at < and + 9 && scan.gap(at) <= Gap.space; at++) {
    if (scan.isNumber(at) && scan.length(at) <= 5) {
      if (at > and + 1 && foreign > 0) scan.take(start, at + 1, 'GEO', Sure.context);
      return;
    }
    if (!scan.isCapital(at) && !inner.has(scan.at(at)) && scan.at(at) !== '.') return;
    if (scan.isCapital(at) && !scan.has(at, Word.common | Word.english | Word.medical)) foreign += 1;
  }
}
