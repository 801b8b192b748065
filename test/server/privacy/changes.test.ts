/** The events that changes of the store leave for the audit trail, until a log has them. */
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { type AdministrationEvent, eventTable } from '../../../server/privacy/audit/events.ts';
import { canonicalize } from '../../../server/privacy/envelope.ts';
import { SiteError } from '../../../server/privacy/errors.ts';
import type { AccessKey } from '../../../server/privacy/grants.ts';
import { Connection } from '../../../server/privacy/store/connection.ts';
import { digestRows } from '../../../server/privacy/store/digest.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import type { Change, Store, StoredRecord } from '../../../server/privacy/store.ts';
import { createClosed, createFolder, createKey, createPerson, createRecord, createSigner, now, refuseStore, startWriter } from './site.ts';

const [signer, other] = [createSigner(), createSigner()];
const [agreement, manifest] = [createRecord(signer, 'agr-00000001'), createRecord(signer, 'mf-00000001')];
const [key, sealed, old] = [createKey(), createKey({ isSealed: true }), createKey()];
const next = createKey({ replaces: old.id, createdAt: now + 7, createdBy: 'a.nurse' });

/** One of each thing that can be revoked, opened, replaced or renewed. */
async function prepare(store: Store): Promise<void> {
  await store.addTenant({ code: 'cardiology' }, 'setup', now);
  for (const one of [key, sealed, old]) await store.addKey(one);
  await store.addPerson(createPerson('a.nurse'));
  await store.addRecord(agreement);
}

const hashOf = ({ envelope: { type, record } }: StoredRecord): string =>
  createHash('sha256')
    .update(`${type}\n${canonicalize(record)}`)
    .digest('hex');
const by = 'c.nurse';
const at = now + 60_000;
const added = createRecord(signer, 'agr-00000002', { addedBy: by, addedAt: at });
const verified = { event: 'audit_verified', log: '0'.repeat(32), records: 5, intact: true, by, at } as const;
const exported = { event: 'audit_exported', log: '0'.repeat(32), format: 'csv', records: 5, by, at } as const;
const scopeless = { tenant: 'cardiology', data: 'phi' } as const;

const cases: readonly (readonly [string, (store: Store) => Promise<unknown>, readonly AdministrationEvent[]])[] = [
  [
    'the policy',
    (store) => store.setPolicy({ site: 'general', region: 'us-east', signatures: 2 }, by, at),
    [{ event: 'policy_set', site: 'general', region: 'us-east', signatures: 2, by, at }],
  ],
  [
    'a trusted key',
    (store) => store.addTrustedKey({ ...other.trusted, addedBy: by, addedAt: at }),
    [{ event: 'trusted_key_added', publicKey: other.trusted.id, by, at }],
  ],
  [
    'an agreement',
    (store) => store.addRecord(added),
    [{ event: 'agreement_added', agreement: 'agr-00000002', kind: 'self-operated', record: hashOf(added), by, at }],
  ],
  ['a manifest', (store) => store.addRecord(manifest), [{ event: 'manifest_added', manifest: 'mf-00000001', record: hashOf(manifest), by: 'setup', at: now }]],
  ['an agreement that ends', (store) => store.revokeAgreement('agr-00000001', by, at), [{ event: 'agreement_revoked', agreement: 'agr-00000001', by, at }]],
  ['a tenant', (store) => store.addTenant({ code: 'oncology' }, by, at), [{ event: 'tenant_added', tenant: 'oncology', by, at }]],
  ['a quota', (store) => store.setTenantQuota({ code: 'cardiology' }, by, at), [{ event: 'tenant_quota_set', tenant: 'cardiology', by, at }]],
  [
    'a key',
    (store) => store.addKey({ ...createKey({ id: '0123456789' }), createdBy: by, createdAt: at }),
    [{ event: 'key_created', key: '0123456789', ...scopeless, by, at }],
  ],
  [
    'a break-glass key',
    (store) => store.addKey(createKey({ id: '0123456789', isSealed: true })),
    [{ event: 'key_created', key: '0123456789', ...scopeless, sealed: true, by: 'setup', at: now }],
  ],
  ['a key that ends', (store) => store.revokeKey(key.id, by, at), [{ event: 'key_revoked', key: key.id, from: at, by, at }]],
  [
    'a key in place of another, which is taken for an hour more',
    (store) => store.replaceKey(next, by, now + 3_600_000),
    [
      { event: 'key_created', key: next.id, ...scopeless, replaces: old.id, by: 'a.nurse', at: now + 7 },
      { event: 'key_revoked', key: old.id, from: now + 3_600_000, by, at: now + 7 },
    ],
  ],
  ['a break-glass key in use', (store) => store.openKey(sealed.id, at), [{ event: 'key_opened', key: sealed.id, at }]],
  [
    'a break-glass key in use again',
    (store) => store.openKey(sealed.id, at).then(() => store.openKey(sealed.id, at + 1)),
    [{ event: 'key_opened', key: sealed.id, at }],
  ],
  [
    'a person of two roles',
    (store) => store.addPerson(createPerson('b.nurse', { roles: ['auditor', 'viewer'], createdBy: by, createdAt: at })),
    [{ event: 'person_added', person: 'b.nurse', roles: 'auditor,viewer', by, at }],
  ],
  ['another credential', (store) => store.setPersonCredential('a.nurse', key.credential, by, at), [{ event: 'person_renewed', person: 'a.nurse', by, at }]],
  ['a person who leaves', (store) => store.revokePerson('a.nurse', by, at), [{ event: 'person_revoked', person: 'a.nurse', by, at }]],
  ['the clock put back', (store) => store.resetClock(by, at), [{ event: 'clock_reset', by, at }]],
  ['a verification', (store) => store.addChange(verified), [verified]],
  ['an export', (store) => store.addChange(exported), [exported]],
  ['a clock that goes on', (store) => store.keepClock(at), []],
  ['usage', (store) => store.addUsage(5, [{ scope: 'tenant', id: 'cardiology', tokens: 1 }]), []],
];

test.each(cases)('what a change leaves, and no more: %s', async (_, act, events) => {
  await using store = await openStore(':memory:');
  await prepare(store);
  await store.dropChanges((await store.listChanges()).at(-1)?.place ?? 0);
  const version = store.version();
  await act(store);
  const changes = await store.listChanges();
  expect(changes.map(({ event }) => event)).toEqual(events);
  // `prepare` makes six changes.
  expect(changes.map(({ place }) => place)).toEqual(events.map((_event, index) => 7 + index));
  expect(store.version() === version).toBe(events.length === 0);
});

test('every event of administration is one of those, or that of a restore', () => {
  const names = Object.entries(eventTable).filter(([, fields]) => 'at' in fields);
  const known = cases.flatMap(([, , events]) => events.map(({ event }) => event));
  expect([...new Set([...known, 'store_restored'])].sort()).toEqual(names.map(([name]) => name).sort());
});

test('the second use of a break-glass key changes nothing, so that nobody loads it', async () => {
  await using store = await openStore(':memory:');
  await prepare(store);
  await store.openKey(sealed.id, at);
  const version = store.version();
  expect(await store.openKey(sealed.id, at + 1)).toBe(at);
  expect(store.version()).toBe(version);
});

const bad = 'Patient John Doe has diabetes';
const refusals: readonly (readonly [string, (store: Store) => Promise<unknown>, RegExp])[] = [
  ['a policy by free text', (store) => store.setPolicy({ site: 'general', region: 'us-east', signatures: 1 }, bad, at), /The field by of the event policy_set/],
  ['a tenant at no time', (store) => store.addTenant({ code: 'oncology' }, by, Number.NaN), /The field at of the event tenant_added/],
  ['a quota by nobody', (store) => store.setTenantQuota({ code: 'cardiology', tokensPerDay: 5 }, '', at), /The field by/],
  ['a credential by free text', (store) => store.setPersonCredential('a.nurse', old.credential, bad, at), /The field by/],
  ['the clock put back by free text', (store) => store.resetClock(bad, at), /The field by of the event clock_reset/],
  ['an agreement of no kind', (store) => store.addRecord(withKind(bad)), /The field kind of the event agreement_added/],
  ['a field more', (store) => store.addChange({ ...verified, note: bad } as AdministrationEvent), /has a field that it does not know/],
  ['a number', (store) => store.addChange({ ...verified, change: 5 }), /expected an event of administration without a number/],
  ['an event of requests', (store) => store.addChange({ event: 'tenant_closed', tenant: 'cardiology' } as unknown as AdministrationEvent), /of administration/],
  ['no event', (store) => store.addChange({ event: bad, at } as unknown as AdministrationEvent), /no such event/],
  ['no place', (store) => store.dropChanges(0.5), /: The place cannot be kept/],
];
const withKind = (kind: string): StoredRecord => ({ ...added, envelope: { ...added.envelope, record: { ...added.envelope.record, kind } } });

test.each(refusals)('refused, with nothing changed and no event: %s', async (_, act, sentence) => {
  await using store = await openStore(':memory:');
  await prepare(store);
  const [before, changes] = [await store.load(), await store.listChanges()];
  const error = await act(store).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SiteError);
  expect(String(error)).toMatch(sentence);
  expect(String(error)).not.toContain(bad);
  expect([await store.load(), await store.listChanges()]).toEqual([before, changes]);
});

test('a change that leaves no event is refused, so that no method can forget it', () => {
  using connection = new Connection(':memory:', true);
  const before = connection.readAll();
  expect(() => connection.change((edit) => edit.insert('tenants', { code: 'cardiology', number: 1 }))).toThrow(/would leave no event in the audit trail/);
  expect(() => connection.change((edit) => edit.writeMeta('clock', 5))).toThrow(/would leave no event/);
  expect(() => connection.change((edit) => edit.clear())).toThrow(/would leave no event/);
  expect(connection.readAll()).toEqual(before);
});

test('what a log has is dropped and its numbers are never used again, also after the file was closed', async () => {
  using folder = createFolder();
  {
    await using store = await openStore(folder.path, { create: true });
    await prepare(store);
    const version = store.version();
    await store.dropChanges(4);
    expect((await store.listChanges()).map(({ place }) => place)).toEqual([5, 6]);
    await store.dropChanges(4);
    await store.dropChanges(6);
    expect(await store.listChanges()).toEqual([]);
    expect(store.version()).toBe(version);
  }
  await using store = await openStore(folder.path);
  await store.addChange(verified);
  expect(await store.listChanges()).toEqual([{ place: 7, event: verified }]);
  await store.dropChanges(1_000_000);
  await store.addChange(verified);
  expect((await store.listChanges()).map(({ place }) => place)).toEqual([8]);
});

test('who takes changes from one process while another writes gets each once, in order, with all that the store holds', async () => {
  using folder = createFolder();
  await using store = await openStore(folder.path, { create: true });
  await store.addTenant({ code: 'cardiology' }, 'setup', now);
  using writer = startWriter(folder.path);
  const taken: Change[] = [];
  const take = async (): Promise<void> => {
    const changes = await store.listChanges();
    taken.push(...changes);
    const last = changes.at(-1);
    if (last !== undefined) await store.dropChanges(last.place);
  };
  for (let turn = 0; turn < 8; turn++) {
    await writer.wait(1);
    await take();
  }
  await writer.kill();
  await take();
  expect(taken.map(({ place }) => place)).toEqual(taken.map((_, index) => index + 1));
  const keys = (await store.load()).keys;
  const find = (name: string): string[] => taken.flatMap(({ event }) => (event.event === name && 'key' in event ? [event.key] : []));
  expect(find('key_created').sort()).toEqual(keys.map(({ id }) => id).sort());
  expect(find('key_revoked').sort()).toEqual(findRevoked(keys));
  for (const id of writer.revoked) expect(find('key_revoked')).toContain(id);
});

test('a process that is killed while it writes leaves no change without its event, and no event without its change', async () => {
  using folder = createFolder();
  {
    await using store = await openStore(folder.path, { create: true });
    await store.addTenant({ code: 'cardiology' }, 'setup', now);
  }
  for (let round = 0; round < 4; round++) {
    using writer = startWriter(folder.path);
    await writer.wait(1 + round);
    await writer.kill();
    await using store = await openStore(folder.path);
    const [{ keys }, changes] = [await store.load(), await store.listChanges()];
    const find = (name: string): string[] => changes.flatMap(({ event }) => (event.event === name && 'key' in event ? [event.key] : [])).sort();
    expect(find('key_created')).toEqual(keys.map(({ id }) => id).sort());
    expect(find('key_revoked')).toEqual(findRevoked(keys));
  }
});

const findRevoked = (keys: readonly AccessKey[]): string[] =>
  keys
    .filter(({ revokedAt }) => revokedAt !== undefined)
    .map(({ id }) => id)
    .sort();

/** So many events more than the store has, in rows as it would write them. */
function fillUp(path: string, count: number): void {
  using database = new DatabaseSync(path);
  const event = canonicalize(verified);
  database
    .prepare(`WITH RECURSIVE n (i) AS (SELECT nextChange FROM meta UNION ALL SELECT i + 1 FROM n LIMIT ?) INSERT INTO changes SELECT i, ? FROM n`)
    .run(count, event);
  database.prepare('UPDATE meta SET nextChange = nextChange + ?').run(count);
  database.prepare('UPDATE meta SET digest = ?').run(digestRows(database));
}

test('with 100,000 changes that no log has taken nothing more is granted, and all that is open can still be closed', async () => {
  using folder = createFolder();
  {
    await using store = await openStore(folder.path, { create: true });
    await prepare(store);
  }
  fillUp(folder.path, 100_000 - 7);
  await using store = await openStore(folder.path);
  await store.addTenant({ code: 'oncology' }, by, at);
  const version = store.version();
  const sentence = /^100000 changes of this store are not in the audit trail yet, and only revocations are made: start the server/;
  const refused: readonly (() => Promise<unknown>)[] = [
    () => store.addKey(createKey()),
    () => store.replaceKey(next, by, at),
    () => store.addPerson(createPerson('b.nurse')),
    () => store.setPersonCredential('a.nurse', key.credential, by, at),
    () => store.setPolicy({ site: 'general', region: 'us-east', signatures: 1 }, by, at),
    () => store.addRecord(added),
    () => store.resetClock(by, at),
    () => store.addChange(verified),
  ];
  for (const act of refused) await expect(act()).rejects.toThrow(sentence);
  expect(store.version()).toBe(version);
  await store.openKey(sealed.id, at);
  for (const { id } of [key, sealed, old]) await store.revokeKey(id, by, at);
  await store.revokePerson('a.nurse', by, at);
  await store.revokeAgreement('agr-00000001', by, at);
  expect((await store.listChanges()).slice(-6).map(({ event }) => event.event)).toEqual([
    'key_opened',
    ...['key_revoked', 'key_revoked', 'key_revoked'],
    'person_revoked',
    'agreement_revoked',
  ]);
  // Six were taken beyond the limit.
  await store.dropChanges(6);
  await expect(store.addKey(createKey())).rejects.toThrow(sentence);
  await store.dropChanges(7);
  await store.addKey(createKey());
});

test('the longest event of each kind has room in its column', async () => {
  const longest = { ...verified, by: 'n'.repeat(48), at: 253_402_300_799_999, records: 2 ** 53 - 1 };
  await using store = await openStore(':memory:');
  await store.addChange(longest);
  expect((await store.listChanges())[0]?.event).toEqual(longest);
  for (const [name, { change: _, ...fields }] of Object.entries(eventTable)) {
    if (!('at' in fields)) continue;
    const sizes = Object.entries(fields).map(
      ([field, { type, most }]) => field.length + (type === 'count' ? String(most).length : type === 'flag' ? 5 : most) + 6,
    );
    expect(sizes.reduce((sum, size) => sum + size, `{"event":"${name}"}`.length)).toBeLessThanOrEqual(600);
  }
});

test.each([
  ['an event of no list', '{"at":5,"event":"patient_named"}'],
  ['a field more', '{"at":5,"by":"a.nurse","event":"clock_reset","note":"John"}'],
  ['another order', '{"event":"clock_reset","at":5,"by":"a.nurse"}'],
  ['a number of its own', '{"at":5,"by":"a.nurse","change":5,"event":"clock_reset"}'],
])('an event that the store did not write is not handed to a log, also under a digest that fits: %s', async (_, text) => {
  using site = await createClosed();
  using database = new DatabaseSync(site.path);
  database.prepare('UPDATE changes SET event = ? WHERE place = 3').run(text);
  database.prepare('UPDATE meta SET digest = ?').run(digestRows(database));
  database.close();
  await using store = await openStore(site.path);
  await expect(store.listChanges()).rejects.toThrow(/is damaged: a row of changes has another form; restore a backup\.$/);
  await expect(store.load()).rejects.toThrow(/is damaged/);
});

test.each([
  ['an event changed', `UPDATE changes SET event = replace(event, 'cardiology', 'cardiologx') WHERE event GLOB '*tenant_added*'`],
  ['an event taken out', 'DELETE FROM changes WHERE place = 3'],
  ['an event in the place of another', 'UPDATE changes SET place = 100000 WHERE place = 3'],
  ['numbers from the start', 'UPDATE meta SET nextChange = 1'],
])('what was written past the store is seen, by who opens it and who has it open: %s', async (_, sql) => {
  using site = await createClosed();
  await using store = await openStore(site.path);
  using database = new DatabaseSync(site.path);
  expect(database.prepare(sql).run().changes).toBe(1);
  await expect(store.listChanges()).rejects.toThrow(/is damaged: its rows do not fit its digest/);
  await refuseStore(site.path, /is damaged: its rows do not fit its digest/);
});
