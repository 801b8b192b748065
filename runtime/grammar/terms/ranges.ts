/**
 * Owns sets of code points: sorted, disjoint, not touching [first, last] pairs in one flat array.
 * Surrogates are in none: text is Unicode scalar values.
 */

/** [first0, last0, first1, last1, ...] */
export type Ranges = readonly number[];

export const lastCodePoint = 0x10ffff;
/** Every scalar value. */
export const anyRanges: Ranges = [0, 0xd7ff, 0xe000, lastCodePoint];

/** Sorted and joined, without surrogates. */
export function toRanges(pairs: readonly (readonly [number, number])[]): Ranges {
  const sorted = pairs.filter(([first, last]) => first <= last).sort((a, b) => a[0] - b[0]);
  const joined: number[] = [];
  for (const [first, last] of sorted) {
    const end = joined.at(-1);
    if (end !== undefined && first <= end + 1) joined[joined.length - 1] = Math.max(end, last);
    else joined.push(first, last);
  }
  return intersect(joined, anyRanges);
}

export function unite(a: Ranges, b: Ranges): Ranges {
  return toRanges([...toPairs(a), ...toPairs(b)]);
}

export function intersect(a: Ranges, b: Ranges): Ranges {
  const found: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const first = Math.max(a[i]!, b[j]!);
    const last = Math.min(a[i + 1]!, b[j + 1]!);
    if (first <= last) found.push(first, last);
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return found;
}

export function complement(ranges: Ranges): Ranges {
  const found: number[] = [];
  let next = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    if (ranges[i]! > next) found.push(next, ranges[i]! - 1);
    next = ranges[i + 1]! + 1;
  }
  if (next <= lastCodePoint) found.push(next, lastCodePoint);
  return intersect(found, anyRanges);
}

export function toPairs(ranges: Ranges): [number, number][] {
  return Array.from({ length: ranges.length / 2 }, (_, i) => [ranges[2 * i]!, ranges[2 * i + 1]!]);
}

export const includes = (ranges: Ranges, point: number): boolean => {
  for (let i = 0; i < ranges.length; i += 2) if (point <= ranges[i + 1]!) return point >= ranges[i]!;
  return false;
};
