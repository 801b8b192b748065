/** Owns groups of digits without letters: telephone and fax numbers, SSN, cards, long numbers. */
import { isLuhn } from './checks.ts';
import { type Label, labelAt } from './labels.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import type { Category } from './types.ts';
import { isUnit } from './units.ts';

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
    // `555-0142 2) ...`: the number of the next item of a list.
    if (at > start && gap === Gap.space && !open && scan.at(at + 1) === ')' && scan.isJoined(at + 1)) break;
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
  return { shape: closeUp(shape.replace(/[-._/(+]+$/, '')), digits, end };
}

/** OCR sets spaces between single digits: `6 1 7 - 5 5 5 - 0 1 4 2` has the shape `3-3-4`. */
function closeUp(shape: string): string {
  if (!/^1(?:_1)+_?[-.(]|^\(_?1(?:_1)+/.test(shape) || /[02-9]/.test(shape)) return shape;
  return shape.replace(/1(?:_1)*/g, (digits) => String((digits.length + 1) / 2)).replaceAll('_', '');
}

const nanp = /^(?:\+?1[-._]?)?(?:\(3\)[-._]?|3[-._])3[-._]4$|^(?:001[-._])?3[-._]3[-._]4$|^3[-_]4$|^4[-_]4$/;

export function findGroups(scan: Scan, start: number): void {
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
  if (digits.length >= 6 && digits.length <= 15 && hasLabelBehind(scan, end)) {
    takePhone(scan, start, end, scan.at(end + 1) === 'fax' ? 'FAX' : 'PHONE');
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

/** `9885 1152-Office`, `555-0142 (cell)`: the label stands behind. */
function hasLabelBehind(scan: Scan, end: number): boolean {
  return (
    /^[-(]$/.test(scan.at(end)) && scan.isJoined(end + 1) && /^(?:office|home|mobile|cell|fax|work|phone|tel|desk|direct|main|pager)$/.test(scan.at(end + 1))
  );
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
    if (type === 'PHONE' || type === 'FAX' || (scan.at(at) === 'at' && !hasStreetBehind(scan, index))) return true;
  }
  return false;
}

/** `at 7943 2027 Prospect St`: house numbers of an address. */
function hasStreetBehind(scan: Scan, index: number): boolean {
  let at = index;
  while (scan.isNumber(at) || scan.at(at) === '-') at += 1;
  return scan.isCapital(at) && scan.gap(at) === Gap.space;
}

function isFaxBefore(scan: Scan, index: number): boolean {
  for (let at = index - 1; at >= Math.max(0, index - 4) && scan.gap(at + 1) <= Gap.space; at--) if (labelAt(scan, at)?.type === 'FAX') return true;
  return false;
}

/** After a label of a telephone seven digits in any grouping are a number. */
export function findLabelledPhone(scan: Scan, label: Label): void {
  let at = label.end;
  while (at < label.end + 6 && at < scan.count && scan.gap(at) <= Gap.line && !scan.isNumber(at) && scan.at(at) !== '+' && scan.at(at) !== '(') {
    if (scan.isWord(at) && !/^(?:no|number|num|is|was|at|him|her|them|me|us|back|to|on|the|my|his|n|and|or|a)$/.test(scan.at(at))) return;
    at += 1;
  }
  const { digits, end, shape } = readGroups(scan, at);
  const isShort = label.word === 'ext' || label.word === 'extension' || label.word === 'x' || label.word === 'pager';
  if (isShort && scan.length(at) > 2) {
    scan.take(at, at + 1, label.type, Sure.format);
    return;
  }
  const least = isShort ? 3 : 7;
  if (digits.length >= least && digits.length <= 16 && !/^4[-/]/.test(shape) && (!isUnit(scan, end) || scan.at(end) === 'x'))
    takePhone(scan, at, end, label.type);
}
