/**
 * Owns the search of a whole text: fields of messages by their standards, everything else by the detector, and the values of fields
 * wherever they stand again. Refuses tags as identifiers: they are what is left of one.
 */
import { withoutPossessive } from './actions/name.ts';
import { findTags, withoutTags } from './categories.ts';
import { mergeSpans, subtractRanges, trimSpans } from './spans.ts';
import type { Document, Field } from './structured/document.ts';
import { findDocuments } from './structured/find.ts';
import { findCodes } from './structured/kinds.ts';
import { findKnown } from './structured/known.ts';
import { View } from './structured/view.ts';
import type { Detector, Span } from './types.ts';

/** A span, and how its value stands in its message. */
export type FoundSpan = Field & Span;

/** Sorted, without overlaps. */
export function findIdentifiers(text: string, detector: Detector): FoundSpan[] {
  const documents = findDocuments(text);
  const found = documents.length === 0 ? detector.detect(text) : findInProse(text, documents, detector);
  const all = mergeSpans<FoundSpan>([...found, ...documents.flatMap(({ fields }) => fields)]);
  return subtractRanges(trimSpans(text, all), findTags(text)).flatMap((span) => {
    // What is left beside a tag may be a space or a comma.
    return /[\p{L}\p{N}]/u.test(text.slice(span.start, span.end)) ? [withoutPossessive(text, span)] : [];
  });
}

function findInProse(text: string, documents: readonly Document[], detector: Detector): Span[] {
  const view = new View(text, documents);
  const prose = view.text;
  const values = documents.flatMap(({ fields }) => fields.map(({ start, end, type }) => ({ type, value: withoutTags(text.slice(start, end)) })));
  const spans = view.toSource(mergeSpans([...detector.detect(prose), ...findKnown(prose, values)]));
  const codes = view.toSource(findCodes(prose).map((range) => ({ ...range, type: 'OTHER_ID' as const })));
  return [...spans, ...keepInside(codes, documents)];
}

/** Words around a message may be in capitals for a reason. */
function keepInside(spans: readonly Span[], documents: readonly Document[]): Span[] {
  let at = 0;
  return spans.filter(({ start }) => {
    while (at < documents.length && (documents[at] as Document).end <= start) at += 1;
    return at < documents.length && (documents[at] as Document).start <= start;
  });
}
