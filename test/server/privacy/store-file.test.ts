import {
  chmodSync,
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SiteError } from '../../../server/privacy/errors.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import { digestRows } from '../../../server/privacy/store/digest.ts';
import { migrate, migrations, readDefinitions } from '../../../server/privacy/store/schema.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import type { Snapshot } from '../../../server/privacy/store.ts';
import { createFolder, createKey, type Folder, fillStore, now, startWriter } from './site.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

/** A store that is closed, and what is in it. */
async function createSite(count?: number): Promise<Folder & { readonly before: Snapshot }> {
  const folder = createFolder();
  await using store = await openStore(folder.path, { create: true });
  await fillStore(store, count);
  return { ...folder, [Symbol.dispose]: folder[Symbol.dispose], before: await store.load() };
}

async function load(path: string): Promise<Snapshot> {
  await using store = await openStore(path);
  return await store.load();
}

async function refuse(path: string, sentence: RegExp, create = false): Promise<void> {
  const error = await openStore(path, { create }).then(
    (store) => store[Symbol.asyncDispose](),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SiteError);
  expect(String(error)).toMatch(sentence);
}

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
  using site = await createSite();
  chmodSync(site.path, Number.parseInt(mode, 8));
  await refuse(site.path, /inward\.sqlite can be read or written by others \(mode \d+\): expected 600, set it with chmod 600\.$/);
  chmodSync(site.path, 0o600);
  expect(await load(site.path)).toEqual(site.before);
});

test.each(['750', '705', '710', '777'])('a folder of mode %s is refused', async (mode) => {
  using site = await createSite();
  chmodSync(dirname(site.path), Number.parseInt(mode, 8));
  await refuse(site.path, /^SiteError: The folder .*site can be read or written by others.*chmod 700\.$/);
});

test.each(['-wal', '-shm', '-journal'])('a file %s that others can write is refused', async (part) => {
  using site = await createSite();
  writeFileSync(site.path + part, '');
  chmodSync(site.path + part, 0o666);
  await refuse(site.path, new RegExp(`inward\\.sqlite${part} can be read or written by others`));
  rmSync(site.path + part);
  mkdirSync(site.path + part);
  await refuse(site.path, new RegExp(`inward\\.sqlite${part} is no regular file`));
});

test('what is no regular file is refused: a folder, a link', async () => {
  using site = await createSite();
  const [link, folder] = [join(dirname(site.path), 'link'), join(dirname(site.path), 'folder')];
  symlinkSync(site.path, link);
  mkdirSync(folder, { mode: 0o700 });
  await refuse(link, /link is no regular file/);
  await refuse(folder, /folder is no regular file/);
});

test('what is not there is made only when that is wanted, and never beside a log that was left', async () => {
  using folder = createFolder();
  await refuse(folder.path, /^SiteError: The folder .* is not there: set the site up first\.$/);
  mkdirSync(dirname(folder.path), { mode: 0o700 });
  await refuse(folder.path, /inward\.sqlite is not there: set the site up first, or restore a backup\.$/);
  expect(readdirSync(dirname(folder.path))).toEqual([]);
  writeFileSync(`${folder.path}-wal`, '', { mode: 0o600 });
  await refuse(folder.path, /inward\.sqlite-wal belongs to a store that is gone/, true);
  rmSync(`${folder.path}-wal`);
  closeSync(openSync(folder.path, 'wx', 0o600));
  await refuse(folder.path, /inward\.sqlite is empty/);
  await using store = await openStore(folder.path, { create: true });
  expect((await store.load()).keys).toEqual([]);
});

test('a folder that cannot be made is named', async () => {
  using folder = createFolder();
  writeFileSync(join(folder.folder, 'file'), '');
  await refuse(join(folder.folder, 'file', 'site', 'inward.sqlite'), /^SiteError: The folder .* cannot be made/, true);
});

test('other files are refused and stay as they are: text, the database of another program, a newer store', async () => {
  using folder = createFolder();
  mkdirSync(dirname(folder.path), { mode: 0o700 });
  const check = async (make: (path: string) => void, sentence: RegExp): Promise<void> => {
    make(folder.path);
    chmodSync(folder.path, 0o600);
    const bytes = readFileSync(folder.path);
    await refuse(folder.path, sentence, true);
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
      await refuse(folder.path, /inward\.sqlite is (damaged|the database of another)/, true);
      for (const name of readdirSync(dirname(folder.path))) rmSync(join(dirname(folder.path), name));
    }),
    { numRuns: 60, seed: 11 },
  );
});

test('a store that another program holds is refused after a while, in words', async () => {
  using site = await createSite();
  {
    using other = new DatabaseSync(site.path);
    other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
    await refuse(site.path, /inward\.sqlite is in use by another process that does not give it back/);
  }
  await using store = await openStore(site.path);
  using other = new DatabaseSync(site.path);
  other.exec('BEGIN IMMEDIATE');
  await expect(store.revokePerson('a.nurse', 'setup', now)).rejects.toThrow(/is in use by another process/);
  expect((await store.load()).version).toBe(site.before.version);
  other.exec('COMMIT');
  await store.revokePerson('a.nurse', 'setup', now);
});

test('no changed bytes open a store with other contents', async () => {
  using site = await createSite(40);
  const bytes = readFileSync(site.path);
  const place = fc.tuple(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), fc.constantFrom(1, 1, 1, 2, 64, 4096));
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(place, async ([at, by, length]) => {
      const changed = Buffer.from(bytes);
      for (let i = at; i < Math.min(at + length, changed.length); i++) changed[i] = (changed[i] ?? 0) ^ by;
      refused += await openChanged(site, changed);
    }),
    { numRuns: 250, seed: 5 },
  );
  // Most of the file is rows, of which not a bit may change.
  expect(refused).toBeGreaterThan(100);
});

test('no cut file opens with other contents', async () => {
  using site = await createSite(40);
  const bytes = readFileSync(site.path);
  const length = fc.oneof(
    fc.integer({ min: 1, max: bytes.length - 1 }),
    fc.integer({ min: 1, max: bytes.length / 4096 - 1 }).map((count) => count * 4096),
  );
  await fc.assert(
    fc.asyncProperty(length, async (end) => {
      expect(await openChanged(site, bytes.subarray(0, end))).toBe(1);
    }),
    { numRuns: 40, seed: 5 },
  );
});

/** 1: the file is refused; 0: it holds the same. */
async function openChanged(site: Folder & { readonly before: Snapshot }, bytes: Uint8Array): Promise<0 | 1> {
  for (const name of readdirSync(dirname(site.path))) rmSync(join(dirname(site.path), name));
  writeFileSync(site.path, bytes, { mode: 0o600 });
  try {
    expect(await load(site.path)).toEqual(site.before);
    return 0;
  } catch (error) {
    if (!(error instanceof SiteError)) throw error;
    return 1;
  }
}

test('a log that was damaged takes no grant and no revocation with it', async () => {
  using folder = createFolder();
  await using store = await openStore(folder.path, { create: true });
  await fillStore(store);
  await store.addUsage(20_000, [{ scope: 'tenant', id: 'cardiology', tokens: 5 }]);
  const before = await store.load();
  const log = readFileSync(`${folder.path}-wal`);
  expect(log.length).toBeGreaterThan(0);
  const copy = join(folder.folder, 'copy', 'inward.sqlite');
  mkdirSync(dirname(copy), { mode: 0o700 });
  for (const at of [0, 9, 40, log.length - 1]) {
    cpSync(folder.path, copy);
    const changed = Buffer.from(log);
    changed[at] = (changed[at] ?? 0) ^ 1;
    writeFileSync(`${copy}-wal`, changed, { mode: 0o600 });
    expect(await load(copy)).toEqual(before);
  }
});

test.each([
  ['a revocation taken back', `UPDATE keys SET revokedAt = NULL, revokedBy = NULL WHERE revokedAt IS NOT NULL`],
  ['a row taken out', `DELETE FROM keys WHERE id = (SELECT id FROM keys WHERE revokedAt IS NOT NULL)`],
  ['a role given', `UPDATE people SET roles = '["admin","viewer"]'`],
  ['the clock put back', 'UPDATE meta SET clock = 5'],
  ['tenants counted from the start', 'UPDATE meta SET nextTenant = 1'],
  ['the policy of one signature', 'UPDATE policy SET signatures = 1'],
  ['a record changed', `UPDATE records SET addedAt = addedAt + 1`],
  ['a trigger', `CREATE TRIGGER t AFTER UPDATE ON keys BEGIN DELETE FROM people; END`],
  ['a view', 'CREATE VIEW v AS SELECT * FROM keys'],
  ['a table more', 'CREATE TABLE notes (text TEXT)'],
  ['a column more', 'ALTER TABLE usage ADD COLUMN note TEXT'],
  ['a table less', 'DROP TABLE usage'],
  ['its first row taken out', 'DELETE FROM meta'],
])('what was written past the store is seen: %s', async (_, sql) => {
  using site = await createSite();
  using other = new DatabaseSync(site.path);
  other.exec(sql);
  other.close();
  await refuse(site.path, /inward\.sqlite is damaged: its (rows do not fit its digest|tables are not those of its version|pages or rows)/);
});

test('an open store sees it too, and its answer is no snapshot', async () => {
  using site = await createSite();
  await using store = await openStore(site.path);
  using other = new DatabaseSync(site.path);
  other.exec('UPDATE keys SET revokedAt = NULL, revokedBy = NULL');
  await expect(store.load()).rejects.toThrow(/is damaged: its rows do not fit its digest/);
  await store.revokePerson('a.nurse', 'setup', now);
  await expect(store.load()).rejects.toThrow(/is damaged/);
});

test('a row whose form only the schemas know is refused, also under a digest that fits', async () => {
  using site = await createSite();
  using other = new DatabaseSync(site.path);
  other.exec(`UPDATE keys SET scopes = '{"models":[]}'`);
  other.prepare('UPDATE meta SET digest = ?').run(digestRows(other));
  other.close();
  await using store = await openStore(site.path);
  await expect(store.load()).rejects.toThrow(/is damaged: a row of keys has another form; restore a backup\.$/);
});

const sentence = 'Patient John Doe has diabetes';

/** One value with a sentence for each way in which a column could be fooled. */
function hide(value: unknown, text: string): (string | Uint8Array)[] {
  const [start, json] = [String(value), JSON.stringify(text)];
  return [
    text,
    Buffer.from(text),
    `${start} ${text}`,
    `${start}\0${text}`,
    `${text} ${start}`,
    `\0${text}`,
    json,
    `[${json}]`,
    `{"note":${json}}`,
    `{"record":${json}}`,
  ];
}

/** What a column holds after a value was put into the only row of its table, as an update or a new row, which is then taken back. */
function readAfter(
  database: DatabaseSync,
  table: string,
  row: Readonly<Record<string, SQLInputValue>>,
  column: string,
  hidden: SQLInputValue,
  isUpdate: boolean,
): string {
  database.exec('BEGIN');
  try {
    const insert = database.prepare(
      `INSERT INTO ${table} VALUES (${Object.keys(row)
        .map(() => '?')
        .join(', ')})`,
    );
    database.exec(`DELETE FROM ${table}`);
    insert.run(...Object.values(isUpdate ? row : { ...row, [column]: hidden }));
    if (isUpdate) database.prepare(`UPDATE ${table} SET ${column} = ?`).run(hidden);
    const stored = database.prepare(`SELECT CAST(${column} AS BLOB) AS bytes FROM ${table}`).get()?.['bytes'];
    return stored instanceof Uint8Array ? Buffer.from(stored).toString() : '';
  } catch (error) {
    expect(String(error)).toMatch(/CHECK constraint|cannot store|datatype mismatch/);
    return '';
  } finally {
    database.exec('ROLLBACK');
  }
}

test('no column of any table takes a sentence, whole or behind a value that fits', async () => {
  using site = await createSite();
  using database = new DatabaseSync(site.path);
  const words = fc.array(fc.stringMatching(/^[A-Za-z0-9]{1,9}$/), { minLength: 2, maxLength: 12 }).map((list) => list.join(' '));
  const texts = [sentence, 'a b', '7 mg', ...fc.sample(words, { numRuns: 5, seed: 2 })];
  let count = 0;
  for (const { name } of database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table'`).all()) {
    const table = String(name);
    for (const column of Object.keys(database.prepare(`SELECT * FROM ${table}`).get() ?? {})) {
      const row = database.prepare(`SELECT * FROM ${table} WHERE ${column} IS NOT NULL`).get() ?? {};
      // Otherwise a rule of several columns could refuse what this one's check does not.
      expect(row[column], `no sample of ${table}.${column}`).toBeDefined();
      count++;
      for (const text of texts) {
        for (const hidden of hide(row[column], text)) {
          for (const isUpdate of [true, false]) expect(readAfter(database, table, row, column, hidden, isUpdate)).not.toContain(text);
        }
      }
    }
  }
  expect(count).toBeGreaterThan(55);
});

test('the file holds no secret, and nothing of what was replaced', async () => {
  using folder = createFolder();
  const store = await openStore(folder.path, { create: true });
  await fillStore(store);
  const secrets = Array.from({ length: 20 }, () => createSecret('phi'));
  for (const { id, credential } of secrets) await store.addKey(createKey({ id, credential }));
  const { credential } = createSecret('person');
  await store.setPersonCredential('a.nurse', credential);
  expect(readFileSync(folder.path).includes(credential.hash)).toBe(true);
  await store.setPersonCredential('a.nurse', { type: 'certificate', fingerprint: 'ab'.repeat(32) });
  await store[Symbol.asyncDispose]();
  const bytes = readFileSync(folder.path);
  expect(readdirSync(dirname(folder.path))).toEqual(['inward.sqlite']);
  for (const { id, text } of secrets) {
    expect(bytes.includes(id)).toBe(true);
    const secret = text.slice(text.indexOf(id) + id.length);
    for (const part of [secret.slice(0, 16), secret.slice(16, 32), secret.slice(32, 52)]) expect(bytes.includes(part)).toBe(false);
  }
  expect(bytes.includes(credential.hash)).toBe(false);
});

const next = `ALTER TABLE people ADD COLUMN shift INTEGER CHECK (shift BETWEEN 1 AND 3);`;

test('an older file is brought to today in steps: rows are kept, and sealed anew', async () => {
  using site = await createSite();
  using database = new DatabaseSync(site.path);
  const steps = [...migrations, next, 'UPDATE people SET shift = 2;'];
  migrate(database, site.path, steps);
  expect(database.prepare('PRAGMA user_version').get()?.['user_version']).toBe(steps.length);
  expect(database.prepare('SELECT DISTINCT shift FROM people').all()).toEqual([{ shift: 2 }]);
  expect(database.prepare('SELECT digest FROM meta').get()?.['digest']).toBe(digestRows(database));
  migrate(database, site.path, steps);
  database.close();
  await refuse(site.path, /was written by a newer version of inward/);
});

test('a step that fails leaves the file as it was', async () => {
  using site = await createSite();
  using database = new DatabaseSync(site.path);
  expect(() => migrate(database, site.path, [...migrations, `${next} UPDATE people SET shift = 9;`])).toThrow();
  database.close();
  expect(await load(site.path)).toEqual(site.before);
});

test('a damaged older file is not brought to today, which would seal the damage', async () => {
  using site = await createSite();
  using database = new DatabaseSync(site.path);
  database.exec('UPDATE keys SET revokedAt = NULL, revokedBy = NULL');
  expect(() => migrate(database, site.path, [...migrations, next])).toThrow(/is damaged/);
  expect(readDefinitions(database)).not.toContain('shift');
});

test('another process writes: every change is seen, and each load is of one moment', async () => {
  using folder = createFolder();
  await using store = await openStore(folder.path, { create: true });
  await store.addTenant({ code: 'cardiology' });
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

test('a process that is killed while it writes leaves a store with all that it had said to be revoked', async () => {
  using folder = createFolder();
  {
    await using store = await openStore(folder.path, { create: true });
    await store.addTenant({ code: 'cardiology' });
  }
  for (let round = 0; round < 5; round++) {
    using writer = startWriter(folder.path);
    await writer.wait(1 + round * 2);
    await writer.kill();
    const revoked = new Set((await load(folder.path)).keys.filter(({ revokedAt }) => revokedAt !== undefined).map(({ id }) => id));
    expect(writer.revoked.length).toBeGreaterThan(round * 4);
    for (const id of writer.revoked) expect(revoked).toContain(id);
  }
});

test('a file whose log was taken away or put in from another store is not believed', async () => {
  using site = await createSite();
  using other = await createSite();
  await using open = await openStore(other.path);
  await open.addUsage(5, [{ scope: 'tenant', id: 'cardiology', tokens: 1 }]);
  renameSync(`${other.path}-wal`, `${site.path}-wal`);
  const outcome = await load(site.path).catch((error: unknown) => error);
  if (outcome instanceof SiteError) expect(outcome.message).toMatch(/is damaged/);
  else expect(outcome).toEqual(site.before);
});
