import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SiteError } from '../../../server/privacy/errors.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import { digestRows } from '../../../server/privacy/store/digest.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import { type Closed, createClosed, createFolder, createKey, fillStore, listChanges, loadStore, now, refuseStore } from './site.ts';

test('no changed bytes open a store with other contents', async () => {
  using site = await createClosed(40);
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
  using site = await createClosed(40);
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
async function openChanged(site: Closed, bytes: Uint8Array): Promise<0 | 1> {
  for (const name of readdirSync(dirname(site.path))) rmSync(join(dirname(site.path), name));
  writeFileSync(site.path, bytes, { mode: 0o600 });
  try {
    expect(await loadStore(site.path)).toEqual(site.before);
    expect(await listChanges(site.path)).toEqual(site.changes);
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
    expect(await loadStore(copy)).toEqual(before);
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
  using site = await createClosed();
  using other = new DatabaseSync(site.path);
  other.exec(sql);
  other.close();
  await refuseStore(site.path, /inward\.sqlite is damaged: its (rows do not fit its digest|tables are not those of its version|pages or rows)/);
});

test('an open store sees it too, and its answer is no snapshot', async () => {
  using site = await createClosed();
  await using store = await openStore(site.path);
  using other = new DatabaseSync(site.path);
  other.exec('UPDATE keys SET revokedAt = NULL, revokedBy = NULL');
  await expect(store.load()).rejects.toThrow(/is damaged: its rows do not fit its digest/);
  await store.revokePerson('a.nurse', 'setup', now);
  await expect(store.load()).rejects.toThrow(/is damaged/);
});

test('a row whose form only the schemas know is refused, also under a digest that fits', async () => {
  using site = await createClosed();
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
  using site = await createClosed();
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
  await store.setPersonCredential('a.nurse', credential, 'setup', now);
  expect(readFileSync(folder.path).includes(credential.hash)).toBe(true);
  await store.setPersonCredential('a.nurse', { type: 'certificate', fingerprint: 'ab'.repeat(32) }, 'setup', now);
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

test('a file whose log was taken away or put in from another store is not believed', async () => {
  using site = await createClosed();
  using other = await createClosed();
  await using open = await openStore(other.path);
  await open.addUsage(5, [{ scope: 'tenant', id: 'cardiology', tokens: 1 }]);
  renameSync(`${other.path}-wal`, `${site.path}-wal`);
  const outcome = await loadStore(site.path).catch((error: unknown) => error);
  if (outcome instanceof SiteError) expect(outcome.message).toMatch(/is damaged/);
  else expect(outcome).toEqual(site.before);
});
