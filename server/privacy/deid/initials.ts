/**
 * Owns initials of people whose names are certain in the text: `J.S.`, `J. S.`, and `JS` where only somebody can stand. Refuses letters that stand for a
 * degree, a time of day or a state.
 */
import { Word } from './lexicon.ts';
import { actors, credentials, particles, titles } from './name-parts.ts';
import { stateLength } from './regions.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';

export function findInitials(scan: Scan): void {
  const known = collectInitials(scan);
  if (known.size === 0) return;
  for (let index = 0; index < scan.count; index++) {
    if (!scan.isCapital(index) || scan.isTaken(index) || scan.length(index) > 3) continue;
    const end = scan.length(index) === 1 ? endOfDotted(scan, index, known) : isAlone(scan, index, known) ? index + 1 : 0;
    if (end > 0) scan.take(index, end, 'NAME', Sure.list);
  }
}

/** Of each name of two words and more, all of its initials, and the first with the last. */
function collectInitials(scan: Scan): ReadonlySet<string> {
  const known = new Set<string>();
  for (let index = 0; index < scan.count; index++) {
    if (scan.typeOf(index) !== 'NAME' || scan.sureness(index) < Sure.list || !scan.isWord(index)) continue;
    let [first, last] = ['', ''];
    // Behind a comma stand the given names, which come first.
    let hasComma = false;
    for (; scan.typeOf(index) === 'NAME' && (scan.gap(index) <= Gap.space || first + last === ''); index++) {
      const word = scan.at(index);
      if (word === ',') hasComma = true;
      else if (scan.isCapital(index) && !titles.has(word) && !credentials.has(word) && !particles.has(word)) {
        if (hasComma) first += word.slice(0, 1);
        else last += word.slice(0, 1);
      }
    }
    const letters = first + last;
    if (letters.length < 2) continue;
    known.add(letters);
    known.add(letters.slice(0, 1) + letters.slice(-1));
  }
  return known;
}

/** Behind the last letter and its full stop; 0 where they are nobody's. */
function endOfDotted(scan: Scan, start: number, known: ReadonlySet<string>): number {
  let [letters, dots, end] = ['', 0, start];
  for (let at = start; letters.length < 4 && scan.isCapital(at) && scan.length(at) === 1 && (at === start || scan.gap(at) <= Gap.space); at = end) {
    letters += scan.at(at);
    const hasDot = scan.at(at + 1) === '.' && scan.isJoined(at + 1);
    end = hasDot ? at + 2 : at + 1;
    if (!hasDot) break;
    dots += 1;
  }
  const isTime = /^[ap]m$/.test(letters) && scan.isNumber(start - 1);
  return dots > 0 && letters.length > 1 && known.has(letters) && !isTime && !credentials.has(letters) ? end : 0;
}

/** Capitals that are no abbreviation of anything, and do what only somebody does. */
function isAlone(scan: Scan, index: number, known: ReadonlySet<string>): boolean {
  if (!scan.isUpper(index) || !known.has(scan.at(index))) return false;
  if (scan.has(index, Word.common | Word.english | Word.medical | Word.rare) || credentials.has(scan.at(index)) || stateLength(scan, index) > 0) return false;
  const next = scan.at(index + 1);
  return actors.has(next) || (next === "'" && scan.at(index + 2) === 's');
}
