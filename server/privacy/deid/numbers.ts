/**
 * Owns numbers that belong to one person or thing: telephone, fax, SSN, record, plan, account, licence, vehicle and device numbers, cards and other codes. A
 * number is known by its label, its shape or its check digits. Refuses what clinical text is full of: doses, results, scores, codes of diseases and trials.
 */
import { isIban, isLuhn, isVin } from './checks.ts';
import { type Label, labelAt, startsCode, valueAfter } from './labels.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import type { Category } from './types.ts';

export function findNumbers(scan: Scan): void {
  findUuids(scan);
  /** No label begins inside of another. */
  let labelled = 0;
  for (let index = 0; index < scan.count; index++) {
    if (scan.isWord(index)) {
      const label = index < labelled ? undefined : labelAt(scan, index);
      if (label !== undefined) {
        findLabelled(scan, index, label);
        labelled = label.end;
      }
      findCode(scan, index);
    } else if (scan.isNumber(index) && scan.isWord(index + 1) && scan.isJoined(index + 1) && !scan.isJoined(index) && findChecked(scan, index)) {
      // A code that begins with a digit.
    } else if (scan.isNumber(index) || scan.at(index) === '+' || scan.at(index) === '(') {
      const before = scan.at(index - 1);
      if (scan.isJoined(index) && scan.isNumber(index) && /^[+(]$/.test(before)) continue;
      if (scan.isJoined(index) && publicPrefixes.has(before)) continue;
      // Inside of a run that was read from its beginning.
      if (scan.isJoined(index) && scan.isJoined(index - 1) && before === '-' && scan.isNumber(index - 2)) continue;
      findGroups(scan, index);
    }
  }
}

/** Labels after which a number of fewer than four digits is no identifier, and those that are ordinary words too. */
const weak: ReadonlySet<string> = new Set(
  'id plan record records chart social group coverage claim card plan medicare medicaid case order visit reference ref subject participant ticket pin call text contact reach desk office device implant photo picture lot employee registration certificate certification license licence col insurance policy member account employee x ss mr mac sn historia foto acc h s a n tarjeta ins hp'.split(
    ' ',
  ),
);

function findLabelled(scan: Scan, index: number, label: Label): void {
  if (label.type === 'PHONE' || label.type === 'FAX') {
    findLabelledPhone(scan, label);
    return;
  }
  const value = valueAfter(scan, label.end);
  if (value === undefined) return;
  const end = endOfCode(scan, value);
  const digits = countDigits(scan, value, end);
  const isShort = digits < (weak.has(label.word) ? 4 : label.word.length > 2 ? 3 : 4);
  if (isShort || isQuantity(scan, value, end)) return;
  // `MRN 123` and `MRN123` are one identifier; after a colon the label is a heading.
  const isOne = /^(?:mrn|fin)$/.test(scan.at(index)) && value === label.end && scan.gap(value) <= Gap.space;
  const start = isOne ? index : withHash(scan, value);
  scan.take(start, end, label.type, Sure.format);
}

function withHash(scan: Scan, value: number): number {
  return scan.at(value - 1) === '#' ? value - 1 : value;
}

/** A code runs on over joined letters, digits and hyphens; groups of digits also over single spaces. */
function endOfCode(scan: Scan, start: number): number {
  let end = start + 1;
  while (end < scan.count && end < start + 24) {
    const isPart = scan.isWord(end) || scan.isNumber(end);
    if (
      scan.isJoined(end)
        ? isPart || joinsCode(scan, end)
        : scan.isNumber(end) && scan.isNumber(end - 1) && scan.gap(end) === Gap.space && !isUnit(scan, end + 1)
    )
      end += 1;
    else break;
  }
  return end;
}

/** A mark inside of a code; one at its end is punctuation. A hyphen may stand at the end of a line. */
function joinsCode(scan: Scan, index: number): boolean {
  if (!/^[-/_.*]$/.test(scan.at(index))) return false;
  const next = index + 1;
  return (scan.isWord(next) || scan.isNumber(next)) && (scan.isJoined(next) || (scan.at(index) === '-' && scan.gap(next) === Gap.line && scan.isNumber(next)));
}

function countDigits(scan: Scan, start: number, end: number): number {
  let digits = 0;
  for (let index = start; index < end; index++) if (scan.isNumber(index)) digits += scan.length(index);
  return digits;
}

const units: ReadonlySet<string> = new Set(
  'mg mcg g kg ml l dl mmhg mmol meq iu units unit u % cm mm m bpm lbs lb oz hours hour hrs hr h days day weeks week months month years year yo y minutes min mins times x tablets tabs tab capsules ng pg mcl patients cases people f c fps'.split(
    ' ',
  ),
);

function isUnit(scan: Scan, index: number): boolean {
  return units.has(scan.at(index));
}

/** A number with a unit, a decimal or a percentage. */
function isQuantity(scan: Scan, start: number, end: number): boolean {
  if (isUnit(scan, end) && scan.gap(end) <= Gap.space) return true;
  return end - start === 3 && scan.at(start + 1) === '.' && scan.length(start + 2) <= 2;
}

/** Prefixes of codes that stand for no person: trials, papers, genes, diseases, standards. */
const publicPrefixes: ReadonlySet<string> = new Set(
  'nct pmid pmc doi rs icd cpt hcpcs loinc snomed isbn issn chembl mesh omim grch hg iso en din rfc cve e sars covid cd il hla who ec'.split(' '),
);

/** A code without a label: capitals and at least five digits, or long mixtures of both. */
function findCode(scan: Scan, index: number): void {
  if (scan.isJoined(index) && (scan.isNumber(index - 1) || /^[-_./@]$/.test(scan.at(index - 1)))) return;
  if (publicPrefixes.has(scan.at(index)) || !startsCode(scan, index)) return;
  const end = endOfCode(scan, index);
  if (findChecked(scan, index)) return;
  const digits = countDigits(scan, index, end);
  if (digits >= 12 && /^[a-z]{2}$/.test(scan.at(index)) && scan.isNumber(index + 1)) {
    scan.take(index, end, 'ACCOUNT', Sure.format);
    return;
  }
  const least = scan.at(index - 1) === '#' ? 4 : 5;
  if (digits >= least && (scan.length(index) <= 6 || scan.tokens.shapes[index] === 3) && !isUnit(scan, end))
    scan.take(withHash(scan, index), end, 'OTHER_ID', Sure.list);
}

/** A code that its check digits or its form make certain: IBAN (also in groups of four), VIN, the Medicare number (CMS: MBI format). */
function findChecked(scan: Scan, start: number): boolean {
  let code = '';
  let [end, type] = [0, undefined as Category | undefined];
  for (let at = start; at < start + 24 && at < scan.count && code.length < 36; at++) {
    if (at > start && scan.gap(at) > Gap.space) break;
    if (scan.isWord(at) || scan.isNumber(at)) code += scan.at(at);
    else if (scan.at(at) !== '-') break;
    if (code.length >= 15 && isIban(code)) [end, type] = [at + 1, 'ACCOUNT'];
    else if (code.length === 17 && isVin(code) && !hasSpace(scan, start, at)) [end, type] = [at + 1, 'VEHICLE'];
    else if (code.length === 11 && /^[1-9][a-z][a-z0-9]\d[a-z][a-z0-9]\d[a-z]{2}\d{2}$/.test(code) && !hasSpace(scan, start, at))
      [end, type] = [at + 1, 'HEALTH_PLAN'];
  }
  if (type === undefined) return false;
  scan.take(start, end, type, Sure.format);
  return true;
}

function hasSpace(scan: Scan, start: number, last: number): boolean {
  for (let at = start + 1; at <= last; at++) if (!scan.isJoined(at)) return true;
  return false;
}

/** 8-4-4-4-12 hexadecimal digits (RFC 9562), which the tokens cut at every change between letters and digits. */
function findUuids(scan: Scan): void {
  const { text, starts } = scan.tokens;
  let index = 0;
  for (const match of text.matchAll(/(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])/g)) {
    while (index < scan.count && starts[index]! < match.index) index += 1;
    const start = index;
    while (index < scan.count && starts[index]! < match.index + 36) index += 1;
    scan.take(start, index, 'OTHER_ID', Sure.format);
  }
}

interface Groups {
  /** Digits of each group with what stands between: `3-3-4`, `(3)_3-4`. */
  readonly shape: string;
  readonly digits: string;
  readonly end: number;
}

/** Groups of digits from a token on, with single separators; at most 16 tokens. */
function readGroups(scan: Scan, start: number): Groups {
  let [shape, digits, end] = ['', '', start];
  let open = false;
  for (let at = start; at < start + 20 && at < scan.count; at++) {
    const gap = scan.gap(at);
    const token = scan.at(at);
    if (at > start && (gap > Gap.line || (gap === Gap.line && !shape.endsWith('-')))) break;
    if (at > start && gap === Gap.space && !scan.isNumber(at) && !/^[(+-]$/.test(token)) break;
    const between = at > start && gap === Gap.space ? '_' : '';
    if (scan.isNumber(at)) {
      shape += between + String(token.length);
      digits += token;
      end = at + 1;
      continue;
    }
    if (!/^[-.()+/]$/.test(token) || digits.length > 19) break;
    if (token === ')' && !open) break;
    if (token === '(') open = true;
    shape += between + token;
    if (token === ')') {
      open = false;
      end = at + 1;
    }
  }
  return { shape: shape.replace(/[-._/(+]+$/, ''), digits, end };
}

const nanp = /^(?:\+?1[-._]?)?(?:\(3\)[-._]?|3[-._])3[-._]4$|^(?:001[-._])?3[-._]3[-._]4$|^3[-_]4$|^4[-_]4$/;

function findGroups(scan: Scan, start: number): void {
  const { shape, digits, end } = readGroups(scan, start);
  if (digits.length < 5) return;
  if (isUnit(scan, end) && !(scan.at(end) === 'x' && scan.isJoined(end + 1))) return;
  if (shape === '3-2-4' || shape === '3_2_4') {
    scan.take(start, end, 'SSN', Sure.format);
    return;
  }
  const shapeOfCall = shape.replace(/^(\+?)1(?=[-._(])/, '$11').replace(/^3([-._])(?=3[-._]3[-._]4)/, digits.startsWith('001') ? '001$1' : '3$1');
  if (isPhoneShape(shapeOfCall, digits) && !(/^[34][-_]4$/.test(shape) && !hasLabel(scan, start))) {
    takePhone(scan, start, end, isFaxBefore(scan, start) ? 'FAX' : 'PHONE');
    return;
  }
  if (/^[6-9]/.test(digits) && shape === '3_3_3') {
    takePhone(scan, start, end, 'PHONE');
    return;
  }
  const isPlain = /^[\d_-]+$/.test(shape);
  if (isPlain && digits.length >= 13 && digits.length <= 19 && isLuhn(digits)) {
    scan.take(start, end, 'ACCOUNT', Sure.format);
    return;
  }
  if (/^\d+$/.test(shape) && digits.length >= 7) scan.take(start, end, digits.length >= 12 ? 'ACCOUNT' : 'OTHER_ID', Sure.list);
  else if (/^[1-9](?:-\d)+$/.test(shape) && digits.length >= 8) scan.take(start, end, 'OTHER_ID', Sure.list);
}

function isPhoneShape(shape: string, digits: string): boolean {
  if (nanp.test(shape)) return true;
  if (digits.length < 7 || digits.length > 15) return false;
  if (shape.startsWith('+')) return true;
  const groups = shape.split(/[-._()/]+/).filter((group) => group !== '').length;
  const decimal = /\d\.\d/.test(shape) && /_/.test(shape);
  return groups >= 2 && groups <= 6 && !decimal && !shape.includes('/') && (digits.startsWith('0') || shape.startsWith('(')) && digits.length >= 8;
}

/** With an extension: `x129`, `ext. 129`. */
function takePhone(scan: Scan, start: number, end: number, type: Category): void {
  let last = end;
  let at = end;
  if (/^(?:x|ext|extension|extn)$/.test(scan.at(at)) && scan.gap(at) <= Gap.space) {
    at += 1;
    if (/^[.:#]$/.test(scan.at(at))) at += 1;
    if (scan.isNumber(at)) last = at + 1;
  }
  scan.take(start, last, type, Sure.format);
}

function hasLabel(scan: Scan, index: number): boolean {
  for (let at = index - 1; at >= Math.max(0, index - 5) && scan.gap(at + 1) <= Gap.line; at--) {
    const type = labelAt(scan, at)?.type;
    if (type === 'PHONE' || type === 'FAX' || scan.at(at) === 'at') return true;
  }
  return false;
}

function isFaxBefore(scan: Scan, index: number): boolean {
  for (let at = index - 1; at >= Math.max(0, index - 4) && scan.gap(at + 1) <= Gap.space; at--) if (labelAt(scan, at)?.type === 'FAX') return true;
  return false;
}

/** After a label of a telephone seven digits in any grouping are a number. */
function findLabelledPhone(scan: Scan, label: Label): void {
  let at = label.end;
  while (at < label.end + 6 && at < scan.count && scan.gap(at) <= Gap.line && !scan.isNumber(at) && scan.at(at) !== '+' && scan.at(at) !== '(') {
    if (scan.isWord(at) && !/^(?:no|number|num|is|was|at|him|her|them|me|us|back|to|on|the|my|his|n|and|or|a)$/.test(scan.at(at))) return;
    at += 1;
  }
  const { digits, end, shape } = readGroups(scan, at);
  const least = label.word === 'ext' || label.word === 'extension' || label.word === 'x' || label.word === 'pager' ? 3 : 7;
  if (digits.length >= least && digits.length <= 16 && !/^4[-/]/.test(shape) && (!isUnit(scan, end) || scan.at(end) === 'x'))
    takePhone(scan, at, end, label.type);
}
