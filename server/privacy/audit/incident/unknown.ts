/**
 * Owns what the records do not tell of a window: times in front of and behind them, lost records, times when nothing could be recorded.
 * Refuses to call a window known that it has not seen whole.
 */
import type { AuditRecord, EventOf } from '../events.ts';
import { formatTime } from '../export/fields.ts';
import { type Span, SpanCounter, withoutTrail } from '../report/spans.ts';

/** Torn records, or a head that was missing: between the record before and the one that says so. */
export interface Gap {
  readonly seq: number;
  readonly from?: string;
  readonly to: string;
  readonly cause: EventOf<'gap'>['cause'];
  readonly bytes: number;
  readonly records: number;
}

export interface Unknown {
  /** Times of the first and last record that were looked at; the window is known as far as it lies between them. */
  readonly looked?: { readonly from: string; readonly to: string };
  readonly gaps: readonly Gap[];
  /** Requests were refused then. */
  readonly withoutTrail: readonly Span[];
  /** Requests whose answer ended with the process: how much of it the client got is not known. */
  readonly crashed: number;
  /** Requests without outcome. */
  readonly open: number;
}

export class UnknownCounter {
  readonly #from: number;
  readonly #to: number;
  readonly #stops = new SpanCounter(withoutTrail);
  readonly #gaps: Gap[] = [];
  #first: number | undefined;
  #last: number | undefined;

  constructor(from: number, to: number) {
    this.#from = from;
    this.#to = to;
  }

  add(record: AuditRecord): void {
    const before = this.#last;
    this.#first ??= record.time;
    this.#last = record.time;
    this.#stops.add(record);
    if (record.event !== 'gap' || record.time < this.#from || (before ?? 0) >= this.#to) return;
    const { seq, time, cause, bytes, records } = record;
    this.#gaps.push({ seq, ...(before === undefined ? {} : { from: formatTime(before) }), to: formatTime(time), cause, bytes, records });
  }

  list(crashed: number, open: number): Unknown {
    const looked = this.#first === undefined || this.#last === undefined ? {} : { looked: { from: formatTime(this.#first), to: formatTime(this.#last) } };
    return { ...looked, gaps: this.#gaps, withoutTrail: this.#stops.list(this.#from, this.#to), crashed, open };
  }
}
