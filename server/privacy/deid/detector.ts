/**
 * Owns the finding of identifiers in plain text: the rules in their order over one scan. Refuses nothing: any string has an answer. Keeps nothing of a text.
 */
import { withoutPossessive } from './actions/name.ts';
import { findAges } from './ages.ts';
import { findDates } from './dates.ts';
import { loadLexicon } from './lexicon.ts';
import { findNames } from './names.ts';
import { findNetworkAddresses } from './net.ts';
import { findNumbers } from './numbers.ts';
import { findPlaces } from './places.ts';
import { findRecordValues } from './records.ts';
import { Scan } from './scan.ts';
import { mergeSpans } from './spans.ts';
import { putTags, tokenize } from './tokens.ts';
import type { Detector, Span } from './types.ts';

/** How prose is read; all of it may be left out. */
export interface DetectorOptions {
  /** The year in which it is, for ages that follow from a year of birth; default the clock's. */
  readonly year?: number;
}

/** Changes with every rule and list, so that a record of what was removed can say by what. */
export const detectorVersion = '3';

/** Reads the word lists at the first call of a process (some tenths of a second). */
export function createDetector(options: DetectorOptions = {}): Detector {
  const lexicon = loadLexicon();
  return {
    detect(text: string): readonly Span[] {
      const year = options.year ?? new Date().getFullYear();
      let tokens = tokenize(text, lexicon);
      const found: Span[] = [];
      for (let reading = 0; reading < mostReadings; reading++) {
        const scan = new Scan(tokens, lexicon, year);
        read(scan);
        const spans = scan.spans();
        if (spans.length === 0) break;
        found.push(...spans);
        tokens = putTags(
          tokens,
          spans.map((span) => withoutPossessive(text, span)),
        );
      }
      return mergeSpans(found);
    },
  };
}

/**
 * What is left of a text is read again as its reader will see it, with tags, until nothing is found: only then is it of nobody. The second reading seldom
 * finds anything, the third hardly ever.
 */
const mostReadings = 4;

function read(scan: Scan): void {
  findRecordValues(scan);
  findNetworkAddresses(scan);
  findDates(scan);
  findAges(scan);
  findNumbers(scan);
  findPlaces(scan);
  findNames(scan);
}
