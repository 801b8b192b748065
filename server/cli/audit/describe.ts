/**
 * Owns how a record is told to people in one line: who did it, and what.
 */
import { type AuditRecord, eventTable } from '../../privacy/audit/events.ts';
import { formatTime } from '../../privacy/audit/export/fields.ts';
import { forms } from '../../privacy/words.ts';

/** Who, in the order in which the first one that is there is taken. */
const whoFields = ['by', 'person', 'key'] as const;
/** When a change was made; it may be recorded later. */
const timeFields: readonly string[] = ['at', 'from'];

interface Told {
  readonly time: string;
  readonly event: string;
  /** Id of a person or key; a hyphen where it is the server itself. */
  readonly who: string;
  /** Every other field, as `name=value`. */
  readonly what: string;
}

export function describeRecord(record: AuditRecord): Told {
  const values = record as unknown as Readonly<Record<string, string | number | boolean | undefined>>;
  // Of the log itself `key` is a public key.
  const who = whoFields.find((name) => values[name] !== undefined && (name !== 'key' || forms.keyId.test(String(values[name]))));
  const names = Object.keys(eventTable[record.event]).filter((name) => values[name] !== undefined && name !== who);
  const what = [...names.filter((name) => !timeFields.includes(name)), ...names.filter((name) => timeFields.includes(name))].map(
    (name) => `${name}=${timeFields.includes(name) ? formatTime(Number(values[name])) : values[name]}`,
  );
  return { time: formatTime(record.time), event: record.event, who: who === undefined ? '-' : String(values[who]), what: what.join(' ') };
}
