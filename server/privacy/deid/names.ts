/**
 * Owns names of people: after titles, labels, kin and words such as `named`, before credentials, by lists, and by being unknown. A name that is certain in
 * one place is taken wherever it stands. Refuses names that stand for diseases, signs, tests, drugs and devices.
 */
import { isEponymUse, namesThing } from './eponyms.ts';
import { given, Word } from './lexicon.ts';
import { isCountryOrState, isPeople } from './regions.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap, Shape } from './tokens.ts';
import { set } from './words.ts';

const titles = set(
  'dr dra mr mrs ms miss mx prof professor doctor doctora nurse rev reverend fr father sister brother chaplain pastor rabbi imam judge officer detective sgt capt captain lt col attorney atty sir madam mister don dona sr sra srta lic coach principal',
);
/** Titles that are words too: they need a capital, and a name of the lists behind them. */
const weakTitles = set(
  'nurse doctor father sister brother sir judge officer coach principal don col fr lic lt miss prof professor chaplain pastor attorney captain',
);
const kin =
  set(`mom mother mum mommy mama dad father daddy papa parent parents sister brother sibling son daughter wife husband spouse partner fiance fiancee girlfriend boyfriend aunt uncle cousin niece nephew grandmother grandfather grandma grandpa nana
  grandson granddaughter grandparent guardian stepmother stepfather stepmom stepdad caregiver friend neighbor neighbour roommate twin baby babe infant girl boy kid child sitter babysitter nanny
  madre padre hermano hermana hijo hija esposa esposo marido mujer abuela abuelo tia tio primo prima sobrino sobrina`);
const labels =
  set(`patient name pt client resident member subject provider physician attending surgeon doctor nurse pcp author signed by dictated transcribed cosigned contact guarantor subscriber insured
  beneficiary spouse consultant referring interpreter caller informant witness requester recipient sender from to cc re attn sincerely regards mother father guardian next-of-kin kin username user poa proxy hcp nok employer
  nombre apellido apellidos paciente medico medica doctor doctora responsable remitido firmado fdo autor autora facultativo enfermera enfermero cirujano`);
const credentials = set(
  'md do rn np pa pac phd dds dmd dpm lcsw msw lpn cna crna aprn fnp arnp bsn msn facs facp pharmd rph pt dpt ot otr slp rd rdn ldn psyd lmft lpc mph mba esq dvm od mbbs frcp facc faap facog dnp cnm ma ccc lmhc rrt cphq emt jd',
);
const callers = set('hi hello hey dear named called name nickname nicknamed alias aka llamado llamada');
const particles = set('de del la las los van von der den ter ten di da du dos das do le el al bin ibn ben abu mac mc st san santa y e zu');
const suffixes = set('jr sr ii iii iv junior senior phd');
/** Verbs and marks that follow the name of somebody at the beginning of a sentence. */
const actors =
  set(`is was has had have says said states stated reports reported reporting presents presented complains complained denies denied lives lived needs wants called calls came comes went goes returned asks asked told takes took will would
  should can could does did says feels felt appears seems admits admitted arrived verbalized visited began gave given and spent flew bought wrote sent moved works worked`);

export function findNames(scan: Scan): void {
  const certain = new Set<string>();
  for (let index = 0; index < scan.count; index++) {
    if (!scan.isWord(index)) continue;
    findAfterTitle(scan, index, certain);
    findAfterLabel(scan, index, certain);
    findBeforeCredential(scan, index, certain);
    findByLists(scan, index, certain);
    findSpelled(scan, index);
  }
  for (let index = 0; index < scan.count; index++) if (scan.isWord(index) && !scan.isTaken(index)) findUnknown(scan, index);
  spread(scan, certain);
  findNeighbours(scan);
}

/** `Marie, April and Victor`: what could be a name stands in a row with names. */
function findNeighbours(scan: Scan): void {
  const canBe = (index: number): boolean =>
    scan.isCapital(index) &&
    !scan.isTaken(index) &&
    scan.has(index, given | Word.surname) &&
    !scan.has(index, Word.medical) &&
    !/^(?:male|female|man|woman)$/.test(scan.at(index + 1)) &&
    !stops.has(scan.at(index).replace(/^april$/, ''));
  const isRow = (mark: number): boolean => scan.at(mark) === ',' || scan.at(mark) === 'and' || scan.at(mark) === '&';
  for (let index = 0; index < scan.count; index++)
    if (canBe(index) && isRow(index - 1) && scan.typeOf(index - 2) === 'NAME') scan.take(index, index + 1, 'NAME', Sure.guess);
  for (let index = scan.count - 1; index >= 0; index--)
    if (canBe(index) && isRow(index + 1) && scan.typeOf(index + 2) === 'NAME' && !scan.isJoined(index + 2)) scan.take(index, index + 1, 'NAME', Sure.guess);
}

/** The end of the name that begins at a token: words with capitals, initials, particles, hyphens and apostrophes, at most six words. */
function endOfName(scan: Scan, start: number, isFree: boolean): number {
  let end = start;
  let words = 0;
  for (let at = start; at < scan.count && words < 6 && at < start + 16; at++) {
    if (at > start && scan.gap(at) > Gap.space) break;
    const word = scan.at(at);
    if (/^['-]$/.test(word)) {
      if (
        !scan.isJoined(at) ||
        !scan.isJoined(at + 1) ||
        !(scan.isCapital(at + 1) || (word === '-' && particles.has(scan.at(at + 1)) && leadsOn(scan, at + 1)) || (word === '-' && scan.isPlainName(at + 1))) ||
        (word === "'" && scan.length(at + 1) === 1 && scan.at(at + 1) === 's')
      )
        break;
      continue;
    }
    if (word === '.') {
      if (scan.length(at - 1) === 1 || suffixes.has(scan.at(at - 1)) || /^(?:st|ma|mc)$/.test(scan.at(at - 1))) {
        if (at === end) end = at + 1;
        continue;
      }
      break;
    }
    if (!scan.isWord(at)) break;
    if (particles.has(word) && scan.length(at) > 1 && at > start && leadsOn(scan, at)) continue;
    if (particles.has(word) && at === start && leadsOn(scan, at) && !scan.isCapital(at)) continue;
    const isSecondHalf = scan.at(at - 1) === '-' && scan.isJoined(at) && at > start + 1;
    if (!isSecondHalf && !canBeNamed(scan, at, at === start, isFree)) break;
    words += 1;
    end = at + 1;
  }
  const isTitled = end > start && credentials.has(scan.at(end)) && scan.isUpper(end) && scan.gap(end) === Gap.space;
  return isTitled ? end + 1 : end;
}

/** Up to two particles and then a capital. */
function leadsOn(scan: Scan, index: number): boolean {
  for (let at = index + 1; at <= index + 2; at++) {
    if (scan.gap(at) > Gap.space) return false;
    if (scan.isCapital(at) && scan.isWord(at)) return !scan.has(at, Word.medical) || scan.has(at, Word.surname | given);
    if (!particles.has(scan.at(at))) return false;
  }
  return false;
}

/** Whether a word can be part of a name; free names stand where only a name can stand. */
function canBeNamed(scan: Scan, index: number, isFirst: boolean, isFree: boolean): boolean {
  const word = scan.at(index);
  if (!scan.isCapital(index)) return isFree && !isFirst && scan.isEnglish ? scan.isPlainName(index) : false;
  if (scan.length(index) === 1) return !isFirst || scan.at(index + 1) === '.' || isFree;
  if (credentials.has(word) && scan.isUpper(index)) return false;
  if (suffixes.has(word)) return !isFirst;
  if (stops.has(word) && (isFirst || !scan.has(index, Word.surname) || !/^(?:white|black|young|day|may|march|lane|english|french)$/.test(word))) return false;
  if (scan.has(index, given | Word.surname)) return isFree || isFirst || !scan.has(index, Word.medical) || scan.has(index, given) || !scan.isUpper(index);
  if (scan.has(index, Word.medical | Word.common)) return isFree && isFirst && !scan.has(index, Word.medical) && scan.has(index, Word.surname);
  return !scan.isUpper(index) || scan.length(index) > 3;
}

/** Words with a capital that stand where names stand and are none. */
const stops =
  set(`unknown unavailable none not no yes n na the this that a an and or but if in on at to from for with of by as is was are were has have had he she they it his her their we i you who what when where why how patient pt name mr mrs ms dr md
  male female age dob date mrn address phone room bed unit admission admitted discharge diagnosis history allergies medications plan assessment today yesterday tomorrow monday tuesday wednesday thursday friday saturday sunday january february march april june july august
  september october november december positive negative normal stable alert awake hospital clinic center department emergency ed icu er status signed electronically team service services family seen please can could would should will may do does did there here per see note notes
  home work cell fax email tel ext id ssn license insurance medicare medicaid group member policy yo year old white black hispanic asian doctor nurse physician attending resident primary care provider mother father mom dad sister brother
  gender sex race ethnicity language religion marital single married widowed divorced english spanish also then now since after before during while because although however both all any each every more most some such other another same
  las los el la un una con sin por para fecha edad sexo hombre nhc cp domicilio localidad provincia servicio medico informe historia datos`);

function takeName(scan: Scan, start: number, end: number, sure: number, certain: Set<string>): void {
  scan.take(start, end, 'NAME', sure);
  if (sure < Sure.list) return;
  for (let index = start; index < end; index++)
    if (
      scan.isWord(index) &&
      scan.length(index) > 2 &&
      scan.isCapital(index) &&
      !particles.has(scan.at(index)) &&
      !suffixes.has(scan.at(index)) &&
      !titles.has(scan.at(index))
    )
      certain.add(scan.at(index));
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

/** Names in lower case go on while words are names or unknown. */
function endOfLower(scan: Scan, start: number): number {
  let end = start + 1;
  while (end < start + 4 && scan.isWord(end) && scan.gap(end) === Gap.space && scan.tokens.shapes[end] === Shape.lower && isLowerPart(scan, end)) end += 1;
  return end;
}

function isLowerPart(scan: Scan, index: number): boolean {
  if (scan.length(index) < 2) return false;
  if (scan.bits[index] === 0 || scan.isPlainName(index)) return true;
  return scan.isCaseless && scan.has(index, Word.surname) && !scan.has(index, Word.medical) && scan.has(index - 1, given);
}

/** `Patient: John Smith`, `Name: Smith, John`, `named John`, `mother Jane`, `(mom) Jane`, `/es/ Jane`. */
function findAfterLabel(scan: Scan, index: number, certain: Set<string>): void {
  const word = scan.at(index);
  const isLabel = labels.has(word) || kin.has(word);
  const isCaller = callers.has(word);
  const isSigned = word === 'es' && scan.at(index - 1) === '/' && scan.at(index + 1) === '/';
  if (!isLabel && !isCaller && !isSigned) return;
  let at = index + 1;
  let hasMark = false;
  while (at < index + 6 && at < scan.count && !scan.isWord(at) && /^[:#\-,./|=()"]$/.test(scan.at(at))) {
    if (/^[:|=/]$/.test(scan.at(at))) hasMark = true;
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
      (isCaller || (kin.has(word) && !hasMark)) &&
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

/** A given name and what follows it, or a surname that is nothing else. */
function findByLists(scan: Scan, index: number, certain: Set<string>): void {
  if (scan.isTaken(index) || !scan.has(index, given | Word.surname) || scan.length(index) < 2) return;
  if (stops.has(scan.at(index)) || titles.has(scan.at(index)) || kin.has(scan.at(index))) return;
  if (!scan.isCapital(index)) {
    if (scan.isEnglish) findLower(scan, index);
    return;
  }
  if (isEponymUse(scan, index) || isPeople(scan.at(index))) return;
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
  if (!isOrdinary) {
    scan.take(index, words >= 2 && !scan.has(index + 1, Word.common | Word.medical) ? end : index + 1, 'NAME', Sure.guess);
    return;
  }
  if (isGiven && !scan.has(index, Word.medical) && (isSubject(scan, index) || isSpeaker(scan, index))) scan.take(index, index + 1, 'NAME', Sure.guess);
}

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

function countWords(scan: Scan, start: number, end: number): number {
  let words = 0;
  for (let index = start; index < end; index++) if (scan.isWord(index)) words += 1;
  return words;
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
function findUnknown(scan: Scan, index: number): void {
  if (!scan.isEnglish || scan.length(index) < 3) return;
  if (!scan.isCapital(index)) return;
  const shape = scan.tokens.shapes[index];
  const isKnown = (scan.bits[index]! & ~(Word.rare | Word.city)) !== 0;
  if (isKnown || isPeople(scan.at(index)) || isCountryOrState(scan, index) > 0 || isEponymUse(scan, index)) return;
  if (scan.has(index, Word.rare) && scan.beginsSentence(index)) return;
  if (shape === Shape.upper && scan.length(index) < 6 && isLatin(scan.at(index))) return;
  if (shape === Shape.mixed && !/^(?:mc|mac|de|la|le|van|di|du|o|fitz)/.test(scan.at(index))) return;
  if (isJoinedToCode(scan, index)) return;
  const isPlace = /^(?:in|at|to|from|near)$/.test(scan.at(index - 1)) || scan.typeOf(index - 1) === 'GEO';
  scan.take(index, index + 1, isPlace ? 'GEO' : 'NAME', Sure.guess);
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
function findSpelled(scan: Scan, index: number): void {
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
