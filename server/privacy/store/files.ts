/**
 * Owns the file of the store as a file: made so that nobody but its user can read it, and looked at before anything in it is
 * believed. Refuses a file or a folder of another user, or that group or others can read or write, and what is no regular file.
 */
import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SiteError } from '../errors.ts';
import { DamagedError } from './errors.ts';

/** What SQLite puts beside a database. */
export const companions = ['-wal', '-shm', '-journal'] as const;
const magic = 'SQLite format 3\0';

/** The folder, made if it is not there. */
export function openFolder(path: string, create: boolean): void {
  const folder = dirname(path);
  try {
    if (create) mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch {
    throw new SiteError(`The folder ${folder} cannot be made: expected a place where this user may write.`);
  }
  const stats = look(() => statSync(folder), folder);
  if (!stats?.isDirectory()) throw new SiteError(`The folder ${folder} is not there: set the site up first.`);
  checkOwner(stats, `The folder ${folder}`, '700');
}

/** Whether the file is there. It is a regular one then, nobody else's, and has the beginning of a database or nothing at all. */
export function checkFile(path: string): boolean {
  const stats = look(() => lstatSync(path), path);
  if (stats === undefined) return false;
  if (!stats.isFile()) throw new SiteError(`${path} is no regular file: expected the database of a store.`);
  checkOwner(stats, path, '600');
  if (stats.size > 0 && look(() => readStart(path), path) !== magic) throw new DamagedError(path, 'it is no SQLite database');
  for (const companion of companions) {
    const beside = look(() => lstatSync(path + companion), path + companion);
    if (beside === undefined) continue;
    if (!beside.isFile()) throw new SiteError(`${path}${companion} is no regular file: expected what SQLite puts there.`);
    checkOwner(beside, path + companion, '600');
  }
  return true;
}

/** SQLite would play the log of a store that is gone into the one that takes its name. */
export function checkNothingLeft(path: string): void {
  for (const companion of companions) {
    const isThere = look(() => lstatSync(path + companion), path + companion) !== undefined;
    if (isThere) throw new SiteError(`${path}${companion} belongs to a store that is gone: put it back together, or move it away.`);
  }
}

/** An empty file that only this user can read. Throws SiteError where something is there already. */
export function createFile(path: string): void {
  checkNothingLeft(path);
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new SiteError(`${path} is there already: expected a name that is free.`);
    throw new SiteError(`${path} cannot be made: expected a folder where this user may write.`);
  }
}

/** Tells one file from another that has taken its name. */
export function identify(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && `${stats.dev} ${stats.ino}`;
}

/** Waits until a file and its name are on the disk. */
export function syncFile(path: string): void {
  for (const name of [path, dirname(path)]) {
    const file = openSync(name, 'r');
    fsyncSync(file);
    closeSync(file);
  }
}

function readStart(path: string): string {
  const bytes = Buffer.alloc(magic.length);
  const file = openSync(path, 'r');
  try {
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

function look<T>(read: () => T, name: string): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SiteError(`${name} cannot be read: expected a place that this user may read.`);
  }
}

/** Refuses what belongs to another user, or what others can read or write. `mode`: the one that is expected. Throws SiteError. */
export function checkOwner(stats: Stats, name: string, mode: string): void {
  const user = process.getuid?.();
  if (user !== undefined && stats.uid !== user) {
    throw new SiteError(`${name} belongs to another user: expected whoever runs this command; run it as the user of the servers.`);
  }
  // Windows has no such bits.
  if (process.platform === 'win32' || (stats.mode & 0o077) === 0) return;
  throw new SiteError(`${name} can be read or written by others (mode ${(stats.mode & 0o777).toString(8)}): expected ${mode}, set it with chmod ${mode}.`);
}
