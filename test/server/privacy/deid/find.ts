/** Owns how tests of the detector write what was found: `NAME:John Smith`, in order. The year is fixed. */
import { createDetector } from '../../../../server/privacy/deid/detector.ts';

const detector = createDetector({ year: 2026 });

export function find(text: string): string[] {
  return detector.detect(text).map(({ start, end, type }) => `${type}:${text.slice(start, end)}`);
}

/** Only what was found of one category. */
export function findType(text: string, type: string): string[] {
  return find(text)
    .filter((found) => found.startsWith(`${type}:`))
    .map((found) => found.slice(type.length + 1));
}
