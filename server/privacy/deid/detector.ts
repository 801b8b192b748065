/**
 * Owns the finding of identifiers in plain text: the rules in their order over one scan. Refuses nothing: any string has an answer. Keeps nothing of a text.
 */
import { findAges } from './ages.ts';
import { findDates } from './dates.ts';
import { loadLexicon } from './lexicon.ts';
import { findNames } from './names.ts';
import { findNetworkAddresses } from './net.ts';
import { findNumbers } from './numbers.ts';
import { findPlaces } from './places.ts';
import { findRecordValues } from './records.ts';
import { Scan } from './scan.ts';
import type { Detector, Span } from './types.ts';

/** How prose is read; all of it may be left out. */
export interface DetectorOptions {
  /** The year in which it is, for ages that follow from a year of birth; default the clock's. */
  readonly year?: number;
}

/** Changes with every rule and list, so that a record of what was removed can say by what. */
export const detectorVersion = '2';

/** Reads the word lists at the first call of a process (some tenths of a second). */
export function createDetector(options: DetectorOptions = {}): Detector {
  const lexicon = loadLexicon();
  return {
    detect(text: string): readonly Span[] {
      const scan = new Scan(text, lexicon, options.year ?? new Date().getFullYear());
      findRecordValues(scan);
      findNetworkAddresses(scan);
      findDates(scan);
      findAges(scan);
      findNumbers(scan);
      findPlaces(scan);
      findNames(scan);
      return scan.spans();
    },
  };
}
