/**
 * Owns how a record is told to people in one line: who did it, and what.
 */
import type { AuditRecord } from '../../privacy/audit/events.ts';
import { toEntry } from '../../privacy/audit/report/sections.ts';
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
  const { time, event, fields } = toEntry(record);
  // Of the log itself `key` is a public key.
  const who = whoFields.find((name) => fields[name] !== undefined && (name !== 'key' || forms.keyId.test(fields[name])));
  const names = Object.keys(fields).filter((name) => name !== who);
  const what = [...names.filter((name) => !timeFields.includes(name)), ...names.filter((name) => timeFields.includes(name))];
  return { time, event, who: who === undefined ? '-' : String(fields[who]), what: what.map((name) => `${name}=${fields[name]}`).join(' ') };
}
