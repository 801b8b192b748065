/**
 * Owns sets of spans: joined, cut and put in order. Refuses to lose a sign of one: where two overlap, one takes the place of both.
 */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** Sorted, without overlaps; the first, or longer, of two that overlap says what they are. */
export function mergeSpans<T extends Range>(spans: readonly T[]): T[] {
  const merged: T[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = merged.at(-1);
    if (last === undefined || span.start >= last.end) merged.push(span);
    else if (span.end > last.end) merged[merged.length - 1] = { ...last, end: span.end };
  }
  return merged;
}

/** Without these ranges; both sorted. */
export function subtractRanges<T extends Range>(spans: readonly T[], ranges: readonly Range[]): T[] {
  const left: T[] = [];
  let first = 0;
  for (const span of spans) {
    while (first < ranges.length && (ranges[first] as Range).end <= span.start) first += 1;
    let start = span.start;
    for (let at = first; at < ranges.length && (ranges[at] as Range).start < span.end; at += 1) {
      const range = ranges[at] as Range;
      if (range.start > start) left.push({ ...span, start, end: range.start });
      start = Math.max(start, range.end);
    }
    if (start < span.end) left.push({ ...span, start });
  }
  return left;
}

/** Without space at either end, and whole surrogate pairs; what is empty then is left out. */
export function trimSpans<T extends Range>(text: string, spans: readonly T[]): T[] {
  return spans.flatMap((span) => {
    let { start, end } = span;
    while (start < end && isSpace(text, start)) start += 1;
    while (end > start && isSpace(text, end - 1)) end -= 1;
    if (start < end && isLow(text, start) && isHigh(text, start - 1)) start -= 1;
    if (start < end && isLow(text, end) && isHigh(text, end - 1)) end += 1;
    return start < end ? [{ ...span, start, end }] : [];
  });
}

function isSpace(text: string, at: number): boolean {
  return text[at]?.trim() === '';
}

function isHigh(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
