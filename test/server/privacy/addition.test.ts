/** What a site takes as a new agreement, beside what it has. */
import { expect, test } from 'vitest';
import { checkAddition } from '../../../server/privacy/addition.ts';
import { type Agreement, readAgreement } from '../../../server/privacy/agreement.ts';
import type { Envelope } from '../../../server/privacy/envelope.ts';
import { SiteError } from '../../../server/privacy/errors.ts';
import type { Snapshot, StoredRecord } from '../../../server/privacy/store.ts';
import { accessKey, baa, createSigner, selfOperated, signed, snapshotOf, stored, synthetic, wrap } from './records.ts';

const [first, second, stranger] = [createSigner(), createSigner(), createSigner()];
const now = Date.UTC(2026, 10, 24, 12);
const trustedKeys = [first.trusted, second.trusted];
const tenants = ['cardiology', 'icu', 'oncology'].map((code, number) => ({ code, number }));

/** The reason why it is not added; undefined: it may be. */
function judge(agreement: Agreement, parts: Partial<Snapshot> = {}, envelope: Envelope = signed(agreement, first), at: number = now): string | undefined {
  try {
    checkAddition(readAgreement(envelope), envelope, snapshotOf({ trustedKeys, tenants, ...parts }), at);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(SiteError);
    return (error as SiteError).message;
  }
}

const having = (...agreements: readonly (Agreement | StoredRecord)[]): Partial<Snapshot> => ({
  agreements: agreements.map((entry) => ('envelope' in entry ? entry : stored(signed(entry, first)))),
});
const other: Agreement = { ...selfOperated, id: 'agr-00000010' };
const policy = { site: 'main-campus', region: 'us-east', signatures: 1 } as const;

test('each kind, on a site that has nothing yet', () => {
  for (const agreement of [selfOperated, baa, synthetic]) expect(judge(agreement)).toBeUndefined();
});

test('signatures: none, of a stranger, two where two are needed', () => {
  expect(judge(selfOperated, {}, wrap(selfOperated))).toContain('needs 1 signature');
  expect(judge(synthetic, {}, wrap(synthetic))).toContain('needs 1 signature');
  expect(judge(synthetic, { policy: undefined }, wrap(synthetic))).toContain('needs 1 signature');
  expect(judge(selfOperated, {}, signed(selfOperated, stranger))).toContain('not a trusted key');
  const two = { policy: { ...policy, signatures: 2 as const } };
  expect(judge(selfOperated, two)).toContain('needs 2 signatures');
  expect(judge(selfOperated, two, signed(selfOperated, first, second))).toBeUndefined();
  const tampered = signed(selfOperated, first);
  expect(judge(selfOperated, {}, { ...tampered, record: { ...tampered.record, breachReportHours: 48 } })).toContain('does not fit');
});

test('an id is given once, also where the first one was revoked', () => {
  const later = { ...selfOperated, effective: '2029-01-01T00:00:00Z', expires: '2030-01-01T00:00:00Z' };
  expect(judge(later, having(selfOperated))).toContain('There is an agreement agr-00000001 already');
  expect(judge(later, having(stored(signed(selfOperated, first), now)))).toContain('There is an agreement agr-00000001 already');
});

test('one that has ended, to the millisecond; one that has not begun may be added', () => {
  const end = Date.UTC(2027, 10, 24);
  expect(judge(selfOperated, {}, undefined, end)).toContain('has ended');
  expect(judge(selfOperated, {}, undefined, end - 1)).toBeUndefined();
  expect(judge(selfOperated, {}, undefined, Date.UTC(2026, 10, 22))).toBeUndefined();
});

test('region: that of the site must be among them', () => {
  expect(judge({ ...selfOperated, regions: ['us-west', 'de-by'] })).toContain('is for us-west, de-by, and this site is in us-east');
  expect(judge({ ...selfOperated, regions: ['us-west', 'us-east'] })).toBeUndefined();
});

test('a site that has not been set up takes a synthetic one only', () => {
  expect(judge(synthetic, { policy: undefined })).toBeUndefined();
  for (const agreement of [selfOperated, baa]) expect(judge(agreement, { policy: undefined })).toContain('set it up first');
});

const spans: readonly (readonly [string, string, string, boolean])[] = [
  ['the same', '2026-11-24', '2027-11-24', true],
  ['inside', '2027-01-01', '2027-02-01', true],
  ['around', '2026-01-01', '2029-01-01', true],
  ['over the beginning', '2026-01-01', '2026-11-25', true],
  ['over the end', '2027-11-23', '2028-01-01', true],
  ['just before', '2026-01-01', '2026-11-24', false],
  ['just after', '2027-11-24', '2028-01-01', false],
];
test.each(spans)('dates: %s', (_name, from, to, isClash) => {
  const agreement = { ...other, effective: `${from}T00:00:00Z`, expires: `${to}T00:00:00Z` };
  const reason = judge(agreement, having(selfOperated), undefined, Date.UTC(2026, 10, 22));
  if (isClash) expect(reason).toContain('at the same time and for the same departments as agr-00000001');
  else expect(reason).toBeUndefined();
});

test('dates overlap by a second, or meet', () => {
  const at = (effective: string): string | undefined => judge({ ...other, effective, expires: '2028-11-24T00:00:00Z' }, having(selfOperated));
  expect(at('2027-11-23T23:59:59Z')).toContain('at the same time');
  expect(at('2027-11-24T00:00:00Z')).toBeUndefined();
});

test('departments: all against some, some against others', () => {
  const heart = { ...selfOperated, tenants: ['cardiology', 'icu'] };
  expect(judge(other, having(heart))).toContain('same departments');
  expect(judge({ ...other, tenants: ['icu', 'oncology'] }, having(heart))).toContain('same departments');
  expect(judge({ ...other, tenants: ['icu'] }, having(selfOperated))).toContain('same departments');
  expect(judge({ ...other, tenants: ['oncology'] }, having(heart))).toBeUndefined();
});

test('a revoked one is in nobody’s way', () => {
  expect(judge(other, having(stored(signed(selfOperated, first), now - 1)))).toBeUndefined();
});

test('superseding: of the same covered entity, for all of its departments, and not before it', () => {
  const heart = { ...selfOperated, tenants: ['cardiology', 'icu'] };
  const next = { ...other, supersedes: selfOperated.id };
  const entity = { name: 'Another Hospital', id: '99-9999999' };
  expect(judge({ ...next, coveredEntity: entity }, having(selfOperated))).toContain('which is of another covered entity');
  expect(judge({ ...next, coveredEntity: { ...selfOperated.coveredEntity, name: 'St. Mary' } }, having(selfOperated))).toBeUndefined();
  expect(judge({ ...next, tenants: ['icu', 'cardiology'] }, having(selfOperated))).toContain('which is for departments that the new one leaves out');
  expect(judge({ ...next, tenants: ['icu', 'oncology'] }, having(heart))).toContain('which is for departments that the new one leaves out');
  expect(judge({ ...next, tenants: ['icu', 'cardiology', 'oncology'] }, having(heart))).toBeUndefined();
  expect(judge({ ...next, effective: '2026-11-23T23:59:59Z' }, having(selfOperated))).toContain('which begins later');
  expect(judge({ ...next, effective: selfOperated.effective }, having(selfOperated))).toBeUndefined();
});

test('a department that is not there', () => {
  expect(judge({ ...selfOperated, tenants: ['icu', 'cardiolgy'] })).toContain('departments that this site does not have (cardiolgy): add them first');
});

test('a signatory who signs after today, wherever that is', () => {
  const on = (date: string): string | undefined => judge({ ...baa, signatories: [...selfOperated.signatories, { name: 'John Doe', title: 'CEO', date }] });
  expect(on('2026-11-26')).toContain('names a signatory who signs after today');
  expect(on('2026-11-25')).toBeUndefined();
});

test('superseding: one that is there and unrevoked; the others count as before', () => {
  const next = { ...other, supersedes: selfOperated.id };
  expect(judge(next, having(selfOperated))).toBeUndefined();
  expect(judge(next)).toContain('supersedes agr-00000001, which is not here or was revoked');
  expect(judge(next, having(stored(signed(selfOperated, first), now)))).toContain('which is not here or was revoked');
  const third = { ...selfOperated, id: 'agr-00000012', tenants: ['icu'] };
  expect(judge(next, having({ ...selfOperated, tenants: ['cardiology'] }, third))).toContain('same departments as agr-00000012');
});

test('one that was superseded leaves the time after to the next ones', () => {
  const second = { ...other, supersedes: selfOperated.id, effective: '2027-01-01T00:00:00Z', expires: '2027-03-01T00:00:00Z' };
  const third = { ...other, id: 'agr-00000011', effective: '2027-03-01T00:00:00Z' };
  expect(judge(third, having(selfOperated, second))).toBeUndefined();
  expect(judge({ ...third, effective: '2026-12-01T00:00:00Z', expires: '2026-12-02T00:00:00Z' }, having(selfOperated, second))).toContain('as agr-00000001');
});

test('one that was superseded before it began is in nobody’s way', () => {
  const later = { ...selfOperated, effective: '2027-01-01T00:00:00Z' };
  const earlier = { ...other, supersedes: selfOperated.id, effective: '2026-06-01T00:00:00Z', expires: '2026-12-01T00:00:00Z' };
  const revoked = stored(signed(earlier, first), now);
  expect(judge({ ...selfOperated, id: 'agr-00000011', effective: '2026-01-01T00:00:00Z' }, having(later, revoked))).toBeUndefined();
});

const clashes: readonly (readonly [string, Agreement, Agreement])[] = [
  ['synthetic beside self-operated', synthetic, selfOperated],
  ['synthetic beside baa', synthetic, baa],
  ['self-operated beside synthetic', selfOperated, synthetic],
  ['baa beside synthetic', baa, synthetic],
];
test.each(clashes)('%s: revoke that first', (_name, agreement, present) => {
  const reason = judge(agreement, having(present));
  expect(reason).toContain(`${present.id} (${present.kind}) is in force`);
  expect(reason).toContain('revoke that one first');
  // Not for other departments either, nor by superseding it.
  expect(judge({ ...agreement, tenants: ['icu'] }, having({ ...present, tenants: ['oncology'] }))).toContain('revoke that one first');
  expect(judge({ ...agreement, supersedes: present.id }, having(present))).toContain('revoke that one first');
  expect(judge(agreement, having(stored(signed(present, first), now)))).toBeUndefined();
});

test('synthetic and real, when one is in force now and the other comes later, or both come later', () => {
  const march = { effective: '2027-03-01T00:00:00Z', expires: '2027-03-20T00:00:00Z' };
  expect(judge({ ...selfOperated, ...march }, having(synthetic))).toContain('revoke that one first');
  const before = Date.UTC(2026, 0, 1);
  const signatories = [{ name: 'Jane Roe', title: 'Privacy Officer', date: '2025-12-20' }];
  expect(judge({ ...selfOperated, signatories, ...march }, having(synthetic), undefined, before)).toBeUndefined();
  expect(judge({ ...synthetic, ...march }, having(selfOperated), undefined, before)).toContain('revoke that one first');
  // Past ones do not count.
  expect(judge({ ...selfOperated, ...march }, having(synthetic), undefined, Date.UTC(2026, 11, 24))).toBeUndefined();
});

test('keys of the other data: unrevoked ones are in the way, in the future revoked ones too, expired ones too', () => {
  const keys = (...list: ReturnType<typeof accessKey>[]): Partial<Snapshot> => ({ keys: list });
  expect(judge(synthetic, keys(accessKey('phi')))).toContain('1 key for PHI data can still be used: revoke them first');
  expect(judge(selfOperated, keys(accessKey('synthetic'), accessKey('synthetic')))).toContain('2 keys for synthetic data');
  expect(judge(selfOperated, keys(accessKey('synthetic', now + 1)))).toContain('1 key');
  expect(judge(selfOperated, keys({ ...accessKey('synthetic'), expiresAt: now - 1 }))).toContain('1 key');
  expect(judge(selfOperated, keys(accessKey('synthetic', now)))).toBeUndefined();
  expect(judge(synthetic, keys(accessKey('phi', now), accessKey('synthetic')))).toBeUndefined();
  expect(judge(selfOperated, keys(accessKey('phi')))).toBeUndefined();
});

test('a store with a record that cannot be read takes nothing', () => {
  expect(judge(other, having(stored(wrap({ id: 'agr-00000099' }))))).toContain('The agreement cannot be used');
});
