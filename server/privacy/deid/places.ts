/** Owns the order of the rules for geography below a state: addresses, then facilities and cities, then what belongs to a place that was found. */
import { findAddressBlocks } from './blocks.ts';
import { extendPlaces, findCity } from './cities.ts';
import { findFacility } from './facilities.ts';
import type { Scan } from './scan.ts';
import { findStreets, findZip } from './streets.ts';

export function findPlaces(scan: Scan): void {
  findStreets(scan);
  for (let index = 0; index < scan.count; index++) {
    if (!scan.isWord(index)) continue;
    findFacility(scan, index);
    findCity(scan, index);
  }
  extendPlaces(scan);
  findAddressBlocks(scan);
  for (const index of scan.numbers) findZip(scan, index);
}
