import { renameSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SiteError } from '../../../server/privacy/errors.ts';
import type { AccessKey, Credential, Person } from '../../../server/privacy/grants.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import type { Change, Snapshot, Store } from '../../../server/privacy/store.ts';
import { purposes, roles, routeScopes } from '../../../server/privacy/words.ts';
import { createFolder, createKey, createPerson, createRecord, createSigner, fillStore, now } from './site.ts';

const hex = (length: number): fc.Arbitrary<string> => fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const letters = (set: string, minLength: number, maxLength: number): fc.Arbitrary<string> => fc.string({ unit: fc.constantFrom(...set), minLength, maxLength });
const time = fc.integer({ min: 0, max: 253_402_300_799_999 });
const printable = String.fromCharCode(...Array.from({ length: 94 }, (_, i) => i + 0x21));
const credential: fc.Arbitrary<Credential> = fc.oneof(
  fc.record({ type: fc.constant('secret' as const), salt: hex(32), hash: hex(64) }),
  fc.record({ type: fc.constant('token' as const), issuer: letters(printable, 1, 200), subject: letters(printable, 1, 200) }),
  fc.record({ type: fc.constant('certificate' as const), fingerprint: hex(64) }),
);
const keyId = letters('0123456789abcdefghjkmnpqrstvwxyz', 10, 10);
const personId = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{1,47}$/);
const revocation = fc.option(fc.record({ revokedAt: time, revokedBy: personId }), { nil: {} });
const granted = fc.record({ credential, createdAt: time, createdBy: personId, expiresAt: time }, { requiredKeys: ['credential', 'createdAt', 'createdBy'] });
const tokens = fc.integer({ min: 1, max: 1e12 });
const scopes: fc.Arbitrary<AccessKey['scopes']> = fc.record(
  {
    models: fc.array(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,119}$/), { maxLength: 64 }),
    routes: fc.uniqueArray(fc.constantFrom(...routeScopes), { minLength: 1 }),
    purposes: fc.uniqueArray(fc.constantFrom(...purposes), { minLength: 1 }),
    networks: fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('2001:db8::/32'), fc.constant('10.0.0.0/8')), { maxLength: 64 }),
    hours: fc.record({
      days: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      from: fc.constantFrom('00:00', '19:30'),
      to: fc.constantFrom('07:00', '24:00'),
      timeZone: fc.constantFrom('America/Argentina/ComodRivadavia', 'Etc/GMT+5', 'UTC', 'America/Port-au-Prince'),
    }),
    tokensPerMinute: tokens,
    tokensPerDay: tokens,
    priority: fc.constantFrom('interactive' as const, 'batch' as const),
    region: fc.constantFrom('us-east', 'de-by', 'on-prem-1'),
  },
  { requiredKeys: ['models', 'routes', 'purposes', 'networks', 'priority'] },
);

function refuse(work: Promise<unknown>, sentence: RegExp): Promise<void> {
  return Promise.all([expect(work).rejects.toThrow(sentence), expect(work).rejects.toBeInstanceOf(SiteError)]).then(() => undefined);
}

async function openFilled(): Promise<{ store: Store; before: Snapshot; changes: readonly Change[] }> {
  const store = await openStore(':memory:');
  await fillStore(store);
  return { store, before: await store.load(), changes: await store.listChanges() };
}

test('a new store is empty, and is not set up', async () => {
  await using store = await openStore(':memory:');
  const { version, ...rest } = await store.load();
  expect(rest).toEqual({ policy: undefined, trustedKeys: [], agreements: [], manifest: undefined, tenants: [], keys: [], people: [], clock: 0 });
  expect(version).toBe(store.version());
});

test('any key and any person come back as they went in, whatever their forms allow', async () => {
  await using store = await openStore(':memory:');
  await store.addTenant({ code: 'x' }, 'setup', now);
  const code = fc.stringMatching(/^[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,3}){0,7}$/);
  const key = fc.record({ id: keyId, label: code, data: fc.constantFrom('phi' as const, 'synthetic' as const), scopes, granted, revocation, openedAt: time });
  const sample = fc.record({
    key,
    person: fc.record({ id: personId, roles: fc.uniqueArray(fc.constantFrom(...roles), { minLength: 1 }), granted, revocation }),
    isSealed: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      sample,
      async ({ key: { granted: by, revocation: revoked, openedAt, ...rest }, person: { granted: personBy, revocation: left, ...other }, isSealed }) => {
        const added: AccessKey = { ...rest, ...by, ...revoked, tenant: 'x', isSealed, ...(isSealed ? { openedAt } : {}) };
        const person: Person = { ...other, ...personBy, ...left };
        const { keys, people } = await store.load();
        fc.pre(!keys.some(({ id }) => id === added.id) && !people.some(({ id }) => id === person.id));
        await store.addKey(added);
        await store.addPerson(person);
        const after = await store.load();
        expect(after.keys.find(({ id }) => id === added.id)).toEqual(added);
        expect(after.people.find(({ id }) => id === person.id)).toEqual(person);
        expect([after.keys.length, after.people.length]).toEqual([keys.length + 1, people.length + 1]);
      },
    ),
    { numRuns: 60, seed: 7 },
  );
});

test('records come back as they were signed, the latest manifest that is not revoked is in force', async () => {
  await using store = await openStore(':memory:');
  const signer = createSigner();
  const agreement = createRecord(signer, 'agr-00000001', { addedAt: now + 9 });
  await store.addRecord(agreement);
  await store.addRecord(createRecord(signer, 'mf-00000001'));
  const manifest = createRecord(signer, 'mf-00000002');
  await store.addRecord(manifest);
  await store.addRecord(createRecord(signer, 'mf-00000003', { revokedAt: now, revokedBy: 'setup' }));
  const snapshot = await store.load();
  expect(snapshot.agreements).toEqual([agreement]);
  expect(snapshot.manifest).toEqual(manifest);
});

test('policy, trusted keys, tenants and the clock come back', async () => {
  await using store = await openStore(':memory:');
  const { trusted } = createSigner();
  await store.addTrustedKey(trusted);
  await store.setPolicy({ site: 'general', region: 'us-east', signatures: 1 }, 'setup', now);
  await store.setPolicy({ site: 'general', region: 'on-prem-1', signatures: 2 }, 'setup', now);
  expect(await store.addTenant({ code: 'cardiology' }, 'setup', now)).toEqual({ code: 'cardiology', number: 1 });
  await store.addTenant({ code: 'oncology', tokensPerMinute: 1, tokensPerDay: 2 }, 'setup', now);
  await store.setTenantQuota({ code: 'oncology', tokensPerDay: 7 }, 'setup', now);
  await store.keepClock(now);
  await store.keepClock(now - 1);
  expect(await store.load()).toMatchObject({
    policy: { site: 'general', region: 'on-prem-1', signatures: 2 },
    trustedKeys: [trusted],
    tenants: [
      { code: 'cardiology', number: 1 },
      { code: 'oncology', number: 2, tokensPerDay: 7 },
    ],
    clock: now,
  });
  expect((await store.load()).tenants[1]).not.toHaveProperty('tokensPerMinute');
  await store.resetClock('setup', 5);
  expect((await store.load()).clock).toBe(5);
});

const bad = 'Patient John Doe has diabetes';
const refusals: readonly (readonly [string, (store: Store, snapshot: Snapshot) => Promise<unknown>, RegExp])[] = [
  ['a key whose id is there', (store, { keys }) => store.addKey(createKey({ id: keys[0]?.id ?? '' })), /^There is a key \w+ in this store already/],
  ['a key of an unknown tenant', (store) => store.addKey(createKey({ tenant: 'oncology' })), /^There is no tenant oncology in this store\.$/],
  ['a key with free text as label', (store) => store.addKey(createKey({ label: bad })), /^The key cannot be kept: the field "label"/],
  ['a key revoked by nobody', (store) => store.addKey(createKey({ revokedAt: 5 })), /^A revocation cannot be kept/],
  ['a key that was opened and is not sealed', (store) => store.addKey(createKey({ openedAt: 5 })), /does not have the form/],
  ['a key that takes the place of an unknown one', (store) => store.addKey(createKey({ replaces: '0000000000' })), /^There is no key 0000000000/],
  ['a key with a field more', (store) => store.addKey({ ...createKey(), note: bad } as AccessKey), /^The key cannot be kept/],
  ['an unknown key to revoke', (store) => store.revokeKey('0000000000', 'a.nurse', now), /^There is no key 0000000000 in this store\.$/],
  ['free text as a key to revoke', (store) => store.revokeKey(bad, 'a.nurse', now), /^There is no key of that id in this store\.$/],
  ['free text as who revokes', (store, { keys }) => store.revokeKey(keys[1]?.id ?? '', bad, now), /^The revocation cannot be kept: the field "by"/],
  ['a time that is none', (store, { keys }) => store.revokeKey(keys[1]?.id ?? '', 'a.nurse', Number.NaN), /the field "at"/],
  ['a revoked key to revoke', (store, { keys }) => revokeAgain(store, keys), /^The key \w+ has been revoked already, as of 2026-11-24T.*Z by a\.nurse\.$/],
  ['a person whose id is there', (store) => store.addPerson(createPerson('a.nurse')), /^There is a person a\.nurse/],
  ['an unknown person to revoke', (store) => store.revokePerson('d.nurse', 'a.nurse', now), /^There is no person d\.nurse/],
  ['a revoked person to revoke', (store) => store.revokePerson('b.nurse', 'a.nurse', now + 2), /^The person b\.nurse has been revoked already/],
  ['a credential of an unknown person', (store) => store.setPersonCredential('d.nurse', createKey().credential, 'setup', now), /^There is no person d\.nurse/],
  [
    'a credential with free text',
    (store) => store.setPersonCredential('a.nurse', { type: 'token', issuer: bad, subject: 'x' }, 'setup', now),
    /the field "issuer"/,
  ],
  ['a tenant whose code is there', (store) => store.addTenant({ code: 'cardiology' }, 'setup', now), /^There is a tenant cardiology/],
  ['a tenant with free text', (store) => store.addTenant({ code: bad }, 'setup', now), /^The tenant cannot be kept: the field "code"/],
  ['a quota of an unknown tenant', (store) => store.setTenantQuota({ code: 'oncology', tokensPerDay: 5 }, 'setup', now), /^There is no tenant oncology/],
  ['a quota of nothing', (store) => store.setTenantQuota({ code: 'cardiology', tokensPerDay: 0 }, 'setup', now), /the field "tokensPerDay"/],
  ['a trusted key that is there', (store, { trustedKeys: [key] }) => store.addTrustedKey(key ?? createSigner().trusted), /^There is a trusted key ck-/],
  [
    'a trusted key under the id of another',
    (store) => store.addTrustedKey({ ...createSigner().trusted, id: createSigner().trusted.id }),
    /its id is not the one/,
  ],
  ['a trusted key that is none', (store) => store.addTrustedKey({ ...createSigner().trusted, pem: bad }), /is no public key/],
  ['a record whose id is there', (store) => store.addRecord(createRecord(createSigner(), 'agr-00000002')), /^There is a record agr-00000002/],
  ['a record with free text as id', (store) => store.addRecord(createRecord(createSigner(), bad)), /^The record cannot be kept: the field "id"/],
  ['an unknown agreement to revoke', (store) => store.revokeAgreement('agr-00000009', 'a.nurse', now), /^There is no record agr-00000009/],
  [
    'a revoked agreement to revoke',
    (store) => store.revokeAgreement('agr-00000001', 'a.nurse', now + 5),
    /^The agreement agr-00000001 has been revoked already/,
  ],
  ['a manifest to revoke as an agreement', (store) => store.revokeAgreement('mf-00000001', 'a.nurse', now), /is no agreement/],
  ['a policy with free text', (store) => store.setPolicy({ site: bad, region: 'us-east', signatures: 1 }, 'setup', now), /the field "site"/],
  ['a common key to open', (store, { keys }) => store.openKey(keys.find(({ isSealed }) => !isSealed)?.id ?? '', now), /is no break-glass key/],
  ['usage with free text', (store) => store.addUsage(5, [{ scope: 'tenant', id: bad, tokens: 1 }]), /^The usage cannot be kept: the field "id"/],
  ['usage below nothing', (store) => store.addUsage(5, [{ scope: 'tenant', id: 'x', tokens: -1 }]), /the field "tokens"/],
  ['a day that is none', (store) => store.addUsage(0.5, []), /^The day cannot be kept/],
  ['a clock that is none', (store) => store.keepClock(Number.POSITIVE_INFINITY), /^The time cannot be kept/],
  ['a clock to reset that is none', (store) => store.resetClock('setup', -1), /^The time cannot be kept/],
  ['a replacement of nothing', (store) => store.replaceKey(createKey(), 'a.nurse', now), /replaces none/],
  ['a replacement of an unknown key', (store) => store.replaceKey(createKey({ replaces: '0000000000' }), 'a.nurse', now), /^There is no key 0000000000/],
  ['a replacement of a revoked key', (store, { keys }) => replaceRevoked(store, keys), /has been revoked already/],
  ['a replacement by a key that is there', (store, { keys }) => replaceBySame(store, keys), /^There is a key/],
  ['a replacement by nobody', (store, { keys }) => store.replaceKey(createKey({ replaces: findOpen(keys) }), bad, now), /the field "by"/],
];

const findOpen = (keys: readonly AccessKey[]): string => keys.find(({ revokedAt }) => revokedAt === undefined)?.id ?? '';
const findRevoked = (keys: readonly AccessKey[]): string => keys.find(({ revokedAt }) => revokedAt !== undefined)?.id ?? '';
const revokeAgain = (store: Store, keys: readonly AccessKey[]): Promise<void> => store.revokeKey(findRevoked(keys), 'b.nurse', now + 3600);
const replaceRevoked = (store: Store, keys: readonly AccessKey[]): Promise<void> =>
  store.replaceKey(createKey({ replaces: findRevoked(keys) }), 'a.nurse', now);
const replaceBySame = (store: Store, keys: readonly AccessKey[]): Promise<void> =>
  store.replaceKey(createKey({ id: findRevoked(keys), replaces: findOpen(keys) }), 'a.nurse', now);

test.each(refusals)('refused, with nothing changed: %s', async (_, act, sentence) => {
  const { store, before, changes } = await openFilled();
  await refuse(act(store, before), sentence);
  expect(await store.load()).toEqual(before);
  expect(await store.listChanges()).toEqual(changes);
  expect(await store.readUsage(20_000)).toEqual([{ scope: 'tenant', id: 'cardiology', tokens: 5 }]);
  await store[Symbol.asyncDispose]();
});

test('a rotation with overlap ends both ways: at its time, or at once when the old key leaks', async () => {
  await using store = await openStore(':memory:');
  await store.addTenant({ code: 'cardiology' }, 'setup', now);
  const old = createKey();
  await store.addKey(old);
  const next = createKey({ replaces: old.id });
  await store.replaceKey(next, 'a.nurse', now + 1000);
  const find = async (id: string): Promise<AccessKey | undefined> => (await store.load()).keys.find((key) => key.id === id);
  expect(await find(old.id)).toMatchObject({ revokedAt: now + 1000, revokedBy: 'a.nurse' });
  expect(await find(next.id)).toEqual(next);
  await refuse(store.replaceKey(createKey({ replaces: old.id }), 'a.nurse', now), /has been revoked already/);
  await store.revokeKey(old.id, 'b.nurse', now + 10);
  expect(await find(old.id)).toMatchObject({ revokedAt: now + 10, revokedBy: 'b.nurse' });
  await refuse(store.revokeKey(old.id, 'a.nurse', now + 11), /as of 2026-11-24T10:00:00\.010Z by b\.nurse/);
});

test('a break-glass key is opened once, whoever comes second', async () => {
  using folder = createFolder();
  await using first = await openStore(folder.path, { create: true });
  await using second = await openStore(folder.path);
  await first.addTenant({ code: 'cardiology' }, 'setup', now);
  const key = createKey({ isSealed: true });
  await first.addKey(key);
  expect(await second.openKey(key.id, now + 5)).toBe(now + 5);
  expect(await first.openKey(key.id, now + 4)).toBe(now + 5);
  expect((await first.load()).keys).toEqual([{ ...key, openedAt: now + 5 }]);
  await first.revokeKey(key.id, 'a.nurse', now + 8);
  await refuse(second.openKey(key.id, now + 8), /has been revoked already/);
});

test('what was judged by a snapshot that is no longer true is refused, with nothing changed', async () => {
  const { store, before } = await openFilled();
  const signer = createSigner();
  await store.revokePerson('c.nurse', 'a.nurse', now + 5, before.version);
  const after = await store.load();
  const writes: readonly ((version: number) => Promise<void>)[] = [
    (version) => store.addTrustedKey(signer.trusted, version),
    (version) => store.addRecord(createRecord(signer, 'agr-00000005'), version),
    (version) => store.addKey(createKey(), version),
    (version) => store.addPerson(createPerson('d.nurse'), version),
    (version) => store.revokePerson('a.nurse', 'c.nurse', now + 5, version),
  ];
  for (const write of writes) await refuse(write(before.version), /^The site was changed by somebody else while this command looked at it/);
  expect(await store.load()).toEqual(after);
  for (const write of writes) await write(store.version());
  await store[Symbol.asyncDispose]();
});

test('a person gets another credential whole: nothing of the one before is left', async () => {
  await using store = await openStore(':memory:');
  await store.addPerson(createPerson('a.nurse'));
  const credentials: readonly Credential[] = [
    { type: 'token', issuer: 'https://idp.example', subject: 'a' },
    { type: 'certificate', fingerprint: 'ab'.repeat(32) },
    createKey().credential,
  ];
  for (const other of credentials) {
    await store.setPersonCredential('a.nurse', other, 'setup', now);
    expect((await store.load()).people[0]?.credential).toEqual(other);
  }
});

test('usage adds up, and is dropped when it is more than two days older', async () => {
  await using store = await openStore(':memory:');
  const key = { scope: 'key', id: '0123456789', tokens: 4 } as const;
  await store.addUsage(100, [key, { scope: 'tenant', id: 'cardiology', tokens: 4 }]);
  await store.addUsage(100, [key, { ...key, tokens: 1 }]);
  expect(await store.readUsage(100)).toEqual([
    { ...key, tokens: 9 },
    { scope: 'tenant', id: 'cardiology', tokens: 4 },
  ]);
  await store.addUsage(102, [key]);
  await store.addUsage(101, [key]);
  expect((await store.readUsage(100)).length).toBe(2);
  await store.addUsage(103, []);
  expect(await store.readUsage(100)).toEqual([]);
  expect(await store.readUsage(101)).toEqual([key]);
  await store.addUsage(102, [{ ...key, tokens: 1e15 }]);
  await store.addUsage(102, [{ ...key, tokens: 1e15 }]);
  expect(await store.readUsage(102)).toEqual([{ ...key, tokens: 1e15 }]);
});

test('the version changes with every grant, for all who have the file open; usage and a clock that goes on are none', async () => {
  using folder = createFolder();
  await using writer = await openStore(folder.path, { create: true });
  await using reader = await openStore(folder.path);
  const seen = new Set<number>([reader.version()]);
  const signer = createSigner();
  const [key, next, sealed] = [createKey(), createKey(), createKey({ isSealed: true })];
  const writes: readonly (() => Promise<unknown>)[] = [
    () => writer.setPolicy({ site: 'general', region: 'us-east', signatures: 1 }, 'setup', now),
    () => writer.addTrustedKey(signer.trusted),
    () => writer.addRecord(createRecord(signer, 'agr-00000001')),
    () => writer.revokeAgreement('agr-00000001', 'a.nurse', now),
    () => writer.addTenant({ code: 'cardiology' }, 'setup', now),
    () => writer.setTenantQuota({ code: 'cardiology', tokensPerDay: 5 }, 'setup', now),
    () => writer.addKey(key),
    () => writer.replaceKey({ ...next, replaces: key.id }, 'a.nurse', now),
    () => writer.revokeKey(next.id, 'a.nurse', now),
    () => writer.addKey(sealed),
    () => writer.openKey(sealed.id, now),
    () => writer.addPerson(createPerson('a.nurse')),
    () => writer.setPersonCredential('a.nurse', key.credential, 'setup', now),
    () => writer.revokePerson('a.nurse', 'setup', now),
    () => writer.resetClock('setup', now),
  ];
  for (const write of writes) {
    await write();
    expect(seen).not.toContain(reader.version());
    expect(writer.version()).toBe(reader.version());
    seen.add(reader.version());
    expect((await reader.load()).version).toBe(reader.version());
  }
  expect(await reader.load()).toEqual(await writer.load());
  const before = reader.version();
  await writer.addUsage(5, [{ scope: 'key', id: key.id, tokens: 1 }]);
  await writer.keepClock(now + 5);
  expect([reader.version(), writer.version()]).toEqual([before, before]);
  expect((await reader.load()).clock).toBe(now + 5);
});

test('what was written is there when the file is opened again', async () => {
  using folder = createFolder();
  const store = await openStore(folder.path, { create: true });
  await fillStore(store, 6);
  const before = await store.load();
  await store[Symbol.asyncDispose]();
  await using again = await openStore(folder.path);
  expect(await again.load()).toEqual(before);
  // Three of the six, and the one that was replaced.
  expect(before.keys.filter(({ revokedAt }) => revokedAt !== undefined).length).toBe(4);
});

test('a store that was closed answers nothing', async () => {
  const { store } = await openFilled();
  await store[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  expect(() => store.version()).toThrow(/has been closed/);
  await refuse(store.load(), /has been closed/);
  await refuse(store.revokePerson('a.nurse', 'setup', now), /has been closed/);
});

test('a file that is moved or replaced under an open store is neither believed nor written to', async () => {
  using folder = createFolder();
  await using store = await openStore(folder.path, { create: true });
  await fillStore(store);
  const moved = `${folder.path}.moved`;
  renameSync(folder.path, moved);
  const check = async (): Promise<void> => {
    expect(() => store.version()).toThrow(/was moved or replaced while it was open/);
    await refuse(store.load(), /was moved or replaced/);
    await refuse(store.revokePerson('a.nurse', 'setup', now), /was moved or replaced/);
    await refuse(store.addUsage(5, []), /was moved or replaced/);
  };
  await check();
  for (const part of ['-wal', '-shm']) renameSync(folder.path + part, moved + part);
  await using other = await openStore(folder.path, { create: true });
  expect((await other.load()).people).toEqual([]);
  await check();
});
