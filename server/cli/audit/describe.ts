/**
 * Owns how a record is told to people in one line: who did it, and what.
 */
import { type AuditRecord, eventTable } from '../../privacy/audit/events.ts';
import { formatTime } from '../../privacy/audit/export/fields.ts';

/** Who, in the order in which the first one that is there is taken. */
const whoFields = ['by', 'person', 'key'] as const;
const timeFields: readonly string[] = ['at', 'from'];

export interface Told {
  readonly time: string;
  readonly event: string;
  /** Id of a person or key; a hyphen where it is the server itself. */
  readonly who: string;
  /** Every other field, as `name=value`. */
  readonly what: string;
}

export function describeRecord(record: AuditRecord): Told {
  const values = record as unknown as Readonly<Record<string, string | number | boolean | undefined>>;
  const who = whoFields.find((name) => values[name] !== undefined);
  const what = Object.keys(eventTable[record.event]).flatMap((name) => {
    const value = values[name];
    // A change is mostly recorded at the moment it is made.
    if (value === undefined || name === who || (name === 'at' && Number(value) === record.time)) return [];
    return [`${name}=${timeFields.includes(name) ? formatTime(Number(value)) : value}`];
  });
  return { time: formatTime(record.time), event: record.event, who: who === undefined ? '-' : String(values[who]), what: what.join(' ') };
}
