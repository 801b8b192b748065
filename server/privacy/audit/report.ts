/**
 * Owns the summary of a period for its review: who asked for what, how it ended, who changed what, and what stands out. Records in front
 * of the period are taken as history: they tell new keys and spans that had begun. Refuses content: there is none in a record.
 */
import type { AuditRecord, EventName } from './events.ts';
import { formatTime } from './export/fields.ts';
import { createCalendar, listDates } from './report/calendar.ts';
import { type Failure, FailureCounter } from './report/failures.ts';
import { type Finding, FindingCounter, failuresPerHour } from './report/findings.ts';
import { HabitCounter } from './report/habits.ts';
import { RequestCounter } from './report/requests.ts';
import { type Entry, findSection, type SectionName, toEntry } from './report/sections.ts';
import { type Span, SpanCounter, withoutAgreement, withoutTrail } from './report/spans.ts';
import type { Named, Tally } from './report/tallies.ts';

/** In milliseconds of the epoch, `to` not in it. */
export interface Period {
  readonly from: number;
  readonly to: number;
  /** For days and hours; default UTC. */
  readonly timeZone?: string | undefined;
}

export interface Counted {
  readonly name: string;
  readonly count: number;
}

/** Times are ISO 8601 in UTC; dates and hours are those of the time zone. */
export interface Summary {
  readonly type: 'inward.audit.summary.v1';
  readonly period: { readonly from: string; readonly to: string; readonly timeZone: string };
  /** Records in the period, and the numbers of the first and last one. */
  readonly records: number;
  readonly first?: number;
  readonly last?: number;
  /** Records in front of it that were looked at. */
  readonly history: number;
  /** Without failed authentications, which are nobody's requests. */
  readonly total: Tally;
  readonly days: readonly Named<Tally>[];
  readonly tenants: readonly Named<Tally>[];
  readonly keys: readonly Named<Tally>[];
  readonly purposes: readonly Named<Tally>[];
  /** Requests by weekday, Monday first, and hour. */
  readonly hours: readonly (readonly number[])[];
  readonly busiest: readonly Counted[];
  readonly failures: readonly Failure[];
  readonly refusals: readonly Counted[];
  /** Records of each event. */
  readonly events: readonly Counted[];
  readonly breakGlass: readonly Entry[];
  readonly changes: readonly Entry[];
  readonly agreements: readonly Entry[];
  readonly process: readonly Entry[];
  readonly trail: readonly Entry[];
  readonly withoutAgreement: readonly Span[];
  readonly withoutTrail: readonly Span[];
  readonly newKeys: readonly string[];
  readonly findings: readonly Finding[];
}

/** The summary of the records of a log, in their order. Throws SiteError. */
export function summarize(records: Iterable<AuditRecord>, period: Period): Summary {
  const { from, to, timeZone = 'UTC' } = period;
  const calendar = createCalendar(timeZone);
  const requests = new RequestCounter(calendar, listDates(calendar, from, to));
  const habits = new HabitCounter(calendar);
  const [failures, found] = [new FailureCounter(), new FindingCounter()];
  const [closed, stopped] = [new SpanCounter(withoutAgreement), new SpanCounter(withoutTrail)];
  const listed = new EventList();
  for (const record of records) {
    const isCounted = from <= record.time && record.time < to;
    // What comes later can still end what began in the period.
    requests.add(record, isCounted);
    for (const counter of [closed, stopped]) counter.add(record);
    if (record.time >= to) continue;
    if (record.event === 'intent') habits.add(record, isCounted);
    found.add(record, isCounted);
    listed.add(record, isCounted);
    if (isCounted) failures.add(record);
  }
  for (const { address, count, seq } of failures.listFailures())
    if (count >= failuresPerHour) found.note('repeated-failures', `address ${address}`, [seq], count);
  found.noteHabits(habits, listed.history > 0);
  return {
    type: 'inward.audit.summary.v1',
    period: { from: formatTime(from), to: formatTime(to), timeZone },
    ...listed.counts,
    history: listed.history,
    total: requests.total,
    ...{ days: requests.list('day'), tenants: requests.list('tenant'), keys: requests.list('key'), purposes: requests.list('purpose') },
    ...{ hours: habits.hours, busiest: habits.listBusiest(), failures: failures.listFailures(), refusals: failures.listRefusals() },
    events: listed.events,
    ...listed.sections,
    ...{ withoutAgreement: closed.list(from, to), withoutTrail: stopped.list(from, to) },
    newKeys: listed.history > 0 ? habits.newKeys.map(({ key }) => key) : [],
    findings: found.list(),
  };
}

/** Counts records by event, and keeps those that are listed one by one. */
class EventList {
  readonly sections: Readonly<Record<SectionName, Entry[]>> = { breakGlass: [], changes: [], agreements: [], process: [], trail: [] };
  history = 0;
  readonly #events = new Map<EventName, number>();
  #records = 0;
  #first: number | undefined;
  #last: number | undefined;

  add(record: AuditRecord, isCounted: boolean): void {
    if (!isCounted) {
      this.history++;
      return;
    }
    this.#records++;
    this.#first ??= record.seq;
    this.#last = record.seq;
    this.#events.set(record.event, (this.#events.get(record.event) ?? 0) + 1);
    const section = findSection(record.event);
    if (section !== undefined) this.sections[section].push(toEntry(record));
  }

  get counts(): { readonly records: number; readonly first?: number; readonly last?: number } {
    return { records: this.#records, ...(this.#first === undefined ? {} : { first: this.#first }), ...(this.#last === undefined ? {} : { last: this.#last }) };
  }

  get events(): Counted[] {
    return [...this.#events].map(([name, count]) => ({ name, count })).sort((one, other) => (one.name < other.name ? -1 : 1));
  }
}
