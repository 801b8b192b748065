/**
 * Owns backups of the store: taken while servers run, and restored into the database that servers have open, so that they
 * see it at their next request. Refuses a backup that is not whole or holds what the gate would not take, and to restore over a
 * store whose revocations cannot be read, unless it is told so.
 */
import { chmodSync, copyFileSync, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { SiteError } from '../errors.ts';
import type { Snapshot } from '../store.ts';
import { createView } from '../view.ts';
import { Connection, type Replacement } from './connection.ts';
import { type Contents, toSnapshot } from './contents.ts';
import { readDatabase } from './database.ts';
import { DamagedError, explainStoreError } from './errors.ts';
import { checkFile, checkNothingLeft, companions, createFile, identify, openFolder, syncFile } from './files.ts';
import { listRestoreEvents, mergeContents, type Restorer, skipPlaces } from './merge.ts';

export interface StoreCounts {
  readonly keys: number;
  readonly people: number;
  readonly tenants: number;
  readonly agreements: number;
  readonly manifests: number;
}

export interface RestoreResult extends StoreCounts {
  /** False: there was no store, or it could not be read; what was revoked after the backup has to be revoked again. */
  readonly isMerged: boolean;
  /** Keys, people and agreements of the backup that are revoked because they have been revoked since. */
  readonly revokedSince: number;
  /** What came after the backup and is revoked by the restore. */
  readonly closed: { readonly keys: number; readonly people: number };
  /** Agreements, manifests, trusted keys and compliance people of the backup that the present store lacks, and so goes on without. */
  readonly leftOut: number;
  /** Where the store as it was lies now. */
  readonly keptAs: string | undefined;
}

/** Writes all that the store at `path` holds into a new file that only this user can read, and checks it. Throws SiteError. */
export async function backupStore(path: string, target: string): Promise<StoreCounts> {
  using store = new Connection(path, false);
  return count(copyStore(store, target));
}

export interface RestoreOptions {
  /** Id of who restores: revocations are in this name, and this person stays. A function where only the backup knows. */
  readonly by: string | ((backup: Snapshot) => string);
  /** When, in ms of the epoch. */
  readonly at: number;
  /** Also where the present store cannot be read. */
  readonly replaceDamaged?: boolean;
}

/**
 * Restores a backup into the store at `path`, which is made if there is none. The store as it was is kept beside it, with
 * `.before-restore` behind its name. Throws SiteError, and nothing is changed then.
 */
export async function restoreStore(source: string, path: string, { by: known, at, replaceDamaged = false }: RestoreOptions): Promise<RestoreResult> {
  checkSource(source, path);
  openFolder(path, true);
  const copy = `${path}.restoring`;
  if (existsSync(copy)) throw new SiteError(`${copy} is there already: a restore is running, or was cut off; delete the file if none is running.`);
  const keptAs = `${path}.before-restore`;
  if (existsSync(keptAs)) throw new SiteError(`${keptAs} is there already, from a restore before: move it away.`);
  createFile(copy);
  try {
    const backup = readCopy(source, copy);
    const by = typeof known === 'string' ? known : known(toSnapshot(backup));
    using present = openPresent(path, replaceDamaged);
    if (present !== undefined) {
      return mergeInto(present, keptAs, (now) => {
        const merged = mergeContents(now, backup, { by, at });
        checkServed(merged, source);
        return {
          merged,
          events: listRestoreEvents(now, merged, { by, at }),
          result: { ...count(merged), isMerged: true, ...compare(now, backup, merged), keptAs },
        };
      });
    }
    checkServed(backup, source);
    noteRestore(copy, { by, at });
    const isThere = existsSync(path);
    if (isThere) putAside(path, keptAs);
    install(copy, path);
    return { ...count(backup), isMerged: false, revokedSince: 0, closed: { keys: 0, people: 0 }, leftOut: 0, keptAs: isThere ? keptAs : undefined };
  } finally {
    for (const name of [copy, ...companions.map((companion) => copy + companion)]) rmSync(name, { force: true });
  }
}

function checkSource(source: string, path: string): void {
  const isThere = explainBackup(source, source, () => checkFile(source));
  if (!isThere) throw new SiteError(`${source} is not there: expected a backup of a store.`);
  if (identify(source) === identify(path)) throw new SiteError(`${source} is the store itself: expected a backup of it.`);
  const log = statSync(`${source}-wal`, { throwIfNoEntry: false });
  if (log !== undefined && log.size > 0) throw new SiteError(`${source} is a store in use and no backup (${source}-wal is beside it): make a backup of it.`);
}

/** The contents of the backup, brought to this version in a copy: a backup itself is never written to. */
function readCopy(source: string, copy: string): Contents {
  try {
    copyFileSync(source, copy);
    chmodSync(copy, 0o600);
  } catch {
    throw new SiteError(`${source} cannot be copied to ${copy}: expected a backup that can be read, and room on the disk.`);
  }
  return explainBackup(source, copy, () => {
    using store = new Connection(copy, false);
    return store.readAll();
  });
}

/** What is found in the copy is said of the backup. */
function explainBackup<T>(source: string, copy: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof DamagedError) throw new SiteError(`${source} is no whole backup: it is damaged, or something else; use another one.`);
    throw error instanceof SiteError ? new SiteError(error.message.replaceAll(copy, source)) : error;
  }
}

/** Undefined: there is none, or none that can be read and `replaceDamaged`. */
function openPresent(path: string, replaceDamaged: boolean): Connection | undefined {
  let store: Connection | undefined;
  try {
    if (!checkFile(path)) {
      checkNothingLeft(path);
      return undefined;
    }
    store = new Connection(path, true);
    store.readAll();
    return store;
  } catch (error) {
    store?.[Symbol.dispose]();
    if (!(error instanceof DamagedError)) throw error;
    if (replaceDamaged) return undefined;
    throw new SiteError(`${path} is damaged, so what was revoked after the backup is not known: restore with leave to replace it, and revoke that again.`);
  }
}

/** The gate refuses every request over one record whose signatures do not hold. */
function checkServed(contents: Contents, source: string): void {
  try {
    createView(toSnapshot(contents));
  } catch (error) {
    throw error instanceof SiteError ? new SiteError(`With ${source} restored nothing would be served: ${error.message}`) : error;
  }
}

function mergeInto(store: Connection, keptAs: string, merge: (present: Contents) => Replacement<RestoreResult>): RestoreResult {
  const before = store.readGeneration();
  copyStore(store, keptAs);
  try {
    return store.replace((present) => {
      if (present.generation !== before) throw new SiteError(`${store.path} was written to during the restore: try again.`);
      return merge(present);
    });
  } catch (error) {
    rmSync(keptAs, { force: true });
    throw error;
  }
}

/** Nobody has to load the copy anew: nobody has it open. */
function noteRestore(copy: string, { by, at }: Restorer): void {
  using store = new Connection(copy, false);
  store.edit((edit) => {
    edit.writeMeta('nextChange', skipPlaces(edit.readMeta('nextChange'), at));
    edit.note({ event: 'store_restored', by, at });
  });
}

/** The contents of the copy, after it has been read as a store. */
function copyStore(store: Connection, target: string): Contents {
  createFile(target);
  try {
    store.copyTo(target);
    syncFile(target);
    return readDatabase(target);
  } catch (error) {
    rmSync(target, { force: true });
    throw explainStoreError(error, target);
  }
}

/** The database first: without its log it could hold less than it did. */
function putAside(path: string, keptAs: string): void {
  for (const part of ['', ...companions]) if (existsSync(path + part)) renameSync(path + part, keptAs + part);
}

function install(copy: string, path: string): void {
  syncFile(copy);
  renameSync(copy, path);
  syncFile(path);
}

function count({ keys, people, tenants, records }: Contents): StoreCounts {
  const agreements = records.filter(({ envelope }) => envelope.type === 'inward.agreement.v1').length;
  return { keys: keys.length, people: people.length, tenants: tenants.length, agreements, manifests: records.length - agreements };
}

function compare(present: Contents, backup: Contents, merged: Contents): Pick<RestoreResult, 'revokedSince' | 'closed' | 'leftOut'> {
  const [was, old, now] = [listRevocable(present), listRevocable(backup), listRevocable(merged)];
  const names = [...now.keys()];
  const closed = names.filter((name) => now.get(name) && !old.has(name) && was.get(name) === false);
  const trusted = new Set(merged.trustedKeys.map(({ id }) => id));
  return {
    revokedSince: names.filter((name) => now.get(name) && old.get(name) === false).length,
    closed: { keys: closed.filter((name) => name.startsWith('key ')).length, people: closed.filter((name) => name.startsWith('person ')).length },
    leftOut: [...old.keys()].filter((name) => !now.has(name)).length + backup.trustedKeys.filter(({ id }) => !trusted.has(id)).length,
  };
}

/** Everything that can be revoked, by kind and id, and whether it is. */
function listRevocable({ keys, people, records }: Contents): Map<string, boolean> {
  return new Map([
    ...keys.map(({ id, revokedAt }): [string, boolean] => [`key ${id}`, revokedAt !== undefined]),
    ...people.map(({ id, revokedAt }): [string, boolean] => [`person ${id}`, revokedAt !== undefined]),
    ...records.map(({ envelope, revokedAt }): [string, boolean] => [`record ${envelope.record['id']}`, revokedAt !== undefined]),
  ]);
}
