/**
 * Owns spans of time between two events: without agreement, and without audit trail. Refuses to guess an end that no record tells.
 */
import type { AuditRecord } from '../events.ts';
import { formatTime } from '../export/fields.ts';

/** `from` is missing where it began before the first record, `to` where it lasts. */
export interface Span {
  readonly from?: string;
  readonly to?: string;
  /** Why: a name of a closed list. */
  readonly cause?: string;
}

interface OpenSpan {
  readonly from: number | undefined;
  readonly cause: string | undefined;
}

export interface SpanRule {
  begins(record: AuditRecord): boolean;
  ends(record: AuditRecord): boolean;
}

/** A server that starts without an agreement says so; one that has stopped serves nothing anyway. */
export const withoutAgreement: SpanRule = {
  begins: (record) => record.event === 'gate_closed' || (record.event === 'started' && record.mode === 'closed'),
  ends: ({ event }) => event === 'gate_opened' || event === 'started' || event === 'stopped',
};
/** A record of the start could be written again. */
export const withoutTrail: SpanRule = {
  begins: ({ event }) => event === 'audit_stopped',
  ends: ({ event }) => event === 'audit_resumed' || event === 'started',
};

export class SpanCounter {
  readonly #spans: (OpenSpan & { readonly to: number })[] = [];
  readonly #rule: SpanRule;
  #open: OpenSpan | undefined;

  constructor(rule: SpanRule) {
    this.#rule = rule;
  }

  add(record: AuditRecord): void {
    const cause = record.event === 'audit_stopped' || record.event === 'audit_resumed' ? record.cause : undefined;
    if (this.#rule.begins(record)) this.#open ??= { from: record.time, cause };
    else if (this.#rule.ends(record)) {
      const begun = this.#open ?? (record.event === 'audit_resumed' ? { from: undefined, cause } : undefined);
      if (begun !== undefined) this.#spans.push({ ...begun, to: record.time });
      this.#open = undefined;
    }
  }

  /** Those that touch the time from `from` to `to`. */
  list(from: number, to: number): Span[] {
    const last = this.#open === undefined ? [] : [{ ...this.#open, to: undefined }];
    return [...this.#spans, ...last]
      .filter((span) => (span.from ?? Number.NEGATIVE_INFINITY) < to && (span.to ?? Number.POSITIVE_INFINITY) >= from)
      .map((span) => ({
        ...(span.from === undefined ? {} : { from: formatTime(span.from) }),
        ...(span.to === undefined ? {} : { to: formatTime(span.to) }),
        ...(span.cause === undefined ? {} : { cause: span.cause }),
      }));
  }
}
