/**
 * Owns the prose of a JSON string: its escapes as the signs that they stand for, its key as words. Refuses to check the syntax.
 */
import type { Prose, Run } from './document.ts';

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

/** From behind the opening quote to before the closing one. */
export function proseOf(text: string, start: number, end: number, key: string, isMarkup = false): Prose {
  return { label: toWords(key), runs: decodeRuns(text, start, end), isMarkup };
}

function decodeRuns(text: string, start: number, end: number): Run[] {
  const runs: Run[] = [];
  let from = start;
  // Only within the string: beyond its end the next escape may be far.
  for (const { index, 0: escaped } of text.slice(start, end).matchAll(/\\(?:u[0-9a-f]{4}|[\s\S])/gi)) {
    const at = start + index;
    if (at > from) runs.push({ start: from, end: at });
    from = at + escaped.length;
    runs.push({ start: at, end: from, meaning: meaningOf(escaped) });
  }
  if (end > from) runs.push({ start: from, end });
  return runs;
}

function meaningOf(escaped: string): string {
  if (escaped.length === 6) return String.fromCharCode(Number.parseInt(escaped.slice(2), 16));
  return escapes[escaped.slice(1)] ?? escaped.slice(1);
}

/** `dateOfBirth` and `date_of_birth`: date of birth. */
export function toWords(key: string): string {
  return key
    .slice(0, 80)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_\-.\\]+/g, ' ');
}
