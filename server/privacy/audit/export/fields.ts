/**
 * Owns the fields of a record as texts, which all exports have in common: in the order of the closed list, times in ISO 8601.
 */
import { type AuditRecord, commonFields, eventTable } from '../events.ts';

/** By event; they do not change. */
const names: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(eventTable).map(([event, fields]) => [event, ['event', ...Object.keys(commonFields), ...Object.keys(fields)]]),
);

/** Name and text of each field that the record has. */
export function listFields(record: AuditRecord): [string, string][] {
  const values = record as unknown as Readonly<Record<string, string | number | boolean | undefined>>;
  const fields: [string, string][] = [];
  for (const name of names.get(record.event) ?? []) {
    const value = values[name];
    if (value !== undefined) fields.push([name, name === 'time' || name === 'at' || name === 'from' ? formatTime(Number(value)) : String(value)]);
  }
  return fields;
}

/** ISO 8601 with milliseconds, UTC: an `instant` of FHIR and a TIMESTAMP of RFC 5424 alike. */
export function formatTime(time: number): string {
  return new Date(time).toISOString();
}
