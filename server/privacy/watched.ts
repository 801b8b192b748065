/**
 * Owns the reading of files that decide who is trusted: certificates, private keys, sets of keys; and the watch over them.
 * Refuses what is no regular file, is too large, could be changed by another user, or, where it holds a secret, be read
 * by one. Links are followed, because tools that renew certificates make them; what is judged is the file that was opened.
 */
import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { SiteError } from './errors.ts';
import { readUpTo } from './files.ts';

/** What is wrong with a file, as a name that a log may hold. `mismatch`: a certificate and a key that do not belong together. */
export type FileFlaw = 'unreadable' | 'size' | 'access' | 'form' | 'mismatch' | 'dates';

export interface FileRules {
  /** How a sentence calls the file: `The private key`. Its path follows. */
  readonly what: string;
  /** Largest size, in bytes. */
  readonly limit: number;
  /** Nobody but this user may read it. */
  readonly isSecret?: boolean;
}

export class FileError extends SiteError {
  readonly flaw: FileFlaw;

  /** `reason`: what was expected, what was found, what to do. */
  constructor(flaw: FileFlaw, { what }: FileRules, path: string, reason: string) {
    super(`${what} ${path} cannot be used: ${reason}.`);
    this.flaw = flaw;
  }
}

/** The bytes of a file that keeps the rules. Throws FileError. */
export function readGuardedFile(path: string, rules: FileRules): Buffer {
  const refuse = (flaw: FileFlaw, reason: string): FileError => new FileError(flaw, rules, path, reason);
  let file: number;
  try {
    // Opening a pipe would wait for a writer.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const isMissing = (error as { readonly code?: string }).code === 'ENOENT';
    throw refuse('unreadable', `expected a readable file, found ${isMissing ? 'nothing' : 'one that this user may not read'}`);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw refuse('unreadable', `expected a file, found ${stat.isDirectory() ? 'a folder' : 'something else'}`);
    const flaw = findOpenDoor(stat, rules.isSecret === true);
    if (flaw !== undefined) throw refuse('access', flaw);
    const bytes = readUpTo(file, rules.limit + 1);
    if (bytes.length > rules.limit) throw refuse('size', `expected at most ${rules.limit} bytes, found more`);
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** How somebody else could get at the file, as the end of a sentence. */
function findOpenDoor({ mode, uid }: Stats, isSecret: boolean): string | undefined {
  const found = `found mode ${(mode & 0o777).toString(8).padStart(4, '0')}`;
  const self = process.geteuid?.() ?? uid;
  if (isSecret && uid !== self) return 'expected one that belongs to the user of this process, found that it belongs to another (chown)';
  if (isSecret && (mode & 0o077) !== 0) return `expected one that only its owner may read, ${found} (chmod 600)`;
  if (uid !== self && uid !== 0) return 'expected one that belongs to the user of this process or to root, found that it belongs to another (chown)';
  if ((mode & 0o022) !== 0) return `expected one that only its owner may change, ${found} (chmod go-w)`;
  return undefined;
}

/** What files are like now, for `watchFiles`. Taken before they are read, so that no change falls in between. */
export function stampFiles(paths: readonly string[]): string {
  return paths.map(stampFile).join(' ');
}

function stampFile(path: string): string {
  try {
    const { dev, ino, size, mode, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mode, mtimeNs, ctimeNs].join(':');
  } catch {
    return 'none';
  }
}

/** Time between two looks at files, in ms. */
export const standardInterval = 1000;

/**
 * Calls `onChange` when files are no longer what `stamp` says, and have stood still from one look to the next: several files are
 * renewed one after the other. Keeps no process alive. Looks by the clock, because notices of the system miss network drives and swapped links.
 */
export function watchFiles(paths: readonly string[], stamp: string, onChange: () => void, intervalMs: number = standardInterval): Disposable {
  let known = stamp;
  let last = stamp;
  const timer = setInterval(() => {
    const seen = stampFiles(paths);
    const isChanged = seen !== known && seen === last;
    last = seen;
    if (!isChanged) return;
    known = seen;
    onChange();
  }, intervalMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
