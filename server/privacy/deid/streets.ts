/** Owns addresses: streets, units, post boxes, ZIP codes and coordinates, in English and Spanish. */
import { Word } from './lexicon.ts';
import { stateLength } from './regions.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import { isUnit } from './units.ts';
import { Cue, set, setCue } from './words.ts';

const streets =
  set(`street st avenue ave av road rd drive dr lane ln boulevard blvd court ct circle cir place pl way terrace ter trail trl parkway pkwy highway hwy route rte square sq plaza
  loop alley crescent crossing run path pike row walk bypass expressway freeway turnpike mews close gardens grove ridge mall heights knoll knolls manor meadow meadows mill mills orchard point pointe
  port prairie ranch shore shores spring springs spur station stream summit trace track trafficway tunnel union valley viaduct view village ville vista wells garden gateway glen green harbor haven
  hills hollow inlet island isle junction key lakes landing light lodge ford forge fork forks estate estates extension fall falls ferry field fields flat flats bend bluff bluffs bottom branch bridge brook
  brooks burg canyon cape causeway center cliff cliffs club common commons corner corners course cove creek crest curve dale dam divide mount mountain neck oval overpass park pass passage pine pines plain plains
  strasse straße gata gatan gade vej vagen veien weg laan plein straat katu tie utca ulica rue calle`);
const bareStreets = set('street avenue ave road rd boulevard blvd parkway pkwy highway hwy');
/** Suffixes that are seldom anything else, so that they need no number before them. */
const plainStreets = set('street avenue ave road rd boulevard blvd lane ln drive parkway pkwy highway hwy terrace court');
const shortStreets = set('st ave av rd dr ln blvd ct cir pl pkwy hwy rte sq ter trl');
const units = set('apt apartment suite ste unit floor flat lot bldg building box piso puerta portal departamento depto esc escalera planta');
const spanishStreets = set(
  'calle c avenida avda av paseo plaza pza carretera ctra camino ronda travesia urbanizacion urb poligono barrio barriada pasaje glorieta rambla via cl carrer pseo crta avinguda pz apartado kalea',
);

setCue(Cue.street, bareStreets, units, spanishStreets, 'box apo fpo dpo psc cmr'.split(' '), 'address addr domicilio direccion residence adresse'.split(' '));
setCue(Cue.street, 'lat latitude lon lng long longitude'.split(' '));

export function findStreets(scan: Scan): void {
  for (let index = 0; index < scan.count; index++) {
    if (scan.isNumber(index)) {
      findStreet(scan, index);
      findHome(scan, index);
    } else if (scan.isCue(index, Cue.street)) {
      findBareStreet(scan, index);
      findUnit(scan, index);
      findBox(scan, index);
      findSpanishStreet(scan, index);
      findAddressLine(scan, index);
      if (/^(?:lat|latitude|lon|lng|long|longitude)$/.test(scan.at(index))) findCoordinate(scan, index);
    }
  }
}

/** `297 Welch Lock`, `123 N. Main St.`: a number, up to five words and a word for a street. */
function findStreet(scan: Scan, start: number): void {
  if (scan.length(start) > 6 || (scan.isJoined(start) && /^[-./:$]$/.test(scan.at(start - 1)) && start > 0 && scan.isNumber(start - 2))) return;
  let names = 0;
  for (let at = start + 1; at < start + 12 && at < scan.count && scan.gap(at) <= Gap.line; at++) {
    const word = scan.at(at);
    if (scan.gap(at) === Gap.line && names === 0) return;
    if (/^[.'-]$/.test(word)) continue;
    const isOrdinal = scan.isNumber(at) && scan.isWord(at + 1) && scan.isJoined(at + 1);
    const isName =
      scan.isCapital(at) ||
      isCaselessName(scan, at) ||
      isOrdinal ||
      (scan.isNumber(at) && scan.length(at) <= 5) ||
      /^(?:st|nd|rd|th|of|the|de|la|del|van|der)$/.test(word);
    if (names > 0 && streets.has(word) && (scan.isCapital(at) || plainStreets.has(word))) {
      const next = scan.at(at + 1);
      if (scan.isCapital(at + 1) && streets.has(next) && scan.gap(at + 1) === Gap.space && !plainStreets.has(word)) continue;
      if (!scan.isCapital(start + 1) && !scan.isNumber(start + 1) && !plainStreets.has(word)) return;
      takeAddress(scan, start, scan.at(at + 1) === '.' && shortStreets.has(word) ? at + 2 : at + 1);
      return;
    }
    if (!isName && !(names < 3 && scan.has(at, Word.surname | Word.city) && !scan.has(at, Word.common))) return;
    if (scan.isWord(at)) names += 1;
  }
}

/** `Lives at 790 Gray Loaf`: a number and capitals where somebody lives, whatever the street is called. */
function findHome(scan: Scan, start: number): void {
  if (
    scan.isTaken(start) ||
    scan.length(start) > 6 ||
    !/^(?:lives|living|lived|live|resides|residing|resided|reside|located|stays|staying)$/.test(scan.at(start - 2))
  )
    return;
  let end = start + 1;
  while (end < start + 6 && scan.isCapital(end) && scan.gap(end) === Gap.space) end += 1;
  if (/^(?:at|on)$/.test(scan.at(start - 1)) && end > start + 1) scan.take(start, end, 'GEO', Sure.context);
}

/** `lives on Maple Street`: words with capitals behind a word of place and one for a street; not `in the Main Street`. */
function findBareStreet(scan: Scan, index: number): void {
  if (!bareStreets.has(scan.at(index)) || scan.gap(index) !== Gap.space) return;
  let start = index;
  while (start > index - 5 && scan.isCapital(start - 1) && scan.gap(start) <= Gap.space) start -= 1;
  if (start === index || !/^(?:on|at|in|to|from|near|off|along|and|down|of)$/.test(scan.at(start - 1))) return;
  let end = index + 1;
  while (bareStreets.has(scan.at(end)) && scan.gap(end) === Gap.space) end += 1;
  if (scan.isCapital(index) || isNoWord(scan, index - 1)) scan.take(start, end, 'GEO', Sure.context);
}

const isNoWord = (scan: Scan, index: number): boolean => !scan.has(index, Word.common | Word.english | Word.medical);

/** In a text without capitals any word but those of sentences may be the name of a street, for three words. */
function isCaselessName(scan: Scan, index: number): boolean {
  return scan.isCaseless && scan.isWord(index) && !isUnit(scan, index) && !sentence.has(scan.at(index));
}

const sentence = set(
  'the a an of to in on at by for from with and or is was are were has had not no his her their this that down along across per more less than patients people',
);

/** What follows a street belongs to the address: unit, city, state and ZIP code. */
function takeAddress(scan: Scan, start: number, end: number): void {
  let last = end;
  if (/^(?:n|s|e|w|ne|nw|se|sw|north|south|east|west)$/.test(scan.at(last)) && scan.isCapital(last)) last += 1;
  scan.take(start, last, 'GEO', Sure.context);
}

const isGeo = (scan: Scan, index: number): boolean => scan.typeOf(index) === 'GEO';

function findUnit(scan: Scan, index: number): void {
  if (!units.has(scan.at(index)) || (!scan.isCapital(index) && !/^(?:apt|apartment|suite|ste)$/.test(scan.at(index)))) return;
  let at = index + 1;
  while (/^[.#:]$/.test(scan.at(at))) at += 1;
  if (scan.gap(at) > Gap.space) return;
  const isValue = scan.isNumber(at) || (scan.isWord(at) && scan.length(at) === 1 && scan.isCapital(at));
  if (!isValue) return;
  const isSafe = /^(?:apt|apartment|suite|ste)$/.test(scan.at(index));
  const follows = [1, 2, 3].some((offset) => isGeo(scan, index - offset));
  if (!isSafe && !follows && !isBoxAfter(scan, at + 1)) return;
  let end = at + 1;
  while (scan.isJoined(end) && (scan.isWord(end) || scan.isNumber(end) || (scan.at(end) === '-' && scan.isNumber(end + 1)))) end += 1;
  scan.take(index, end, 'GEO', Sure.context);
}

const isBoxAfter = (scan: Scan, at: number): boolean => scan.at(at) === 'box' && scan.isNumber(at + 1);

/** `P.O. Box 15`, `PSC 1, Box 20`, `APO AE 09123`, `USS Name`. */
function findBox(scan: Scan, index: number): void {
  const word = scan.at(index);
  if (word === 'box' && (scan.isCapital(index) || scan.at(index - 1) === '.' || scan.isCaseless) && scan.isNumber(index + 1)) {
    let start = index;
    while (start > index - 5 && /^(?:p|o|po|post|office|\.)$/.test(scan.at(start - 1)) && scan.gap(start) <= Gap.space) start -= 1;
    if (scan.at(start) === '.') start += 1;
    const isPostal = start < index || isGeo(scan, index - 1) || /^(?:unit|psc|cmr|rr|hc)$/.test(scan.at(index - 2)) || isGeo(scan, index - 2);
    if (isPostal) scan.take(start, index + 2, 'GEO', Sure.context);
  } else if (/^(?:apo|fpo|dpo)$/.test(word) && (scan.isUpper(index) || scan.isCaseless) && /^(?:aa|ae|ap)$/.test(scan.at(index + 1))) {
    scan.take(index, scan.isNumber(index + 2) ? index + 3 : index + 2, 'GEO', Sure.format);
    takeLineBefore(scan, index);
  } else if (/^(?:psc|cmr)$/.test(word) && scan.isUpper(index) && scan.isNumber(index + 1)) scan.take(index, index + 2, 'GEO', Sure.context);
}

/** The line above a military post office is a unit or a ship. */
function takeLineBefore(scan: Scan, index: number): void {
  if (scan.gap(index) !== Gap.line && !scan.isUpper(index - 3)) return;
  let start = index;
  while (
    start > 0 &&
    start > index - 8 &&
    (start === index ? scan.gap(start) <= Gap.line : scan.gap(start) <= Gap.space) &&
    !/^[:.;]$/.test(scan.at(start - 1))
  )
    start -= 1;
  const ship = [...Array(index - start).keys()].map((offset) => start + offset).find((at) => isUnitOrShip(scan, at));
  if (ship !== undefined) scan.take(ship, index, 'GEO', Sure.context);
}

/** Five digits, or five and four, behind a state, a city, a label or an address. */
export function findZip(scan: Scan, index: number): void {
  const { length } = scan.at(index);
  if (length < 4 || length > 6 || (scan.isJoined(index) && !/^[-:,(>]$/.test(scan.at(index - 1)) && !isGeo(scan, index - 1))) return;
  if (length === 5 && findSpanishTown(scan, index)) return;
  let before = index - 1;
  while (/^[,:(#.]$/.test(scan.at(before)) || /^(?:is|code|no|postal|of)$/.test(scan.at(before))) before -= 1;
  const isLabelled =
    /^(?:zip|zipcode|postcode|postal|cp|codigo|plz)$/.test(scan.at(before)) ||
    (scan.at(before + 1) === 'postal' && scan.at(before) === 'codigo') ||
    scan.at(before + 1) === 'postal';
  const isAfterPlace = length === 5 && (isGeo(scan, before) || stateEndsAt(scan, before)) && scan.gap(index) <= Gap.line;
  if (!isLabelled && !isAfterPlace) return;
  const isLong = scan.at(index + 1) === '-' && scan.isJoined(index + 1) && scan.isNumber(index + 2) && scan.length(index + 2) === 4;
  scan.take(index, isLong ? index + 3 : index + 1, 'GEO', Sure.context);
}

/** `28041, Madrid`, `46021 Valencia`: in Spanish text a code of the post (01 to 52) stands before the town. */
function findSpanishTown(scan: Scan, index: number): boolean {
  if (scan.isEnglish || Number(scan.at(index).slice(0, 2)) > 52) return false;
  let at = index + 1;
  while (/^[,.-]$/.test(scan.at(at)) && at < index + 3) at += 1;
  if (!scan.isCapital(at) || scan.gap(at) > Gap.space || scan.has(at, Word.medical)) return false;
  let end = at + 1;
  while (end < at + 6 && scan.gap(end) <= Gap.space && (scan.isCapital(end) || /^(?:de|del|la|el|los|las)$/.test(scan.at(end))) && scan.at(end + 1) !== ':')
    end += 1;
  while (!scan.isCapital(end - 1)) end -= 1;
  scan.take(index, end, 'GEO', Sure.context);
  return true;
}

function stateEndsAt(scan: Scan, index: number): boolean {
  return [1, 2, 3].some((length) => stateLength(scan, index - length + 1) === length && scan.isCapital(index - length + 1));
}

const tails = set('s n sn izq izda izquierda dcha derecha bajo puerta planta piso portal escalera esc ed edificio bloque num no n km de del la las los el y');

/** `Calle Carmen Romero, 23, 1D`, `Avda. del Puerto, s/n`: up to the end of the line, the code of the post or a full stop. */
function findSpanishStreet(scan: Scan, index: number): void {
  const word = scan.at(index);
  if (!spanishStreets.has(word) || (!scan.isCapital(index) && (scan.isEnglish || word.length < 4 || word === 'barrio'))) return;
  if (word.length === 1 && !(scan.at(index + 1) === '/' || (!scan.isEnglish && (scan.at(index + 1) === '.' || scan.isUpper(index + 1))))) return;
  let [end, names, lower] = [index + 1, 0, 0];
  for (let at = index + 1; at < index + 28 && at < scan.count && scan.gap(at) <= Gap.space; at++) {
    const token = scan.at(at);
    if (scan.isNumber(at)) {
      if (scan.length(at) === 5 && names > 0) break;
      end = at + 1;
    } else if (scan.isWord(at)) {
      if (scan.at(at + 1) === ':') break;
      const isTail = tails.has(token) || scan.isJoined(at) || (scan.length(at) <= 2 && names > 0);
      if (scan.isCapital(at)) names += 1;
      else if (!isTail && (scan.isEnglish || (lower += 1) > 2 || scan.isNumber(at - 1))) break;
      if (scan.isCapital(at) || (isTail && !/^(?:de|del|la|las|los|el|y)$/.test(token)) || lower > 0) end = at + 1;
    } else if (/^[ºª°]$/.test(token)) end = at + 1;
    else if (!/^[-,./]$/.test(token) || (token === '.' && scan.gap(at + 1) >= Gap.line) || (token === '.' && names > 0 && scan.isNumber(at - 1))) break;
  }
  if (names > 0 || lower > 0) scan.take(index, end, 'GEO', Sure.context);
}

/** `Address: 12 Elm Court, Springfield`: the rest of the line behind the label, up to another label. */
function findAddressLine(scan: Scan, index: number): void {
  if (!/^(?:address|addr|domicilio|direccion|residence|adresse)$/.test(scan.at(index)) || scan.at(index + 1) !== ':') return;
  let end = index + 2;
  let isPlace = false;
  for (let at = end; at < index + 30 && at < scan.count && scan.gap(at) <= (at === index + 2 ? Gap.line : Gap.space); at++) {
    if (scan.isTaken(at) && scan.typeOf(at) !== 'GEO') break;
    if (scan.isWord(at) && scan.at(at + 1) === ':') break;
    if (scan.at(at) === '.' && scan.gap(at + 1) >= Gap.line) break;
    isPlace ||= scan.isNumber(at) || (scan.isCapital(at) && !scan.has(at, Word.common | Word.medical));
    if (scan.isWord(at) || scan.isNumber(at)) end = at + 1;
    else if (/^[ºª°]$/.test(scan.at(at))) end = at + 1;
  }
  if (isPlace) scan.take(index + 2, end, 'GEO', Sure.context);
}

/** `USS`, `USNS`, `USCGC`: what ships of a navy are called. */
function isUnitOrShip(scan: Scan, index: number): boolean {
  return /^(?:unit|psc|cmr)$/.test(scan.at(index)) || (/^us[a-z]{1,3}$/.test(scan.at(index)) && !scan.has(index, Word.common | Word.english));
}

/** Degrees with decimals after their label. */
function findCoordinate(scan: Scan, index: number): void {
  for (let at = index + 1; at < index + 14 && at < scan.count; at++) {
    if (!scan.isNumber(at) || scan.at(at + 1) !== '.' || scan.length(at) > 3 || !scan.isNumber(at + 2) || scan.length(at + 2) < 3) continue;
    scan.take(scan.at(at - 1) === '-' ? at - 1 : at, at + 3, 'GEO', Sure.format);
    return;
  }
}
