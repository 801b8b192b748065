/**
 * Owns numbers that belong to one person or thing: telephone, fax, SSN, record, plan, account, licence, vehicle and device numbers, cards and other codes. A
 * number is known by its label, its shape or its check digits. Refuses what clinical text is full of: doses, results, scores, codes of diseases and trials.
 */
import { endOfCode, findChecked, findCode, findUuids, publicPrefixes, withHash } from './codes.ts';
import { type Label, labelAt, valueAfter } from './labels.ts';
import { findGroups, findLabelledPhone } from './phones.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import { countDigits, isUnit } from './units.ts';

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
  // `Date of visit: 2024`: of what has a date, a year may be told.
  if (/^(?:visit|plan)$/.test(label.word) && end === value + 1 && /^(?:19|20)\d\d$/.test(scan.at(value))) return;
  // `MRN 123` and `MRN123` are one identifier; after a colon the label is a heading.
  const isOne = /^(?:mrn|fin)$/.test(scan.at(index)) && value === label.end && scan.gap(value) <= Gap.space;
  const start = isOne ? index : withHash(scan, value);
  // The rest of a number that was too long for its line, alone on the next one.
  const goesOn = scan.isNumber(end - 1) && scan.isNumber(end) && scan.gap(end) === Gap.line && scan.gap(end + 1) >= Gap.line;
  scan.take(start, goesOn ? end + 1 : end, label.type, Sure.format);
}

/** A number with a unit, a decimal or a percentage. */
function isQuantity(scan: Scan, start: number, end: number): boolean {
  if (isUnit(scan, end) && scan.gap(end) <= Gap.space) return true;
  return end - start === 3 && scan.at(start + 1) === '.' && scan.length(start + 2) <= 2;
}
