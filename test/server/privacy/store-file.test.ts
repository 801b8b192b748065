import { once } from 'node:events';
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { digestRows } from '../../../server/privacy/store/digest.ts';
import { migrate, migrations, readDefinitions } from '../../../server/privacy/store/schema.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import { createClosed, createFolder, fillStore, loadStore, now, refuseStore, startWriter, writeFirstVersion } from './site.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test('folder and files are for their user only from the beginning, whatever the umask', async () => {
  using folder = createFolder();
  const umask = process.umask(0);
  try {
    await using store = await openStore(folder.path, { create: true });
    await fillStore(store);
    expect(modeOf(dirname(folder.path))).toBe('700');
    expect(readdirSync(dirname(folder.path)).sort()).toEqual(['inward.sqlite', 'inward.sqlite-shm', 'inward.sqlite-wal']);
    for (const name of readdirSync(dirname(folder.path))) expect(modeOf(join(dirname(folder.path), name))).toBe('600');
  } finally {
    process.umask(umask);
  }
});

test.each(['640', '604', '620', '602', '660', '777'])('a file of mode %s is refused, and taken once that is corrected', async (mode) => {
  using site = await createClosed();
  chmodSync(site.path, Number.parseInt(mode, 8));
  await refuseStore(site.path, /inward\.sqlite can be read or written by others \(mode \d+\): expected 600, set it with chmod 600\.$/);
  chmodSync(site.path, 0o600);
  expect(await loadStore(site.path)).toEqual(site.before);
});

test('a file, a folder or a log of another user is refused', async () => {
  using site = await createClosed();
  const user = process.getuid?.() ?? 0;
  using getuid = vi.spyOn(process, 'getuid').mockReturnValue(user + 1);
  await refuseStore(site.path, /^SiteError: The folder .*site belongs to another user: expected whoever runs this command/);
  // The folder and what is in it are looked at one after the other.
  for (const [own, sentence] of [
    [1, /inward\.sqlite belongs to another user/],
    [2, /inward\.sqlite-wal belongs to another user/],
  ] as const) {
    writeFileSync(`${site.path}-wal`, '', { mode: 0o600 });
    for (let i = 0; i < own; i++) getuid.mockReturnValueOnce(user);
    await refuseStore(site.path, sentence);
  }
  getuid.mockReturnValue(user);
  expect(await loadStore(site.path)).toEqual(site.before);
});

test.each(['750', '705', '710', '777'])('a folder of mode %s is refused', async (mode) => {
  using site = await createClosed();
  chmodSync(dirname(site.path), Number.parseInt(mode, 8));
  await refuseStore(site.path, /^SiteError: The folder .*site can be read or written by others.*chmod 700\.$/);
});

test.each(['-wal', '-shm', '-journal'])('a file %s that others can write is refused', async (part) => {
  using site = await createClosed();
  writeFileSync(site.path + part, '');
  chmodSync(site.path + part, 0o666);
  await refuseStore(site.path, new RegExp(`inward\\.sqlite${part} can be read or written by others`));
  rmSync(site.path + part);
  mkdirSync(site.path + part);
  await refuseStore(site.path, new RegExp(`inward\\.sqlite${part} is no regular file`));
});

test('what is no regular file is refused: a folder, a link', async () => {
  using site = await createClosed();
  const [link, folder] = [join(dirname(site.path), 'link'), join(dirname(site.path), 'folder')];
  symlinkSync(site.path, link);
  mkdirSync(folder, { mode: 0o700 });
  await refuseStore(link, /link is no regular file/);
  await refuseStore(folder, /folder is no regular file/);
});

test('what is not there is made only when that is wanted, and never beside a log that was left', async () => {
  using folder = createFolder();
  await refuseStore(folder.path, /^SiteError: The folder .* is not there: set the site up first\.$/);
  mkdirSync(dirname(folder.path), { mode: 0o700 });
  await refuseStore(folder.path, /inward\.sqlite is not there: set the site up first, or restore a backup\.$/);
  expect(readdirSync(dirname(folder.path))).toEqual([]);
  writeFileSync(`${folder.path}-wal`, '', { mode: 0o600 });
  await refuseStore(folder.path, /inward\.sqlite-wal belongs to a store that is gone/, true);
  rmSync(`${folder.path}-wal`);
  closeSync(openSync(folder.path, 'wx', 0o600));
  await refuseStore(folder.path, /inward\.sqlite is empty/);
  await using store = await openStore(folder.path, { create: true });
  expect((await store.load()).keys).toEqual([]);
});

test('a folder that cannot be made is named', async () => {
  using folder = createFolder();
  writeFileSync(join(folder.folder, 'file'), '');
  await refuseStore(join(folder.folder, 'file', 'site', 'inward.sqlite'), /^SiteError: The folder .* cannot be made/, true);
});

test('other files are refused and stay as they are: text, the database of another program, a newer store', async () => {
  using folder = createFolder();
  mkdirSync(dirname(folder.path), { mode: 0o700 });
  const check = async (make: (path: string) => void, sentence: RegExp): Promise<void> => {
    make(folder.path);
    chmodSync(folder.path, 0o600);
    const bytes = readFileSync(folder.path);
    await refuseStore(folder.path, sentence, true);
    expect(readFileSync(folder.path).equals(bytes)).toBe(true);
    expect(readdirSync(dirname(folder.path))).toEqual(['inward.sqlite']);
    rmSync(folder.path);
  };
  const make =
    (sql: string) =>
    (path: string): void => {
      using database = new DatabaseSync(path);
      database.exec(sql);
    };
  await check((path) => writeFileSync(path, 'a text that is no database'), /is damaged: it is no SQLite database; restore a backup\.$/);
  await check(make('CREATE TABLE notes (text TEXT)'), /is the database of another program/);
  await check(make('PRAGMA application_id = 5; CREATE TABLE notes (text TEXT)'), /is the database of another program/);
  await check(make('PRAGMA user_version = 1; VACUUM'), /is the database of another program/);
  await check(make('PRAGMA application_id = 0x696e7764; CREATE TABLE meta (one TEXT)'), /is damaged: its version is wrong/);
  await check(
    make('PRAGMA application_id = 0x696e7764; PRAGMA user_version = 99; CREATE TABLE meta (one TEXT)'),
    /was written by a newer version of inward \(99;/,
  );
});

test('random bytes are refused, also behind the first bytes of a database', async () => {
  using folder = createFolder();
  mkdirSync(dirname(folder.path), { mode: 0o700 });
  const bytes = fc.tuple(fc.constantFrom('', 'SQLite format 3\0'), fc.uint8Array({ minLength: 1, maxLength: 9000 }));
  await fc.assert(
    fc.asyncProperty(bytes, async ([start, rest]) => {
      writeFileSync(folder.path, Buffer.concat([Buffer.from(start), rest]), { mode: 0o600 });
      await refuseStore(folder.path, /inward\.sqlite is (damaged|the database of another)/, true);
      for (const name of readdirSync(dirname(folder.path))) rmSync(join(dirname(folder.path), name));
    }),
    { numRuns: 60, seed: 11 },
  );
});

test('a store that another program holds is refused after a while, in words', async () => {
  using site = await createClosed();
  {
    using other = new DatabaseSync(site.path);
    other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
    await refuseStore(site.path, /inward\.sqlite is in use by another process that does not give it back/);
  }
  await using store = await openStore(site.path);
  using other = new DatabaseSync(site.path);
  other.exec('BEGIN IMMEDIATE');
  await expect(store.revokePerson('a.nurse', 'setup', now)).rejects.toThrow(/is in use by another process/);
  expect((await store.load()).version).toBe(site.before.version);
  other.exec('COMMIT');
  await store.revokePerson('a.nurse', 'setup', now);
});

const next = `ALTER TABLE people ADD COLUMN shift INTEGER CHECK (shift BETWEEN 1 AND 3);`;

test('an older file is brought to today in steps: rows are kept, and sealed anew', async () => {
  using site = await createClosed();
  using database = new DatabaseSync(site.path);
  const steps = [...migrations, next, 'UPDATE people SET shift = 2;'];
  migrate(database, site.path, steps);
  expect(database.prepare('PRAGMA user_version').get()?.['user_version']).toBe(steps.length);
  expect(database.prepare('SELECT DISTINCT shift FROM people').all()).toEqual([{ shift: 2 }]);
  expect(database.prepare('SELECT digest FROM meta').get()?.['digest']).toBe(digestRows(database));
  migrate(database, site.path, steps);
  database.close();
  await refuseStore(site.path, /was written by a newer version of inward/);
});

test('a file of version 1 becomes one of today with all that it holds, and its changes are numbered from 1', async () => {
  using site = await createClosed();
  const old = `${site.path}-1`;
  writeFirstVersion(site.path, old);
  {
    using database = new DatabaseSync(old);
    expect(database.prepare('PRAGMA user_version').get()?.['user_version']).toBe(1);
    expect(readDefinitions(database)).not.toContain('nextChange');
  }
  await using store = await openStore(old);
  expect(await store.load()).toEqual(site.before);
  expect(await store.listChanges()).toEqual([]);
  await store.revokePerson('a.nurse', 'setup', now);
  expect(await store.listChanges()).toEqual([{ place: 1, event: { event: 'person_revoked', person: 'a.nurse', by: 'setup', at: now } }]);
});

test('a damaged file of version 1 does not become one of today', async () => {
  using site = await createClosed();
  const old = `${site.path}-1`;
  writeFirstVersion(site.path, old);
  using database = new DatabaseSync(old);
  database.exec('UPDATE keys SET revokedAt = NULL, revokedBy = NULL');
  database.close();
  await refuseStore(old, /is damaged: its rows do not fit its digest/);
});

test('a step that fails leaves the file as it was', async () => {
  using site = await createClosed();
  using database = new DatabaseSync(site.path);
  expect(() => migrate(database, site.path, [...migrations, `${next} UPDATE people SET shift = 9;`])).toThrow();
  database.close();
  expect(await loadStore(site.path)).toEqual(site.before);
});

test('a damaged older file is not brought to today, which would seal the damage', async () => {
  using site = await createClosed();
  using database = new DatabaseSync(site.path);
  database.exec('UPDATE keys SET revokedAt = NULL, revokedBy = NULL');
  expect(() => migrate(database, site.path, [...migrations, next])).toThrow(/is damaged/);
  expect(readDefinitions(database)).not.toContain('shift');
});

test('another process writes: every change is seen, and each load is of one moment', async () => {
  using folder = createFolder();
  await using store = await openStore(folder.path, { create: true });
  await store.addTenant({ code: 'cardiology' }, 'setup', now);
  using writer = startWriter(folder.path);
  for (let turn = 0; turn < 10; turn++) {
    const before = store.version();
    await writer.wait(2);
    expect(store.version()).toBeGreaterThan(before);
    const { keys } = await store.load();
    const revoked = new Set(keys.filter(({ revokedAt }) => revokedAt !== undefined).map(({ id }) => id));
    const replaced = keys.flatMap(({ replaces }) => replaces ?? []);
    // A key is revoked in the transaction that adds the one in its place.
    expect(replaced.filter((id) => !revoked.has(id))).toEqual([]);
    expect(replaced.length).toBeGreaterThan(turn);
    for (const id of writer.revoked) expect(revoked).toContain(id);
    await store.addUsage(20_000, [{ scope: 'tenant', id: 'cardiology', tokens: 1 }]);
  }
  await writer.kill();
  expect(await store.readUsage(20_000)).toContainEqual({ scope: 'tenant', id: 'cardiology', tokens: 10 });
});

test('who makes a store at the same time as others makes the same one', async () => {
  const source = `
    const { parentPort, workerData: { flag, path, code, module } } = require('node:worker_threads');
    import(module).then(async ({ openStore }) => {
      parentPort.postMessage('ready');
      Atomics.wait(flag, 0, 0);
      const store = await openStore(path, { create: true });
      parentPort.postMessage(await store.addTenant({ code }, 'setup', 5));
      await store[Symbol.asyncDispose]();
    });`;
  const module = new URL('../../../server/privacy/store/sqlite.ts', import.meta.url).href;
  for (let round = 0; round < 3; round++) {
    using folder = createFolder();
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const workers = ['a', 'b', 'c', 'd'].map((code) => new Worker(source, { eval: true, workerData: { flag, path: folder.path, code, module } }));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    const answers = Promise.all(workers.map((worker) => once(worker, 'message')));
    const exits = Promise.all(workers.map((worker) => once(worker, 'exit')));
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
    expect((await answers).map(([{ number }]) => number).sort()).toEqual([1, 2, 3, 4]);
    await exits;
    expect((await loadStore(folder.path)).tenants.map(({ code }) => code).sort()).toEqual(['a', 'b', 'c', 'd']);
  }
});

test('a process that is killed while it writes leaves a store with all that it had said to be revoked', async () => {
  using folder = createFolder();
  {
    await using store = await openStore(folder.path, { create: true });
    await store.addTenant({ code: 'cardiology' }, 'setup', now);
  }
  for (let round = 0; round < 5; round++) {
    using writer = startWriter(folder.path);
    await writer.wait(1 + round * 2);
    await writer.kill();
    const revoked = new Set((await loadStore(folder.path)).keys.filter(({ revokedAt }) => revokedAt !== undefined).map(({ id }) => id));
    expect(writer.revoked.length).toBeGreaterThan(round * 4);
    for (const id of writer.revoked) expect(revoked).toContain(id);
  }
});
