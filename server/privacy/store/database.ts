/**
 * Owns how a file becomes an open database that can be believed: settings, migrations, and the whole of it checked. Refuses a
 * damaged one, one of another program, a newer one, and one whose tables are not exactly those of its version.
 */
import { DatabaseSync } from 'node:sqlite';
import { SiteError } from '../errors.ts';
import { type Contents, readContents } from './contents.ts';
import { DamagedError, explainStoreError } from './errors.ts';
import { checkFile, createFile, openFolder } from './files.ts';
import { checkDigest, migrate, migrations, readDefinitions, readSchemaVersion } from './schema.ts';

/** In place of a path: a store that ends with its process. */
export const inMemory = ':memory:';
/** How long a write waits for another process, in ms. */
const patienceMs = 3000;
const retryMs = 20;
/** SQLITE_BUSY */
const busyCode = 5;

/** The database at `path`, of the newest version. `create`: where there is none, it is made. Throws SiteError. */
export function openDatabase(path: string, create: boolean): DatabaseSync {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return tryDatabase(path, create);
    } catch (error) {
      // Where several make a store at once, SQLite turns some away without waiting.
      const isBusy = (error as { readonly errcode?: unknown }).errcode === busyCode;
      if (!isBusy || performance.now() > deadline) throw explainStoreError(error, path);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
    }
  }
}

function tryDatabase(path: string, create: boolean): DatabaseSync {
  if (path !== inMemory) prepareFile(path, create);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: patienceMs, defensive: true, enableForeignKeyConstraints: true, enableDoubleQuotedStringLiterals: false });
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON');
    const version = readSchemaVersion(database, path);
    if (version === 0 && !create) throw new SiteError(`${path} is empty: set the site up first, or restore a backup.`);
    // Of another program's file nothing has been changed up to here.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    if (version > 0) checkPages(database, path);
    migrate(database, path);
    checkDatabase(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw error;
  }
}

/** What a file of the newest version holds, without a change to it. Throws SiteError. */
export function readDatabase(path: string): Contents {
  checkFile(path);
  const database = new DatabaseSync(path, { readOnly: true, timeout: patienceMs, defensive: true });
  try {
    readSchemaVersion(database, path);
    checkPages(database, path);
    checkDatabase(database, path);
    return readContents(database, path);
  } finally {
    database.close();
  }
}

function prepareFile(path: string, create: boolean): void {
  openFolder(path, create);
  if (checkFile(path)) return;
  if (!create) throw new SiteError(`${path} is not there: set the site up first, or restore a backup.`);
  try {
    createFile(path);
  } catch (error) {
    // Another process may have been faster.
    if (!checkFile(path)) throw error;
  }
}

/** Definitions and rows are those that this program wrote. */
function checkDatabase(database: DatabaseSync, name: string): void {
  if (readDefinitions(database) !== expectedDefinitions()) throw new DamagedError(name, 'its tables are not those of its version');
  database.exec('BEGIN');
  checkDigest(database, name);
  database.exec('COMMIT');
}

function checkPages(database: DatabaseSync, name: string): void {
  const [row] = database.prepare('PRAGMA integrity_check(1)').all();
  if (row?.['integrity_check'] !== 'ok') throw new DamagedError(name, 'its pages or rows do not hold together');
}

function expectedDefinitions(): string {
  const empty = new DatabaseSync(inMemory);
  try {
    for (const step of migrations) empty.exec(step);
    return readDefinitions(empty);
  } finally {
    empty.close();
  }
}
