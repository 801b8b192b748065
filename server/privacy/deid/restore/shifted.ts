/**
 * Owns the dates of an answer to a text whose dates were shifted: one that was shifted to comes back in whatever form the answer writes it. Refuses to
 * let any other stand, since it would look real and be wrong by the secret days: it becomes a tag that stands for nothing.
 */
import { type DateStyle, readDate, shiftDate, type WrittenDate } from '../actions/dates.ts';
import { createDetector } from '../detector.ts';
import type { Mapping } from '../mapping/mapping.ts';
import { type FoundSpan, findIdentifiers } from '../search.ts';
import type { Detector } from '../types.ts';

export class ShiftedDates {
  readonly #mapping: Mapping;
  readonly #style: DateStyle;
  readonly #detector: Detector;
  /** Days that dates of the text were shifted to. */
  readonly #days = new Set<string>();
  /** Pairs of the mapping that were read. */
  #known = 0;

  /** `style` as the text was read with. */
  constructor(mapping: Mapping, style: DateStyle) {
    this.#mapping = mapping;
    this.#style = style;
    this.#detector = createDetector();
  }

  /** The text for the way back (`createRestorer`): with tags in the places of dates that it does not know as they are written. */
  settle(text: string): string {
    const spans = findIdentifiers(text, this.#detector).filter(({ type, start, end }) => type === 'DATE' && !this.#mapping.stands(text.slice(start, end)));
    let [out, copied] = ['', 0];
    for (const span of spans) {
      out += text.slice(copied, span.start) + this.#write(text.slice(span.start, span.end), span);
      copied = span.end;
    }
    return out + text.slice(copied);
  }

  #write(value: string, { form }: FoundSpan): string {
    const original = this.#shiftBack(value);
    const tag = this.#mapping.tag('DATE', original ?? value);
    // In JSON a number becomes a text; the way back writes a number again.
    const written = form === 'number' ? `"${tag}"` : tag;
    if (original !== undefined) this.#mapping.recordAlso(original, written);
    return written;
  }

  #shiftBack(value: string): string | undefined {
    this.#learn();
    const date = readDate(value, this.#style);
    const day = date && dayOf(date);
    return day !== undefined && this.#days.has(day) ? shiftDate(date as WrittenDate, -this.#mapping.shift, this.#style) : undefined;
  }

  #learn(): void {
    const { pairs } = this.#mapping;
    for (; this.#known < pairs.length; this.#known += 1) {
      const date = readDate(pairs[this.#known]?.text ?? '', this.#style);
      const day = date && dayOf(date);
      if (day !== undefined) this.#days.add(day);
    }
  }
}

/** Undefined unless it is a whole date. */
function dayOf({ year, month, day }: WrittenDate): string | undefined {
  return year === undefined || month === undefined || day === undefined ? undefined : `${year}-${month}-${day}`;
}
