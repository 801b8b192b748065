/** A detector for tests: finds the values of a list, whole words only, and nothing else. */
import type { Category, Detector, Span } from '../../../../server/privacy/deid/types.ts';

export function createListDetector(values: Readonly<Partial<Record<Category, readonly string[]>>>): Detector {
  const entries = Object.entries(values).flatMap(([type, list]) => list.map((value) => ({ type: type as Category, value })));
  // The longest first, so that `John Smith` is not cut to `John`.
  entries.sort((a, b) => b.value.length - a.value.length);
  const isWord = (sign: string | undefined): boolean => sign !== undefined && /[\p{L}\p{N}]/u.test(sign);
  return {
    detect(text) {
      const spans: Span[] = [];
      for (let at = 0; at < text.length; at += 1) {
        if (isWord(text[at - 1])) continue;
        const found = entries.find(({ value }) => text.startsWith(value, at) && !isWord(text[at + value.length]));
        if (found === undefined) continue;
        spans.push({ start: at, end: at + found.value.length, type: found.type });
        at += found.value.length - 1;
      }
      return spans;
    },
  };
}

/** A text of pieces, where those with a category are identifiers, and a detector that knows it. */
export function writeNote(pieces: readonly (string | readonly [Category, string])[]): { readonly text: string; readonly detector: Detector } {
  let text = '';
  const spans: Span[] = [];
  for (const piece of pieces) {
    const [type, value] = typeof piece === 'string' ? [undefined, piece] : piece;
    if (type !== undefined) spans.push({ start: text.length, end: text.length + value.length, type });
    text += value;
  }
  return { text, detector: { detect: (asked) => (asked === text ? spans : []) } };
}
