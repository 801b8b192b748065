/**
 * Owns how the finds of a detector are judged beside annotated spans. An identifier is removed only if none of its characters but white space survives; a
 * find that touches no annotated span is a false positive; spans marked `none` count neither for nor against.
 */
import type { Category, Span } from '../../server/privacy/deid/types.ts';

export interface Annotated {
  readonly start: number;
  readonly end: number;
  readonly type: Category | 'none';
}

export interface Example {
  readonly id: string;
  readonly text: string;
  readonly spans: readonly Annotated[];
  /** Words that look like names and are none. */
  readonly decoys: readonly string[];
  /** Examples of one template are near-copies. */
  readonly template: string | undefined;
}

export interface Tally {
  identifiers: number;
  removed: number;
  /** Removed with the category of the annotation. */
  typed: number;
}

export interface Score {
  readonly texts: number;
  readonly byType: ReadonlyMap<string, Tally>;
  readonly total: Tally;
  readonly truePositives: number;
  readonly falsePositives: number;
  /** Texts with identifiers of which at least one survives in part, and texts without identifiers in which something was taken. */
  readonly leaking: number;
  readonly holding: number;
  readonly touchedEmpty: number;
  readonly empty: number;
  readonly decoys: number;
  readonly decoysTaken: readonly string[];
}

export interface Judged {
  readonly survived: readonly Annotated[];
  readonly extra: readonly Span[];
}

export function judge(example: Example, found: readonly Span[]): Judged {
  return {
    survived: example.spans.filter((span) => span.type !== 'none' && !isCovered(example.text, span, found)),
    extra: found.filter((span) => !example.spans.some((known) => known.start < span.end && span.start < known.end)),
  };
}

function isCovered(text: string, { start, end }: Annotated, found: readonly Span[]): boolean {
  let at = start;
  while (at < end) {
    const cover = found.find((span) => span.start <= at && at < span.end);
    if (cover !== undefined) at = cover.end;
    else if (/\s/.test(text[at]!)) at += 1;
    else return false;
  }
  return true;
}

export function scoreSet(examples: readonly Example[], detect: (text: string) => readonly Span[]): Score {
  const byType = new Map<string, Tally>();
  const total: Tally = { identifiers: 0, removed: 0, typed: 0 };
  let [truePositives, falsePositives, leaking, holding, touchedEmpty, empty, decoys] = [0, 0, 0, 0, 0, 0, 0];
  const decoysTaken: string[] = [];
  for (const example of examples) {
    const found = detect(example.text);
    const { survived, extra } = judge(example, found);
    const identifiers = example.spans.filter(({ type }) => type !== 'none');
    for (const span of identifiers) {
      const tally = byType.get(span.type) ?? { identifiers: 0, removed: 0, typed: 0 };
      byType.set(span.type, tally);
      const isRemoved = !survived.includes(span);
      const isTyped = isRemoved && found.some(({ start, end, type }) => type === span.type && start < span.end && span.start < end);
      for (const one of [tally, total]) {
        one.identifiers += 1;
        one.removed += Number(isRemoved);
        one.typed += Number(isTyped);
      }
    }
    falsePositives += extra.length;
    truePositives += found.filter((span) => identifiers.some((known) => known.start < span.end && span.start < known.end)).length;
    if (identifiers.length > 0) holding += 1;
    else empty += 1;
    if (survived.length > 0) leaking += 1;
    if (identifiers.length === 0 && extra.length > 0) touchedEmpty += 1;
    decoys += example.decoys.length;
    for (const decoy of example.decoys)
      if (extra.some(({ start, end }) => example.text.slice(start, end).includes(decoy.replace(/'s$/, '')))) decoysTaken.push(decoy);
  }
  return { texts: examples.length, byType, total, truePositives, falsePositives, leaking, holding, touchedEmpty, empty, decoys, decoysTaken };
}

export function recallOf({ total }: Score): number {
  return total.removed / total.identifiers;
}

export function precisionOf({ truePositives, falsePositives }: Score): number {
  return truePositives / (truePositives + falsePositives);
}

/** Recall of each of five parts, with the examples of one template (or one id) in one part; undefined where a part has none. Nothing is tuned between them. */
export function foldRecalls(examples: readonly Example[], detect: (text: string) => readonly Span[]): readonly number[] | undefined {
  const parts = Map.groupBy(examples, (example) => hash(example.template ?? example.id) % 5);
  const recalls = Array.from({ length: 5 }, (_, part) => recallOf(scoreSet(parts.get(part) ?? [], detect)));
  return recalls.some(Number.isNaN) ? undefined : recalls;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 2166136261;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 16777619) >>> 0;
  return value;
}
