/** Owns what makes a number a quantity, and how many digits stand in a place. */
import type { Scan } from './scan.ts';

const units: ReadonlySet<string> = new Set(
  'mg mcg g kg ml l dl mmhg mmol meq iu units unit u % cm mm m bpm lbs lb oz hours hour hrs hr h days day weeks week months month years year yo y minutes min mins times x tablets tabs tab capsules ng pg mcl patients cases people f c fps'.split(
    ' ',
  ),
);

export function isUnit(scan: Scan, index: number): boolean {
  return units.has(scan.at(index));
}

export function countDigits(scan: Scan, start: number, end: number): number {
  let digits = 0;
  for (let index = start; index < end; index++) if (scan.isNumber(index)) digits += scan.length(index);
  return digits;
}
