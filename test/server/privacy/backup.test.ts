import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AdministrationEvent } from '../../../server/privacy/audit/events.ts';
import { signEnvelope } from '../../../server/privacy/envelope.ts';
import { SiteError } from '../../../server/privacy/errors.ts';
import type { AccessKey } from '../../../server/privacy/grants.ts';
import { backupStore, type RestoreOptions, type RestoreResult, restoreStore } from '../../../server/privacy/store/backup.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import type { Store, StoredRecord } from '../../../server/privacy/store.ts';
import { synthetic } from './records.ts';
import { createFolder, createKey, createPerson, createRecord, createSigner, type Folder, fillStore, listChanges, loadStore, now, startWriter } from './site.ts';

interface Site extends AsyncDisposable {
  readonly path: string;
  /** Where a backup goes: a folder that others can read, as a mounted disk may be. */
  readonly target: string;
  readonly store: Store;
}

async function createSite(fill: (store: Store) => Promise<void> = (store) => fillStore(store)): Promise<Site> {
  const folder: Folder = createFolder();
  const disk = join(folder.folder, 'disk');
  mkdirSync(disk, { mode: 0o755 });
  const store = await openStore(folder.path, { create: true });
  await fill(store);
  const end = async (): Promise<void> => {
    await store[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  };
  return { path: folder.path, target: join(disk, 'backup.sqlite'), store, [Symbol.asyncDispose]: end };
}

/** By a person of fillStore's site. */
function restore(source: string, path: string, options: Partial<RestoreOptions> = {}): Promise<RestoreResult> {
  return restoreStore(source, path, { by: 'a.nurse', at: Date.now(), ...options });
}

async function refuse(work: Promise<unknown>, sentence: RegExp): Promise<void> {
  const error = await work.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SiteError);
  expect(String(error)).toMatch(sentence);
}

const findKey = async (store: Store, id: string): Promise<AccessKey | undefined> => (await store.load()).keys.find((key) => key.id === id);

test('a backup is one file, for its user only, that holds all; nothing is left beside it', async () => {
  await using site = await createSite();
  const before = await site.store.load();
  const umask = process.umask(0);
  const counts = await backupStore(site.path, site.target).finally(() => process.umask(umask));
  // fillStore: three keys, a sealed one and the one in its place; three people.
  expect(counts).toEqual({ keys: 5, people: 3, tenants: 1, agreements: 2, manifests: 1 });
  expect(statSync(site.target).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(site.target))).toEqual(['backup.sqlite']);
  expect(await site.store.load()).toEqual(before);
  const other = join(dirname(site.target), 'other', 'inward.sqlite');
  expect(await restore(site.target, other)).toEqual({
    ...counts,
    isMerged: false,
    revokedSince: 0,
    closed: { keys: 0, people: 0 },
    leftOut: 0,
    keptAs: undefined,
  });
  expect(await loadStore(other)).toEqual(before);
  expect(readdirSync(dirname(other))).toEqual(['inward.sqlite']);
  expect([statSync(other).mode & 0o777, statSync(dirname(other)).mode & 0o777]).toEqual([0o600, 0o700]);
  await using restored = await openStore(other);
  expect(await restored.readUsage(20_000)).toEqual(await site.store.readUsage(20_000));
});

test('a backup that is taken while another process writes is of one moment', async () => {
  await using site = await createSite(async (store) => void (await store.addTenant({ code: 'cardiology' }, 'setup', now)));
  using writer = startWriter(site.path);
  await writer.wait(1);
  for (let turn = 0; turn < 4; turn++) {
    const target = `${site.target}-${turn}`;
    const said = [...writer.revoked];
    await backupStore(site.path, target);
    const copy = join(dirname(site.target), `copy-${turn}`, 'inward.sqlite');
    await restore(target, copy);
    const { keys } = await loadStore(copy);
    const revoked = new Set(keys.filter(({ revokedAt }) => revokedAt !== undefined).map(({ id }) => id));
    for (const id of said) expect(revoked).toContain(id);
    expect(keys.flatMap(({ replaces }) => replaces ?? []).filter((id) => !revoked.has(id))).toEqual([]);
    await writer.wait(1);
  }
  await writer.kill();
});

test('what is there already is not written over, and what cannot be written is named', async () => {
  await using site = await createSite();
  writeFileSync(site.target, 'mine');
  await refuse(backupStore(site.path, site.target), /backup\.sqlite is there already: expected a name that is free\.$/);
  expect(readFileSync(site.target, 'utf8')).toBe('mine');
  await refuse(backupStore(site.path, site.path), /inward\.sqlite(-\w+)? (is there already|belongs to a store)/);
  await refuse(backupStore(site.path, join(site.target, 'x')), /cannot be (made|read)/);
  await refuse(backupStore(join(dirname(site.path), 'none'), `${site.target}2`), /none is not there/);
  expect(readdirSync(dirname(site.target))).toEqual(['backup.sqlite']);
});

test('a damaged store is not backed up', async () => {
  await using site = await createSite();
  await site.store[Symbol.asyncDispose]();
  using other = new DatabaseSync(site.path);
  other.exec('UPDATE keys SET revokedAt = NULL, revokedBy = NULL');
  other.close();
  await refuse(backupStore(site.path, site.target), /is damaged/);
  expect(existsSync(site.target)).toBe(false);
});

test('what was closed after the backup stays closed, and what was added is revoked and counted', async () => {
  const [signer, signerToo] = [createSigner(), createSigner()];
  const sign = (id: string): StoredRecord => createRecord(signer, id, {}, signerToo);
  const [revoked, opened, kept] = [createKey(), createKey({ isSealed: true }), createKey()];
  await using site = await createSite(async (store) => {
    await store.setPolicy({ site: 'general', region: 'us-east', signatures: 1 }, 'setup', now);
    await store.addTrustedKey(signer.trusted);
    await store.addTenant({ code: 'cardiology' }, 'setup', now);
    for (const key of [revoked, opened, kept]) await store.addKey(key);
    for (const id of ['a.nurse', 'b.nurse']) await store.addPerson(createPerson(id));
    await store.addRecord(sign('agr-00000001'));
    await store.addRecord(sign('agr-00000002'));
    await store.addUsage(20_000, [{ scope: 'key', id: kept.id, tokens: 5 }]);
  });
  await backupStore(site.path, site.target);
  const { store } = site;
  const added = createKey({ tenant: 'oncology' });
  const certificate = { type: 'certificate', fingerprint: 'ab'.repeat(32) } as const;
  await store.setPolicy({ site: 'general', region: 'us-east', signatures: 2 }, 'setup', now);
  await store.revokeKey(revoked.id, 'a.nurse', now + 1);
  await store.openKey(opened.id, now + 2);
  await store.revokePerson('b.nurse', 'a.nurse', now + 3);
  await store.setPersonCredential('a.nurse', certificate, 'setup', now);
  await store.revokeAgreement('agr-00000001', 'a.nurse', now + 4);
  await store.addTrustedKey(signerToo.trusted);
  await store.addRecord(sign('agr-00000003'));
  await store.addRecord(sign('mf-00000001'));
  await store.addTenant({ code: 'oncology' }, 'setup', now);
  await store.addKey(added);
  await store.addPerson(createPerson('c.nurse'));
  await store.addUsage(20_000, [{ scope: 'key', id: kept.id, tokens: 5 }]);
  await store.keepClock(now + 9);
  const before = await store.load();
  await using reader = await openStore(site.path);

  const result = await restore(site.target, site.path);
  expect(result).toEqual({
    keys: 4,
    people: 3,
    tenants: 2,
    agreements: 3,
    manifests: 1,
    isMerged: true,
    revokedSince: 3,
    closed: { keys: 1, people: 1 },
    leftOut: 0,
    keptAs: `${site.path}.before-restore`,
  });
  // Both had the file open all the time.
  expect(reader.version()).not.toBe(before.version);
  const after = await reader.load();
  expect(await store.load()).toEqual(after);
  expect(after.keys).toHaveLength(4);
  // As of the latest time that the site has seen: what this machine's clock says may be wrong.
  expect(after.keys).toContainEqual({ ...added, revokedAt: now + 9, revokedBy: 'a.nurse' });
  expect(after.keys).toContainEqual({ ...revoked, revokedAt: now + 1, revokedBy: 'a.nurse' });
  expect(after.keys).toContainEqual({ ...opened, openedAt: now + 2 });
  expect(after.keys).toContainEqual(kept);
  expect(after.people).toMatchObject([
    { id: 'a.nurse', credential: certificate },
    { id: 'b.nurse', revokedAt: now + 3, revokedBy: 'a.nurse' },
    { id: 'c.nurse', revokedAt: now + 9, revokedBy: 'a.nurse' },
  ]);
  expect([after.policy, after.agreements, after.manifest, after.clock]).toEqual([before.policy, before.agreements, before.manifest, before.clock]);
  expect(after.trustedKeys).toHaveLength(2);
  expect(after.tenants).toEqual([
    { code: 'cardiology', number: 1 },
    { code: 'oncology', number: 2 },
  ]);
  expect(await store.addTenant({ code: 'radiology' }, 'setup', now)).toEqual({ code: 'radiology', number: 3 });
  expect(await store.readUsage(20_000)).toEqual([{ scope: 'key', id: kept.id, tokens: 10 }]);

  const kept2 = join(dirname(site.target), 'kept', 'inward.sqlite');
  await restore(`${site.path}.before-restore`, kept2);
  expect(await loadStore(kept2)).toEqual(before);
  expect(readdirSync(dirname(site.path)).sort()).toEqual(['inward.sqlite', 'inward.sqlite-shm', 'inward.sqlite-wal', 'inward.sqlite.before-restore']);
  expect(statSync(`${site.path}.before-restore`).mode & 0o777).toBe(0o600);
});

test('a revocation of the future in the backup is not put off, one in the store not either', async () => {
  const [early, late] = [createKey(), createKey()];
  await using site = await createSite(async (store) => {
    await store.addTenant({ code: 'cardiology' }, 'setup', now);
    await store.addKey(early);
    await store.addKey(late);
    await store.replaceKey(createKey({ replaces: early.id }), 'a.nurse', now + 1000);
  });
  await backupStore(site.path, site.target);
  await site.store.revokeKey(early.id, 'b.nurse', now + 1);
  await site.store.replaceKey(createKey({ replaces: late.id }), 'a.nurse', now + 2000);
  await restore(site.target, site.path);
  expect(await findKey(site.store, early.id)).toMatchObject({ revokedAt: now + 1, revokedBy: 'b.nurse' });
  expect(await findKey(site.store, late.id)).toMatchObject({ revokedAt: now + 2000, revokedBy: 'a.nurse' });
});

test('whatever happens between backup and restore: nothing opens again, no tenant number goes to another', async () => {
  const step = fc.tuple(fc.constantFrom('add', 'revoke', 'replace', 'open', 'tenant', 'clock', 'person', 'leave', 'backup'), fc.nat(5), fc.nat(3000));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25 }), async (steps) => {
      await using site = await createSite(async (store) => void (await store.addTenant({ code: 'cardiology' }, 'setup', now)));
      const { store } = site;
      const codes = new Map<number, string>();
      const note = async (): Promise<void> => {
        for (const { code, number } of (await store.load()).tenants) {
          expect(codes.get(number) ?? code).toBe(code);
          codes.set(number, code);
        }
      };
      await backupStore(site.path, site.target);
      for (const [what, index, after] of steps) {
        const { keys, people } = await store.load();
        const [key, person] = [keys[index], people[index]];
        // What the store refuses (a key revoked twice) is no matter here.
        const ignore = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => expect(error).toBeInstanceOf(SiteError));
        if (what === 'add') await store.addKey(createKey({ isSealed: index % 2 === 0 }));
        if (what === 'revoke' && key) await ignore(store.revokeKey(key.id, 'a.nurse', now + after));
        if (what === 'replace' && key) await ignore(store.replaceKey(createKey({ replaces: key.id }), 'a.nurse', now + after));
        if (what === 'open' && key) await ignore(store.openKey(key.id, now + after));
        if (what === 'tenant') await ignore(store.addTenant({ code: `tenant-${index}` }, 'a.nurse', now + after));
        if (what === 'clock') await store.keepClock(now + after);
        if (what === 'person') await ignore(store.addPerson(createPerson(`nurse.${index}`)));
        if (what === 'leave' && person) await ignore(store.revokePerson(person.id, 'a.nurse', now + after));
        if (what === 'backup') {
          rmSync(site.target);
          await backupStore(site.path, site.target);
        }
        await note();
      }
      const before = await store.load();
      await restore(site.target, site.path);
      const restored = await store.load();
      for (const kind of ['keys', 'people'] as const) {
        // An id that was forgotten could come back with an older backup, or go to somebody else.
        expect(restored[kind].map(({ id }) => id).sort()).toEqual(before[kind].map(({ id }) => id).sort());
        for (const one of restored[kind]) {
          const was = before[kind].find(({ id }) => id === one.id);
          expect(was).toBeDefined();
          expect(one.revokedAt ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(was?.revokedAt ?? Number.POSITIVE_INFINITY);
        }
      }
      for (const { id, openedAt } of restored.keys) expect(openedAt).toBe(before.keys.find((key) => key.id === id)?.openedAt);
      expect(restored.clock).toBe(before.clock);
      await store.addTenant({ code: 'new' }, 'setup', now);
      await note();
    }),
    { numRuns: 12, seed: 9 },
  );
});

test('a tenant of a store that was set up anew keeps its number, and one of the backup gets another', async () => {
  await using old = await createSite(async (store) => {
    await store.addTenant({ code: 'cardiology', tokensPerDay: 5 }, 'setup', now);
    await store.addTenant({ code: 'oncology' }, 'setup', now);
    await store.addTenant({ code: 'urology' }, 'setup', now);
  });
  await backupStore(old.path, old.target);
  await using site = await createSite(async (store) => {
    await store.addTenant({ code: 'radiology' }, 'setup', now);
    await store.addTenant({ code: 'cardiology' }, 'setup', now);
  });
  await restore(old.target, site.path);
  // 3 has never been anything here.
  expect((await site.store.load()).tenants).toEqual([
    { code: 'radiology', number: 1 },
    { code: 'cardiology', number: 2, tokensPerDay: 5 },
    { code: 'urology', number: 3 },
    { code: 'oncology', number: 4 },
  ]);
  expect((await site.store.addTenant({ code: 'surgery' }, 'setup', now)).number).toBe(5);
});

test('a backup of another site is refused, and leaves nothing behind', async () => {
  await using other = await createSite((store) => store.setPolicy({ site: 'saint-mary', region: 'us-east', signatures: 1 }, 'setup', now));
  await backupStore(other.path, other.target);
  await using site = await createSite();
  const before = await site.store.load();
  await refuse(restore(other.target, site.path), /The backup is of another site, saint-mary, and this store is of general/);
  expect(await site.store.load()).toEqual(before);
  expect(readdirSync(dirname(site.path)).sort()).toEqual(['inward.sqlite', 'inward.sqlite-shm', 'inward.sqlite-wal']);
});

test('what came after a backup and was revoked is not revived by two restores, nor can its id go to somebody else', async () => {
  const key = createKey();
  await using site = await createSite();
  const { store } = site;
  const later = `${site.target}-later`;
  await backupStore(site.path, site.target);
  await store.addKey(key);
  await store.addPerson(createPerson('d.nurse'));
  await store.addPerson(createPerson('e.nurse'));
  await store.revokePerson('e.nurse', 'a.nurse', now + 7);
  await backupStore(site.path, later);
  await store.revokeKey(key.id, 'a.nurse', now + 5);
  await store.revokePerson('d.nurse', 'a.nurse', now + 6);
  await store.keepClock(now + 9);
  // What was revoked by hand is not revoked anew.
  expect(await restore(site.target, site.path)).toMatchObject({ closed: { keys: 0, people: 0 } });
  rmSync(`${site.path}.before-restore`);
  await restore(later, site.path);
  const { keys, people } = await store.load();
  expect(keys).toContainEqual({ ...key, revokedAt: now + 5, revokedBy: 'a.nurse' });
  expect(people).toContainEqual(expect.objectContaining({ id: 'd.nurse', revokedAt: now + 6 }));
  expect(people).toContainEqual(expect.objectContaining({ id: 'e.nurse', revokedAt: now + 7 }));
  await refuse(store.addPerson(createPerson('d.nurse', { roles: ['compliance'] })), /ids are never used twice/);
});

test('a restore leaves somebody to administer and somebody to agree, also where all of the backup have left', async () => {
  await using site = await createSite();
  const { store } = site;
  await store.addPerson(createPerson('a.officer', { roles: ['compliance'] }));
  await backupStore(site.path, site.target);
  for (const id of ['d.nurse', 'e.nurse']) await store.addPerson(createPerson(id));
  await store.addPerson(createPerson('b.officer', { roles: ['compliance'] }));
  for (const id of ['a.nurse', 'c.nurse', 'a.officer']) await store.revokePerson(id, 'd.nurse', now + 5);
  expect(await restore(site.target, site.path, { by: 'd.nurse' })).toMatchObject({ closed: { keys: 0, people: 1 } });
  const { people } = await store.load();
  expect(people.filter(({ revokedAt }) => revokedAt === undefined).map(({ id }) => id)).toEqual(['b.officer', 'd.nurse']);
  expect(people.find(({ id }) => id === 'e.nurse')?.revokedBy).toBe('d.nurse');
});

test('a backup of another site of the same code is refused', async () => {
  const puppet = createSigner();
  await using other = await createSite(async (store) => {
    await store.setPolicy({ site: 'general', region: 'us-east', signatures: 1 }, 'setup', now);
    await store.addTrustedKey(puppet.trusted);
    await store.addRecord(createRecord(puppet, 'agr-00000003'));
  });
  await backupStore(other.path, other.target);
  await using site = await createSite();
  const before = await site.store.load();
  await refuse(
    restore(other.target, site.path),
    /The backup is of another site, general, and this store is of general: a store is restored from its own backups/,
  );
  await using none = await createSite(async (store) => void (await store.addTenant({ code: 'cardiology' }, 'setup', now)));
  await backupStore(none.path, none.target);
  await refuse(restore(none.target, site.path), /The backup is of no site, and this store is of general/);
  expect(await site.store.load()).toEqual(before);
});

test('of a copy of the site that went on elsewhere, a restore takes keys and people, and nothing that compliance must agree to', async () => {
  const [puppet, key] = [createSigner(), createKey()];
  await using site = await createSite();
  await site.store.addPerson(createPerson('a.officer', { roles: ['compliance'] }));
  await backupStore(site.path, site.target);
  const copy = join(dirname(site.target), 'copy', 'inward.sqlite');
  await restore(site.target, copy);
  const before = await site.store.load();
  {
    await using fork = await openStore(copy);
    await fork.setPolicy({ site: 'general', region: 'us-east', signatures: 1 }, 'setup', now);
    await fork.addTrustedKey(puppet.trusted);
    await fork.addRecord(createRecord(puppet, 'agr-00000003'));
    await fork.addPerson(createPerson('b.officer', { roles: ['compliance'] }));
    await fork.setPersonCredential('a.officer', createPerson('x').credential, 'setup', now);
    await fork.addPerson(createPerson('d.nurse'));
    await fork.addKey(key);
  }
  rmSync(site.target);
  await backupStore(copy, site.target);
  expect(await restore(site.target, site.path)).toMatchObject({ leftOut: 3, closed: { keys: 0, people: 0 } });
  const after = await site.store.load();
  for (const part of ['policy', 'trustedKeys', 'agreements', 'manifest'] as const) expect(after[part]).toEqual(before[part]);
  expect(after.keys).toContainEqual(key);
  expect(after.people.filter(({ id }) => id !== 'd.nurse')).toEqual(before.people);
  expect(after.people.map(({ id }) => id)).toContain('d.nurse');
});

test('where no site was set up, nothing that was left there is trusted afterwards', async () => {
  await using site = await createSite();
  await backupStore(site.path, site.target);
  const before = await site.store.load();
  const puppet = createSigner();
  await using first = await createSite(async (store) => {
    await store.addTrustedKey(puppet.trusted);
    await store.addPerson(createPerson('a.nurse'));
    await store.addPerson(createPerson('z.officer', { roles: ['compliance'] }));
    await store.addRecord(createRecord(puppet, 'agr-00000009', { revokedAt: now, revokedBy: 'setup' }));
  });
  await restore(site.target, first.path);
  const after = await first.store.load();
  for (const part of ['policy', 'trustedKeys', 'manifest'] as const) expect(after[part]).toEqual(before[part]);
  expect(after.people).toEqual([...before.people, expect.objectContaining({ id: 'z.officer', revokedBy: 'a.nurse' })]);
  expect(await restore(site.target, join(dirname(site.target), 'other', 'inward.sqlite'))).toMatchObject({ isMerged: false });
});

test('no site is restored beside an evaluation that goes on', async () => {
  await using site = await createSite();
  await backupStore(site.path, site.target);
  const signer = createSigner();
  const record = createRecord(signer, 'agr-00000007');
  const trial = createKey({ data: 'synthetic' });
  await using evaluation = await createSite(async (store) => {
    await store.addTenant({ code: 'cardiology' }, 'setup', now);
    await store.addTrustedKey(signer.trusted);
    await store.addRecord({ ...record, envelope: signEnvelope({ ...record.envelope, record: { ...synthetic, id: 'agr-00000007' } }, signer.privateKey) });
  });
  const { store, path } = evaluation;
  const sentence = /^SiteError: This folder holds an evaluation, which cannot go on beside a site: restore the backup into another folder/;
  await refuse(restore(site.target, path), sentence);
  await store.revokeAgreement('agr-00000007', 'setup', now);
  await store.addKey(trial);
  await refuse(restore(site.target, path), sentence);
  await store.revokeKey(trial.id, 'setup', now);
  await restore(site.target, path);
  expect((await store.load()).policy?.site).toBe('general');
});

test('records that the gate would not take are not restored, neither into a store nor where there is none', async () => {
  const [known, unknown] = [createSigner(), createSigner()];
  await using other = await createSite(async (store) => {
    await store.setPolicy({ site: 'general', region: 'us-east', signatures: 1 }, 'setup', now);
    await store.addTrustedKey(known.trusted);
    await store.addRecord(createRecord(unknown, 'agr-00000001'));
  });
  await backupStore(other.path, other.target);
  const sentence =
    /^SiteError: With .*backup\.sqlite restored nothing would be served: An agreement in the store is signed by ck-\w+, which is not a trusted key/;
  await using empty = await createSite(async (store) => void (await store.addTenant({ code: 'cardiology' }, 'setup', now)));
  const before = await empty.store.load();
  await refuse(restore(other.target, empty.path), sentence);
  expect(await empty.store.load()).toEqual(before);
  expect(existsSync(`${empty.path}.before-restore`)).toBe(false);
  const none = join(dirname(other.target), 'none', 'inward.sqlite');
  await refuse(restore(other.target, none), sentence);
  expect(readdirSync(dirname(none))).toEqual([]);
});

test('a record that another of the same id has taken the place of is refused', async () => {
  await using other = await createSite((store) => store.addRecord(createRecord(createSigner(), 'agr-00000001')));
  await backupStore(other.path, other.target);
  await using site = await createSite(async (store) => {
    const record = createRecord(createSigner(), 'agr-00000001');
    await store.addRecord({ ...record, envelope: { ...record.envelope, record: { ...record.envelope.record, region: 'us-west' } } });
  });
  await refuse(restore(other.target, site.path), /The record agr-00000001 of the backup is another one/);
});

test('what is no whole backup is refused, and the store stays as it is', async () => {
  await using site = await createSite();
  const before = await site.store.load();
  await backupStore(site.path, site.target);
  const bytes = readFileSync(site.target);
  const attempt = (sentence: RegExp): Promise<void> => refuse(restore(site.target, site.path), sentence);
  chmodSync(site.target, 0o640);
  await attempt(/backup\.sqlite can be read or written by others \(mode 640\)/);
  chmodSync(site.target, 0o600);
  writeFileSync(`${site.target}-wal`, 'x', { mode: 0o600 });
  await attempt(/backup\.sqlite is a store in use and no backup/);
  rmSync(`${site.target}-wal`);
  for (const [content, sentence] of [
    [Buffer.alloc(0), /backup\.sqlite is empty/],
    [Buffer.from('a text'), /backup\.sqlite is no whole backup/],
    [bytes.subarray(0, bytes.length - 4096), /backup\.sqlite is no whole backup: it is damaged/],
    [Buffer.concat([bytes.subarray(0, 60), Buffer.from([0, 0, 0, 99]), bytes.subarray(64)]), /backup\.sqlite was written by a newer version of inward \(99;/],
    [Buffer.concat([bytes.subarray(0, 68), Buffer.from('else'), bytes.subarray(72)]), /backup\.sqlite is the database of another program/],
  ] as const) {
    writeFileSync(site.target, content);
    await attempt(sentence);
  }
  await refuse(restore(`${site.target}2`, site.path), /backup\.sqlite2 is not there/);
  await refuse(restore(site.path, site.path), /inward\.sqlite is the store itself/);
  await refuse(restore(dirname(site.target), site.path), /disk is no regular file/);
  expect(await site.store.load()).toEqual(before);
  expect(readdirSync(dirname(site.path)).sort()).toEqual(['inward.sqlite', 'inward.sqlite-shm', 'inward.sqlite-wal']);
});

test('changed bytes in a backup restore the same or nothing', async () => {
  await using site = await createSite();
  await backupStore(site.path, site.target);
  const before = await site.store.load();
  const bytes = readFileSync(site.target);
  const other = join(dirname(site.target), 'other', 'inward.sqlite');
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, by) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ by;
      writeFileSync(site.target, changed);
      rmSync(dirname(other), { recursive: true, force: true });
      const error = await restore(site.target, other).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) expect(await loadStore(other)).toEqual(before);
      else {
        expect(error).toBeInstanceOf(SiteError);
        expect(existsSync(dirname(other)) ? readdirSync(dirname(other)) : []).toEqual([]);
      }
    }),
    { numRuns: 60, seed: 4 },
  );
});

test('a store as it was before an earlier restore is not written over, nor a restore that was cut off', async () => {
  await using site = await createSite();
  await backupStore(site.path, site.target);
  await restore(site.target, site.path);
  await refuse(restore(site.target, site.path), /inward\.sqlite\.before-restore is there already, from a restore before: move it away\.$/);
  rmSync(`${site.path}.before-restore`);
  writeFileSync(`${site.path}.restoring`, '');
  await refuse(restore(site.target, site.path), /inward\.sqlite\.restoring is there already/);
  expect(existsSync(`${site.path}.restoring`)).toBe(true);
  rmSync(`${site.path}.restoring`);
  await restore(site.target, site.path);
});

test('a damaged store is replaced only with leave, and is kept; who has it open does not go on with it', async () => {
  await using site = await createSite();
  const before = await site.store.load();
  await backupStore(site.path, site.target);
  await site.store.addUsage(20_000, [{ scope: 'tenant', id: 'cardiology', tokens: 1 }]);
  using other = new DatabaseSync(site.path);
  other.exec('UPDATE keys SET revokedAt = NULL, revokedBy = NULL');
  await refuse(restore(site.target, site.path), /inward\.sqlite is damaged, so what was revoked after the backup is not known/);
  await expect(site.store.load()).rejects.toThrow(/is damaged/);
  const result = await restore(site.target, site.path, { replaceDamaged: true });
  expect(result).toMatchObject({ isMerged: false, revokedSince: 0, keptAs: `${site.path}.before-restore` });
  expect(() => site.store.version()).toThrow(/was moved or replaced while it was open/);
  expect(await loadStore(site.path)).toEqual(before);
  expect(readdirSync(dirname(site.path)).filter((name) => name.includes('before-restore'))).toContain('inward.sqlite.before-restore');
  expect(readdirSync(dirname(site.path))).not.toContain('inward.sqlite-wal');
});

test('a healthy store is merged also with leave to replace', async () => {
  const key = createKey();
  await using site = await createSite(async (store) => {
    await store.addTenant({ code: 'cardiology' }, 'setup', now);
    await store.addKey(key);
  });
  await backupStore(site.path, site.target);
  await site.store.revokeKey(key.id, 'a.nurse', now);
  expect(await restore(site.target, site.path, { replaceDamaged: true })).toMatchObject({ isMerged: true, revokedSince: 1 });
  expect(await findKey(site.store, key.id)).toMatchObject({ revokedAt: now });
});

test('a log that a lost store left is not played into the one that is restored', async () => {
  await using site = await createSite();
  await backupStore(site.path, site.target);
  const lost = join(dirname(site.target), 'lost', 'inward.sqlite');
  mkdirSync(dirname(lost), { mode: 0o700 });
  cpSync(`${site.path}-wal`, `${lost}-wal`);
  await refuse(restore(site.target, lost), /inward\.sqlite-wal belongs to a store that is gone/);
  rmSync(`${lost}-wal`);
  await restore(site.target, lost);
  expect(await loadStore(lost)).toEqual(await site.store.load());
});

test('a file under another name is a backup as well, once its program has closed it', async () => {
  await using site = await createSite();
  const before = await site.store.load();
  await site.store[Symbol.asyncDispose]();
  renameSync(site.path, site.target);
  await restore(site.target, site.path);
  expect(await loadStore(site.path)).toEqual(before);
});

const restored = { event: 'store_restored', by: 'a.nurse', at: now + 5 } as const;
const tenantAdded = (tenant: string): AdministrationEvent => ({ event: 'tenant_added', tenant, by: 'a.nurse', at: now });

test('no event that an audit log has taken comes back with a backup, and none that waits is lost', async () => {
  await using site = await createSite();
  const { store } = site;
  await backupStore(site.path, site.target);
  // What the backup holds waiting is taken by a log, what comes then is not.
  const { place } = (await store.listChanges()).at(-1) ?? { place: 0 };
  await store.dropChanges(place);
  await store.addTenant({ code: 'oncology' }, 'a.nurse', now);
  await restore(site.target, site.path, { at: now + 5 });
  expect(await store.listChanges()).toEqual([
    { place: place + 1, event: tenantAdded('oncology') },
    { place: place + 2, event: restored },
  ]);
  // The store as it was had the first of them waiting, which is the same one.
  await store.dropChanges(place + 2);
  renameSync(`${site.path}.before-restore`, `${site.target}2`);
  await restore(`${site.target}2`, site.path, { at: now + 6 });
  expect(await store.listChanges()).toEqual([{ place: place + 3, event: { ...restored, at: now + 6 } }]);
});

test('where the store is lost, what waited in the backup waits on under its number, and no number comes again', async () => {
  await using site = await createSite();
  const { store } = site;
  await store.dropChanges(3);
  await backupStore(site.path, site.target);
  const waiting = await store.listChanges();
  expect(waiting[0]?.place).toBe(4);
  await store.addTenant({ code: 'oncology' }, 'a.nurse', now);
  const other = join(dirname(site.target), 'other', 'inward.sqlite');
  await restore(site.target, other, { at: now + 5 });
  await using next = await openStore(other);
  expect(await next.listChanges()).toEqual([...waiting, { place: now + 5, event: restored }]);
  await next.addTenant({ code: 'urology' }, 'a.nurse', now);
  expect((await next.listChanges()).at(-1)).toEqual({ place: now + 6, event: tenantAdded('urology') });
});

test('a damaged store that is replaced does not give its numbers again', async () => {
  await using site = await createSite();
  await backupStore(site.path, site.target);
  const waiting = await site.store.listChanges();
  await site.store.addTenant({ code: 'oncology' }, 'a.nurse', now);
  await site.store[Symbol.asyncDispose]();
  using database = new DatabaseSync(site.path);
  database.exec('UPDATE keys SET revokedAt = NULL, revokedBy = NULL');
  database.close();
  await restore(site.target, site.path, { at: now + 5, replaceDamaged: true });
  expect(await listChanges(site.path)).toEqual([...waiting, { place: now + 5, event: restored }]);
});

test('over a store that was never set up, events of both wait on, each under a number of its own', async () => {
  await using old = await createSite();
  await backupStore(old.path, old.target);
  const waiting = await old.store.listChanges();
  await using site = await createSite(async (store) => {
    for (const code of ['oncology', 'urology']) await store.addTenant({ code }, 'a.nurse', now);
  });
  await restore(old.target, site.path, { at: now + 5 });
  expect(await site.store.listChanges()).toEqual([
    { place: 1, event: tenantAdded('oncology') },
    { place: 2, event: tenantAdded('urology') },
    ...waiting.slice(2),
    // 1 and 2 of the backup.
    { place: now + 5, event: waiting[0]?.event },
    { place: now + 6, event: waiting[1]?.event },
    { place: now + 7, event: restored },
  ]);
});

test('what a restore revokes has its events too: what came since, and what the backup had closed', async () => {
  const [late, moved] = [createKey(), createKey()];
  await using site = await createSite();
  const { store } = site;
  await store.addKey(moved);
  const copy = join(dirname(site.target), 'copy', 'inward.sqlite');
  await backupStore(site.path, `${site.target}2`);
  await restore(`${site.target}2`, copy);
  {
    await using fork = await openStore(copy);
    await fork.revokeKey(moved.id, 'c.nurse', now + 4);
    await fork.revokeAgreement('agr-00000002', 'c.nurse', now + 4);
  }
  await backupStore(copy, site.target);
  await store.addKey(late);
  await store.addPerson(createPerson('d.nurse'));
  await store.addPerson(createPerson('e.nurse'));
  await store.revokePerson('e.nurse', 'a.nurse', now + 6);
  await store.keepClock(now + 8);
  await store.dropChanges((await store.listChanges()).at(-1)?.place ?? 0);
  await restore(site.target, site.path, { at: now + 9 });
  const by = { by: 'a.nurse', at: now + 9 };
  const events = (await store.listChanges()).map(({ event }) => event);
  expect(events).toHaveLength(5);
  expect(events[0]).toEqual({ event: 'store_restored', ...by });
  // As of the latest time that the site has seen.
  expect(events).toContainEqual({ event: 'key_revoked', key: late.id, from: now + 8, ...by });
  expect(events).toContainEqual({ event: 'key_revoked', key: moved.id, from: now + 4, ...by });
  expect(events).toContainEqual({ event: 'person_revoked', person: 'd.nurse', ...by });
  expect(events).toContainEqual({ event: 'agreement_revoked', agreement: 'agr-00000002', ...by });
});

test('a restore that is refused leaves no event', async () => {
  await using other = await createSite((store) => store.setPolicy({ site: 'saint-mary', region: 'us-east', signatures: 1 }, 'setup', now));
  await backupStore(other.path, other.target);
  await using site = await createSite();
  const before = await site.store.listChanges();
  await refuse(restore(other.target, site.path), /of another site/);
  await refuse(restore(other.target, site.path, { by: 'A sentence' }), /of another site/);
  expect(await site.store.listChanges()).toEqual(before);
});
