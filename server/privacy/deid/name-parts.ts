/** Owns what a name consists of: the words that announce one and that can be part of one, and where a name that begins at a token ends. */
import { given, Word } from './lexicon.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap, Shape } from './tokens.ts';
import { set } from './words.ts';

export const titles: ReadonlySet<string> = set(
  'dr dra mr mrs ms miss mx prof professor doctor doctora nurse rev reverend fr father sister brother chaplain pastor rabbi imam judge officer detective sgt capt captain lt col attorney atty sir madam mister don dona sr sra srta lic coach principal',
);
/** Titles that are words too: they need a capital, and a name of the lists behind them. */
export const weakTitles: ReadonlySet<string> = set(
  'nurse doctor father sister brother sir judge officer coach principal don col fr lic lt miss prof professor chaplain pastor attorney captain',
);
export const kin: ReadonlySet<string> =
  set(`mom mother mum mommy mama dad father daddy papa parent parents sister brother sibling son daughter wife husband spouse partner fiance fiancee girlfriend boyfriend aunt uncle cousin niece nephew grandmother grandfather grandma grandpa nana
  grandson granddaughter grandparent guardian stepmother stepfather stepmom stepdad caregiver friend neighbor neighbour roommate twin baby babe infant girl boy kid child sitter babysitter nanny
  madre padre hermano hermana hijo hija esposa esposo marido mujer abuela abuelo tia tio primo prima sobrino sobrina`);
export const labels: ReadonlySet<string> =
  set(`patient name pt client resident member subject provider physician attending surgeon doctor nurse pcp author signed by dictated transcribed cosigned contact guarantor subscriber insured
  beneficiary spouse consultant referring interpreter caller informant witness requester recipient sender from to cc re attn sincerely regards mother father guardian next-of-kin kin username user poa proxy hcp nok employer
  nombre apellido apellidos paciente medico medica doctor doctora responsable remitido firmado fdo autor autora facultativo enfermera enfermero cirujano`);
export const credentials: ReadonlySet<string> = set(
  'md do rn np pa pac phd dds dmd dpm lcsw msw lpn cna crna aprn fnp arnp bsn msn facs facp pharmd rph pt dpt ot otr slp rd rdn ldn psyd lmft lpc mph mba esq dvm od mbbs frcp facc faap facog dnp cnm ma ccc lmhc rrt cphq emt jd',
);
export const callers: ReadonlySet<string> = set('hi hello hey dear named called name nickname nicknamed alias aka llamado llamada');
export const particles: ReadonlySet<string> = set(
  'de del la las los van von der den ter ten di da du dos das do le el al bin ibn ben abu mac mc st san santa y e zu',
);
const suffixes: ReadonlySet<string> = set('jr sr ii iii iv junior senior phd');
/** Verbs and marks that follow the name of somebody at the beginning of a sentence. */
export const actors: ReadonlySet<string> =
  set(`is was has had have says said states stated reports reported reporting presents presented complains complained denies denied lives lived needs wants called calls came comes went goes returned asks asked told takes took will would
  should can could does did says feels felt appears seems admits admitted arrived verbalized visited began gave given and spent flew bought wrote sent moved works worked`);

/** The end of the name that begins at a token: words with capitals, initials, particles, hyphens and apostrophes, at most six words. */
export function endOfName(scan: Scan, start: number, isFree: boolean): number {
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
  if (!scan.isCapital(index)) return !isFirst && scan.isEnglish && ((isFree && scan.isPlainName(index)) || (scan.isCaseless && isCaselessPart(scan, index)));
  if (scan.length(index) === 1) return !isFirst || scan.at(index + 1) === '.' || isFree;
  if (credentials.has(word) && scan.isUpper(index)) return false;
  if (suffixes.has(word)) return !isFirst;
  if (stops.has(word) && ((isFirst && !isFree) || !isCommonSurname(word))) return false;
  if (scan.has(index, given | Word.surname)) return isFree || isFirst || !scan.has(index, Word.medical) || scan.has(index, given) || !scan.isUpper(index);
  if (scan.has(index, Word.medical | Word.common)) return isFree && isFirst && !scan.has(index, Word.medical) && scan.has(index, Word.surname);
  return !scan.isUpper(index) || scan.length(index) > 3;
}

/** A stop that is a surname of many people too. */
export function isCommonSurname(word: string): boolean {
  return /^(?:white|black|young|day|may|march|lane|english|french)$/.test(word);
}

/** In a text without capitals: an everyday word that is a surname behind a given name, or an initial between two names. */
function isCaselessPart(scan: Scan, index: number): boolean {
  if (!scan.has(index - 1, given)) return false;
  if (scan.length(index) === 1)
    return scan.gap(index + 1) === Gap.space && (scan.isPlainName(index + 1) || (scan.isWord(index + 1) && scan.bits[index + 1] === 0));
  return scan.has(index, Word.surname) && !scan.has(index, Word.medical) && !stops.has(scan.at(index));
}

/** Words with a capital that stand where names stand and are none. */
export const stops: ReadonlySet<string> =
  set(`unknown unavailable none not no yes n na the this that a an and or but if in on at to from for with of by as is was are were has have had he she they it his her their we i you who what when where why how patient pt name mr mrs ms dr md
  male female age dob date mrn address phone room bed unit admission admitted discharge diagnosis history allergies medications plan assessment today yesterday tomorrow monday tuesday wednesday thursday friday saturday sunday january february march april june july august
  september october november december positive negative normal stable alert awake hospital clinic center department emergency ed icu er status signed electronically team service services family seen please can could would should will may do does did there here per see note notes
  home work cell fax email tel ext id ssn license insurance medicare medicaid group member policy yo year old white black hispanic asian doctor nurse physician attending resident primary care provider mother father mom dad sister brother
  gender sex race ethnicity language religion marital single married widowed divorced english spanish also then now since after before during while because although however both all any each every more most some such other another same
  las los el la un una con sin por para fecha edad sexo hombre nhc cp domicilio localidad provincia servicio medico informe historia datos`);

export function takeName(scan: Scan, start: number, end: number, sure: number, certain: Set<string>): void {
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

/** Names in lower case go on while words are names or unknown. */
export function endOfLower(scan: Scan, start: number): number {
  let end = start + 1;
  while (end < start + 4 && scan.isWord(end) && scan.gap(end) === Gap.space && scan.tokens.shapes[end] === Shape.lower && isLowerPart(scan, end)) end += 1;
  return end;
}

function isLowerPart(scan: Scan, index: number): boolean {
  if (scan.length(index) < 2) return false;
  if (scan.bits[index] === 0 || scan.isPlainName(index)) return true;
  return scan.isCaseless && scan.has(index, Word.surname) && !scan.has(index, Word.medical) && scan.has(index - 1, given);
}

export function countWords(scan: Scan, start: number, end: number): number {
  let words = 0;
  for (let index = start; index < end; index++) if (scan.isWord(index)) words += 1;
  return words;
}
