/** Owns codes of letters and digits without a label: those with check digits, UUIDs, and long ones. Refuses codes that stand for no person. */
import { isIban, isVin } from './checks.ts';
import { startsCode } from './labels.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import type { Category } from './types.ts';
import { countDigits, isUnit } from './units.ts';

export function withHash(scan: Scan, value: number): number {
  return scan.at(value - 1) === '#' ? value - 1 : value;
}

/** A code runs on over joined letters, digits and hyphens; groups of digits also over single spaces. */
export function endOfCode(scan: Scan, start: number): number {
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

/** Prefixes of codes that stand for no person: trials, papers, genes, diseases, standards. */
export const publicPrefixes: ReadonlySet<string> = new Set(
  'nct pmid pmc doi rs icd cpt hcpcs loinc snomed isbn issn chembl mesh omim grch hg iso en din rfc cve e sars covid cd il hla who ec'.split(' '),
);

/** A code without a label: capitals and at least five digits, or long mixtures of both. */
export function findCode(scan: Scan, index: number): void {
  if (!startsCode(scan, index) || publicPrefixes.has(scan.at(index))) return;
  if (scan.isJoined(index) && (scan.isNumber(index - 1) || /^[-_./@]$/.test(scan.at(index - 1)))) return;
  const end = endOfCode(scan, index);
  if (findChecked(scan, index)) return;
  const digits = countDigits(scan, index, end);
  if (digits >= 12 && /^[a-z]{2}$/.test(scan.at(index)) && scan.isNumber(index + 1)) {
    scan.take(index, end, 'ACCOUNT', Sure.format);
    return;
  }
  if (isLongMix(scan, index)) {
    scan.take(index, end, 'OTHER_ID', Sure.list);
    return;
  }
  const least = scan.at(index - 1) === '#' ? 4 : 5;
  if (digits >= least && (scan.length(index) <= 6 || scan.tokens.shapes[index] === 3) && !isUnit(scan, end))
    scan.take(withHash(scan, index), end, 'OTHER_ID', Sure.list);
}

/** Letters and digits of sixteen characters or more that change at least three times: a token, a hash, an account of some system. */
function isLongMix(scan: Scan, start: number): boolean {
  let [length, end] = [scan.length(start), start + 1];
  while (end < start + 24 && scan.isJoined(end) && (scan.isWord(end) || scan.isNumber(end))) length += scan.length(end++);
  return end - start > 3 && length >= 16;
}

/** A code that its check digits or its form make certain: IBAN (also in groups of four), VIN, the Medicare number (CMS: MBI format). */
export function findChecked(scan: Scan, start: number): boolean {
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
export function findUuids(scan: Scan): void {
  const { text, starts } = scan.tokens;
  if (!/-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-/.test(text)) return;
  let index = 0;
  for (const match of text.matchAll(/(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])/g)) {
    while (index < scan.count && starts[index]! < match.index) index += 1;
    const start = index;
    while (index < scan.count && starts[index]! < match.index + 36) index += 1;
    scan.take(start, index, 'OTHER_ID', Sure.format);
  }
}
