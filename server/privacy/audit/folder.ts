/**
 * Owns where a log keeps its files, and that only one process writes it. Refuses a folder that others can read. The lock is
 * that of an empty database: the system takes it back when its process ends, in whatever way.
 */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SiteError } from '../errors.ts';
import { checkOwner, createFile, openFolder } from '../store/files.ts';

/** The folder of a site in which logs are. */
export const auditFolder = 'audit';
/** Logs of one site; a process that finds all of them taken has no place. */
export const logLimit = 64;
/** Largest file that is read whole, in bytes: a segment ends long before it, and at the half where the next one cannot be made. */
export const segmentLimit: number = 2 ** 28;
const sqliteBusy = 5;
const sqliteNotADatabase = 26;
const ownName = /^(?:\d{8}\.(?:log|stub)|hashes|head|key(?:\.next)?|lock)$/;

export interface LogPaths {
  readonly folder: string;
  readonly hashes: string;
  readonly head: string;
  readonly key: string;
  /** The key of the next segment, until that begins. */
  readonly nextKey: string;
  readonly lock: string;
  segment(number: number): string;
  /** What stays of one that was purged. */
  stub(number: number): string;
}

export function pathsOf(folder: string): LogPaths {
  const name = (number: number): string => String(number).padStart(8, '0');
  return {
    folder,
    hashes: join(folder, 'hashes'),
    head: join(folder, 'head'),
    key: join(folder, 'key'),
    nextKey: join(folder, 'key.next'),
    lock: join(folder, 'lock'),
    segment: (number) => join(folder, `${name(number)}.log`),
    stub: (number) => join(folder, `${name(number)}.stub`),
  };
}

export interface SegmentName {
  readonly number: number;
  readonly isStub: boolean;
}

/** Segments and stubs by their number, from the oldest on. Throws SiteError where one is missing in between, or there twice. */
export function listSegments(folder: string): readonly SegmentName[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const found = new Map<number, SegmentName>();
  for (const name of names) {
    const [, digits, kind] = /^(\d{8})\.(log|stub)$/.exec(name) ?? [];
    if (digits === undefined) continue;
    const number = Number(digits);
    // Between the writing of a stub and the removal of its segment both are there: the segment is the better one.
    if (kind === 'log' || !found.has(number)) found.set(number, { number, isStub: kind === 'stub' });
  }
  const sorted = [...found.values()].sort((a, b) => a.number - b.number);
  for (const [index, { number }] of sorted.entries()) {
    if (number !== index + 1) throw new SiteError(`The audit log in ${folder} has no segment ${index + 1}: it was taken away (inward audit verify).`);
  }
  return sorted;
}

/** The bytes of a segment or stub. Throws SiteError. */
export function readSegment(paths: LogPaths, { number, isStub }: SegmentName): Buffer {
  const path = isStub ? paths.stub(number) : paths.segment(number);
  const stats = lstatSync(path);
  if (!stats.isFile()) throw notRegular(path);
  const { size } = stats;
  if (size > segmentLimit) throw new SiteError(`${path} is no segment of an audit log: expected at most ${segmentLimit} bytes, found ${size}.`);
  return readFileSync(path);
}

/** Whoever could exchange a file of the log, or lead it elsewhere, could have the server write what they like. Throws SiteError. */
function checkFiles(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!ownName.test(name)) continue;
    const path = join(folder, name);
    const stats = lstatSync(path);
    if (!stats.isFile()) throw notRegular(path);
    checkOwner(stats, path, '600');
  }
}

function notRegular(path: string): SiteError {
  return new SiteError(`${path} is no regular file: expected one of an audit log, found a link, a folder or something else; move it away.`);
}

/** Numbered logs of a site, the first one first. */
export function listLogs(site: string): readonly string[] {
  const folder = join(site, auditFolder);
  if (!existsSync(folder)) return [];
  const numbers = readdirSync(folder).filter((name) => /^[1-9]\d?$/.test(name));
  return numbers
    .map(Number)
    .sort((a, b) => a - b)
    .map((number) => join(folder, String(number)));
}

/** Takes the log for this process; undefined where another one has it. Throws SiteError, also where a file of it is not the user's own. */
export function lockLog(folder: string): Disposable | undefined {
  const { lock } = pathsOf(folder);
  openFolder(lock, true);
  checkFiles(folder);
  try {
    createFile(lock);
  } catch (error) {
    if (!existsSync(lock)) throw error;
  }
  const database = new DatabaseSync(lock, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return { [Symbol.dispose]: () => database.close() };
  } catch (error) {
    database.close();
    const { errcode } = error as { readonly errcode?: number };
    if (errcode === sqliteBusy) return undefined;
    if (errcode !== sqliteNotADatabase) throw new SiteError(`${lock} cannot be locked: expected a folder where this user may write.`);
    throw new SiteError(`${lock} is no lock of an audit log: expected an empty file, found something else; move it away.`);
  }
}
