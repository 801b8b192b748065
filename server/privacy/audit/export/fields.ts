/**
 * Owns the fields of a record as texts, which all exports have in common: in the order of the closed list, times in ISO 8601.
 */
import { type AuditRecord, commonFields, eventTable } from '../events.ts';

const timeFields: ReadonlySet<string> = new Set(['time', 'at', 'from']);

/** Name and text of each field that the record has. */
export function listFields(record: AuditRecord): [string, string][] {
  const values = record as unknown as Readonly<Record<string, string | number | boolean | undefined>>;
  const names = ['event', ...Object.keys(commonFields), ...Object.keys(eventTable[record.event])];
  return names.flatMap((name): [string, string][] => {
    const value = values[name];
    return value === undefined ? [] : [[name, timeFields.has(name) ? formatTime(Number(value)) : String(value)]];
  });
}

/** ISO 8601 with milliseconds, UTC: an `instant` of FHIR and a TIMESTAMP of RFC 5424 alike. */
export function formatTime(time: number): string {
  return new Date(time).toISOString();
}
