/**
 * Owns the audit trail as a table for spreadsheets: a line a record, a column for each field of the closed list. Refuses to leave a
 * field out: what has no column is a fault of the program.
 */
import { formatRow } from '../../csv.ts';
import { type AuditRecord, commonFields, eventTable } from '../events.ts';
import { listFields } from './fields.ts';

/** Headings: what every record has first, then each other field once, in the order of the closed list. */
export const csvColumns: readonly string[] = [
  ...new Set(['seq', 'time', 'event', ...Object.keys(commonFields), ...Object.values(eventTable).flatMap((fields) => Object.keys(fields))]),
];

/** The lines of the file, headings first. Cells of fields that a record does not have are empty; times are ISO 8601 in UTC. */
export function* exportCsv(records: Iterable<AuditRecord>): Generator<string, void, undefined> {
  yield formatRow(csvColumns);
  for (const record of records) {
    const fields = new Map(listFields(record));
    yield formatRow(csvColumns.map((name) => fields.get(name) ?? ''));
  }
}
