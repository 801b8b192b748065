/**
 * Owns the named sets of regular expressions, as ECMA-262 defines them for the flag u.
 * Refuses names of Unicode properties that the running JavaScript does not know.
 */
import { anyRanges, complement, includes, lastCodePoint, type Ranges, toRanges } from '../terms/ranges.ts';
import type { Terms } from '../terms/terms.ts';

const digits: Ranges = [0x30, 0x39];
export const wordCharacters: Ranges = toRanges([[0x30, 0x39], [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]]); // biome-ignore format: one line
// WhiteSpace and LineTerminator; U+FEFF and the category Space_Separator among them.
const spaces: Ranges = toRanges([[0x09, 0x0d], [0x20, 0x20], [0xa0, 0xa0], [0x1680, 0x1680], [0x2000, 0x200a], [0x2028, 0x2029], [0x202f, 0x202f], [0x205f, 0x205f], [0x3000, 0x3000], [0xfeff, 0xfeff]]); // biome-ignore format: one line
const lineEnds: Ranges = toRanges([[0x0a, 0x0a], [0x0d, 0x0d], [0x2028, 0x2029]]); // biome-ignore format: one line
/** What a point stands for. */
export const notLineEnds: Ranges = complement(lineEnds);

/** The set that \d, \w, \s or the opposite of one stands for; undefined for other letters. */
export function findClass(letter: string): Ranges | undefined {
  const found = { d: digits, w: wordCharacters, s: spaces }[letter.toLowerCase()];
  return found === undefined || letter === letter.toLowerCase() ? found : complement(found);
}

/** The set that \p{name} stands for; undefined where there is none of that name. Throws grammar_too_large. */
export function findProperty({ properties, budget }: Terms, name: string): Ranges | undefined {
  if (!/^[\w=]{1,64}$/.test(name)) return undefined;
  const known = properties.get(name);
  if (known !== undefined) return known;
  const expression = parseProperty(name);
  if (expression === undefined) return undefined;
  budget.spend('Unicode properties');
  const ranges = listMatches(expression);
  properties.set(name, ranges);
  return ranges;
}

function parseProperty(name: string): RegExp | undefined {
  try {
    return new RegExp(`^\\p{${name}}$`, 'u');
  } catch {
    return undefined;
  }
}

function listMatches(expression: RegExp): Ranges {
  const pairs: [number, number][] = [];
  for (let point = 0; point <= lastCodePoint; point++) {
    if (!includes(anyRanges, point) || !expression.test(String.fromCodePoint(point))) continue;
    const last = pairs.at(-1);
    if (last?.[1] === point - 1) last[1] = point;
    else pairs.push([point, point]);
  }
  return toRanges(pairs);
}
