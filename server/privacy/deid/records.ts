/**
 * Owns values of machine-made records inside of other text, by the key before them (`"family": "Roe"`, `"line": ["12 Elm St"]`): JSON in a prompt need not be
 * whole for that. Leaves every key that is not listed to the other rules.
 */
import { type Scan, Sure } from './scan.ts';
import type { Category } from './types.ts';
import { categoryByWord, recordKeys } from './words.ts';

const keys = categoryByWord(recordKeys, {
  NAME: 'family given nickname',
  GEO: 'line district address1 address2 latitude longitude birthplace',
  DATE: 'deceaseddatetime deceaseddate',
});
/** Most tokens of one value, and most from a name of an extension to its value. */
const longest = 24;

export function findRecordValues(scan: Scan): void {
  for (let index = 0; index + 2 < scan.count; index++) {
    if (!scan.isWord(index) || scan.at(index + 1) !== '"') continue;
    const type = keys.get(scan.at(index));
    if (type !== undefined && scan.at(index - 1) === '"' && scan.at(index + 2) === ':') takeValue(scan, index + 3, type);
    else if (scan.at(index) === 'mothersmaidenname' || scan.at(index) === 'latitude' || scan.at(index) === 'longitude')
      findExtension(scan, index, scan.at(index) === 'mothersmaidenname' ? 'NAME' : 'GEO');
  }
}

/** `"url": ".../patient-mothersMaidenName", "valueString": "..."`. */
function findExtension(scan: Scan, index: number, type: Category): void {
  for (let at = index + 1; at < index + 8; at++) if (/^value[a-z]+$/.test(scan.at(at)) && scan.at(at + 2) === ':') takeValue(scan, at + 3, type);
}

/** A string, a number or a list of strings: what stands between the quotes is one find. */
function takeValue(scan: Scan, start: number, type: Category): void {
  if (scan.at(start) === '[') {
    for (let at = start + 1; scan.at(at) === '"' && at < start + 8 * longest; ) {
      at = takeString(scan, at, type);
      if (scan.at(at) === ',') at += 1;
    }
  } else if (scan.at(start) === '"') takeString(scan, start, type);
  else {
    let end = start;
    while (end < start + 4 && (scan.isNumber(end) || (/^[-.]$/.test(scan.at(end)) && scan.isNumber(end + 1)))) end += 1;
    if (end > start) scan.take(start, end, type, Sure.format);
  }
}

/** The token behind the closing quote. */
function takeString(scan: Scan, quote: number, type: Category): number {
  let end = quote + 1;
  while (end < scan.count && end < quote + longest && scan.at(end) !== '"') end += 1;
  if (scan.at(end) === '"' && end > quote + 1) scan.take(quote + 1, end, type, Sure.format);
  return end + 1;
}
