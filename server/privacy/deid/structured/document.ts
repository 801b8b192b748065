/**
 * Owns what a reader of a format says of a message that it found in a text: which places are identifiers by the standard, and which
 * are prose that the detector has to read. Refuses to change the text: all places are offsets in it.
 */
import type { Category } from '../types.ts';

/** A value that is an identifier whatever it says. */
export interface Field {
  readonly start: number;
  readonly end: number;
  readonly type: Category;
  /** `number`: of JSON, where a tag needs quotes. `fixed`: as many signs as before, or the message breaks. */
  readonly form?: 'number' | 'fixed';
}

/** Prose: a run of the text as it is, or a run that stands for other signs (`\n` within a JSON string). */
export interface Run {
  readonly start: number;
  readonly end: number;
  /** What it stands for, if not itself. */
  readonly meaning?: string;
}

/** Prose that belongs together. */
export interface Prose {
  /** What stands before it in words, for the detector: the name of its key. */
  readonly label?: string;
  readonly runs: readonly Run[];
  /** Tags of XHTML within it are no prose. */
  readonly isMarkup?: boolean;
}

/** A message within a text. */
export interface Document {
  readonly start: number;
  readonly end: number;
  /** Sorted, without overlaps. */
  readonly fields: readonly Field[];
  readonly prose: readonly Prose[];
}

/** Collects what a reader finds. */
export class DocumentWriter {
  readonly fields: Field[] = [];
  readonly prose: Prose[] = [];

  /** An identifier; nothing where there is no value, or no letter and digit in it. */
  addField(text: string, start: number, end: number, type: Category, form?: Field['form']): void {
    if (end <= start || !/[\p{L}\p{N}]/u.test(text.slice(start, end))) return;
    this.fields.push({ start, end, type, ...(form === undefined ? {} : { form }) });
  }

  addProse(start: number, end: number, label?: string): void {
    if (end > start) this.prose.push({ runs: [{ start, end }], ...(label === undefined ? {} : { label }) });
  }

  finish(start: number, end: number): Document {
    this.fields.sort((a, b) => a.start - b.start);
    return { start, end, fields: this.fields, prose: this.prose };
  }
}

/** A range of the text. */
export interface Part {
  readonly start: number;
  readonly end: number;
}

/** The parts between separators, the empty ones too. */
export function cut(text: string, { start, end }: Part, separator: string): Part[] {
  const parts: Part[] = [];
  let from = start;
  for (let at = start; at < end; at += 1)
    if (text[at] === separator) {
      parts.push({ start: from, end: at });
      from = at + 1;
    }
  parts.push({ start: from, end });
  return parts;
}
