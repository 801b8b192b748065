/**
 * Owns random audit records: of each event of the closed list, with values that its kinds take, optional fields now there and now not.
 * Made from what the kinds say of themselves, so that a new kind fails here until it has values.
 */
import fc from 'fast-check';
import { type AuditRecord, commonFields, decodeRecord, type EventName, encodeRecord, eventTable } from '../../../../server/privacy/audit/events.ts';
import type { Kind } from '../../../../server/privacy/audit/kinds.ts';
import { roles } from '../../../../server/privacy/words.ts';

export const eventNames = Object.keys(eventTable) as EventName[];

const letters = (alphabet: string, minLength: number, maxLength = minLength): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
const hex = (length: number): fc.Arbitrary<string> => letters('0123456789abcdef', length);
const small = 'abcdefghijklmnopqrstuvwxyz';
const crockford = '0123456789abcdefghjkmnpqrstvwxyz';

/** By `what` of the kind. */
const texts: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'a UUID in small letters': fc.uuid(),
  'a SHA-256 in hexadecimal': hex(64),
  '32 bytes in base64': fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  '8 bytes in hexadecimal': hex(16),
  '16 bytes in hexadecimal': hex(32),
  'the code of a department, a site or a label': letters(small, 1, 40),
  'the code of a region': fc.tuple(letters(small, 2, 8), letters(small, 1, 12)).map((parts) => parts.join('-')),
  'the id of a key': letters(crockford, 10),
  'the id of a person': letters(`${small}0123456789`, 2, 48),
  'the id of a trusted key': hex(16).map((text) => `ck-${text}`),
  'the id of an agreement': letters(small, 8, 32).map((text) => `agr-${text}`),
  'the id of a manifest': letters(small, 8, 32).map((text) => `mf-${text}`),
  'the name of a model, as the administrator calls it': letters(`${small}ABCXYZ0123456789._:/-`, 0, 119).map((text) => `m${text}`),
  'the id of a token of the identity provider': fc
    .tuple(letters(`${small}ABCXYZ0123456789_-`, 1), letters(`${small}ABCXYZ0123456789_.:-`, 15, 63))
    .map((parts) => parts.join('')),
  'a version': fc.tuple(fc.nat(9999), fc.nat(9999), fc.nat(9999)).map((parts) => parts.join('.')),
  'roles with commas between them': fc.subarray([...roles], { minLength: 1, maxLength: 5 }).map((names) => names.join(',')),
  'an IPv4 or IPv6 address': fc.oneof(
    fc.ipV4(),
    fc.ipV6().filter((text) => /^[0-9a-f:]+$/.test(text)),
  ),
};

function anyValue(kind: Kind<unknown>): fc.Arbitrary<unknown> {
  if (kind.type === 'flag') return fc.boolean();
  if (kind.type === 'choice') return fc.constantFrom(...kind.what.split(' | '));
  if (kind.type === 'form') return texts[kind.what] ?? fc.constant(undefined);
  const whole = fc.maxSafeNat().map((value) => value % (kind.most + 1));
  return kind.what.includes('power of two') ? fc.nat(40).map((power) => (power === 0 ? 0 : 2 ** power)) : whole;
}

/** A record of this event. Throws where a value does not fit its kind. */
export function anyRecord(event: EventName): fc.Arbitrary<AuditRecord> {
  const kinds: [string, Kind<unknown>][] = [...Object.entries(commonFields), ...Object.entries(eventTable[event])];
  const fields = Object.fromEntries(kinds.map(([name, kind]) => [name, kind.isOptional ? fc.option(anyValue(kind), { nil: undefined }) : anyValue(kind)]));
  return fc.record(fields).map((values) => {
    const { seq, time, up, boot, host, ...rest } = values as unknown as AuditRecord;
    return decodeRecord(encodeRecord({ seq, time, up, boot, host }, { ...rest, event } as AuditRecord));
  });
}

export const anyRecords: fc.Arbitrary<AuditRecord[]> = fc.array(fc.oneof(...eventNames.map(anyRecord)), { maxLength: 40 });

/** One of every event, the same each time: with all optional fields, or as far as chance has it. */
export const oneOfEach: readonly AuditRecord[] = eventNames.flatMap((event) => fc.sample(anyRecord(event), { seed: 8, numRuns: 2 }));
