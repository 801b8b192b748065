/**
 * Owns the tables of the review sheet, which the terminal and the printed page have in common: headings and rows of text. Refuses to leave
 * rows out without saying so.
 */
import type { Counted, Summary } from '../report.ts';
import { findings } from './findings.ts';
import type { Entry } from './sections.ts';
import type { Span } from './spans.ts';
import type { Named, Tally } from './tallies.ts';

export interface Table {
  readonly title: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const failureRows = 50;

/** Those that have rows, in the order of the sheet. */
export function listTables(summary: Summary): Table[] {
  return [...listCounts(summary), ...listEvents(summary)].filter(({ rows }) => rows.length > 0);
}

/** What to look at, with its reason. */
export function listFindings({ findings: found }: Summary): Table {
  return {
    title: 'Look at this',
    headings: ['what', 'why', 'count', 'records'],
    rows: found.map(({ finding, subject, count, seqs }) => [
      subject,
      findings[finding],
      String(count),
      `${seqs.join(', ')}${seqs.length < count ? ', ...' : ''}`,
    ]),
  };
}

function listCounts(summary: Summary): Table[] {
  const { days, tenants, keys, purposes, refusals, failures, busiest } = summary;
  return [
    tally('Requests by day', 'day', [...days, { name: 'all', ...summary.total }]),
    tally('Requests by tenant', 'tenant', tenants),
    tally('Requests by key', 'key', keys),
    tally('Requests by purpose', 'purpose', purposes),
    counted('Refusals', 'code', refusals),
    {
      title: 'Failed authentications by address and hour',
      headings: ['address', 'hour', 'times'],
      rows: [
        ...failures.slice(0, failureRows).map(({ address, hour, count }) => [address, shortenTime(hour), String(count)]),
        ...(failures.length > failureRows ? [[`${failures.length - failureRows} more`, '', '']] : []),
      ],
    },
    counted('Busiest hours', 'hour', busiest),
  ];
}

function listEvents(summary: Summary): Table[] {
  const { breakGlass, changes, agreements, process, trail, withoutAgreement, withoutTrail, newKeys, events } = summary;
  return [
    entries('Break-glass', breakGlass),
    entries('Changes of keys, people, agreements and the site', changes),
    entries('Agreements', agreements),
    spans('Times without agreement', withoutAgreement),
    entries('Starts, stops, models and engine', process),
    entries('The trail itself: gaps, stops, exports, checks', trail),
    spans('Times when nothing could be recorded', withoutTrail),
    { title: 'Keys used for the first time', headings: ['key'], rows: newKeys.map((key) => [key]) },
    counted('Records by event', 'event', events),
  ];
}

function tally(title: string, what: string, counts: readonly Named<Tally>[]): Table {
  return {
    title,
    headings: [what, 'requests', 'answered', 'cancelled', 'refused', 'failed', 'open'],
    rows: counts.map(({ name, requests, answered, cancelled, refused, failed, open }) => [
      name,
      ...[requests, answered, cancelled, refused, failed, open].map(String),
    ]),
  };
}

function counted(title: string, what: string, counts: readonly Counted[]): Table {
  return { title, headings: [what, 'times'], rows: counts.map(({ name, count }) => [name, String(count)]) };
}

function entries(title: string, list: readonly Entry[]): Table {
  return {
    title,
    headings: ['record', 'time', 'event', 'by', 'what'],
    rows: list.map(({ seq, time, event, fields: { by = '', ...fields } }) => [String(seq), shortenTime(time), event, by, describeFields(fields)]),
  };
}

function describeFields(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${value.length === 64 ? `${value.slice(0, 12)}...` : value}`)
    .join(', ');
}

function spans(title: string, list: readonly Span[]): Table {
  return {
    title,
    headings: ['from', 'to', 'cause'],
    rows: list.map(({ from, to, cause = '' }) => [
      from === undefined ? 'before the first record' : shortenTime(from),
      to === undefined ? 'lasts' : shortenTime(to),
      cause,
    ]),
  };
}

/** Of an ISO time, to the second. */
export function shortenTime(time: string): string {
  return `${time.slice(0, 19).replace('T', ' ')} UTC`;
}
