/**
 * Owns the border between this room and the disk: small files are read whole within a limit, new ones never take the place of
 * others, and a changed one is there whole or not at all. Refuses a file with a secret that anybody but its owner could read,
 * and what is no regular file.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { SiteError } from './errors.ts';

/** Characters of a long file that are written at once. */
const pieceLength = 65_536;

/** Bytes of a file of at most `limit` bytes. Throws SiteError. */
export function readSmallFile(path: string, limit: number): Buffer {
  return readBounded(path, limit, () => undefined);
}

/**
 * Bytes of a file that holds a secret: only its owner may read or write it, and that is who runs this. Throws SiteError.
 * On Windows, which has no such modes, folders of the user protect it.
 */
export function readSecretFile(path: string, limit: number): Buffer {
  return readBounded(path, limit, (stats) => {
    const user = process.getuid?.();
    if (user === undefined) return;
    if (stats.uid !== user)
      throw new SiteError(`The file ${path} cannot be used: expected one that belongs to whoever runs this command, found another owner.`);
    if ((stats.mode & 0o077) !== 0) {
      throw new SiteError(`The file ${path} can be used by others (mode ${formatMode(stats)}); expected mode 0600: chmod 600 ${path}`);
    }
  });
}

/** Writes a file that must not be there yet, as a whole or piece by piece; none is left where that fails. Throws SiteError. */
export function writeNewFile(path: string, text: string | Iterable<string>, mode: number): void {
  let file: number;
  try {
    file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw new SiteError(`The file ${path} is there already and is not overwritten; name another one.`);
    throw new SiteError(`The file ${path} cannot be written (${codeOf(error)}).`);
  }
  try {
    writeAndClose(file, text);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(path, { force: true });
    if (error instanceof SiteError) throw error;
    throw new SiteError(`The file ${path} cannot be written (${codeOf(error)}).`);
  }
}

/** Gives a file that is there another content and leaves its mode. Whoever reads it meanwhile gets the old or the new one. Throws SiteError. */
export function replaceFile(path: string, text: string): void {
  let draft: string | undefined;
  try {
    // Else a link would be replaced by a file.
    const target = realpathSync(path);
    const name = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.new`);
    const file = openSync(name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    draft = name;
    writeAndClose(file, text, statSync(target).mode & 0o777);
    renameSync(name, target);
    draft = undefined;
    syncFolder(dirname(target));
  } catch (error) {
    if (draft !== undefined) rmSync(draft, { force: true });
    if (error instanceof SiteError) throw error;
    throw new SiteError(`The file ${path} cannot be replaced (${codeOf(error)}).`);
  }
}

function readBounded(path: string, limit: number, check: (stats: Stats) => void): Buffer {
  const refuse = (expected: string, found: string): SiteError => new SiteError(`The file ${path} cannot be used: expected ${expected}, found ${found}.`);
  let file: number | undefined;
  try {
    // A pipe without a writer would block.
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(file);
    if (!stats.isFile()) throw refuse('a file', stats.isDirectory() ? 'a folder' : 'something else');
    check(stats);
    if (stats.size > limit) throw refuse(`at most ${limit} bytes`, `${stats.size}`);
    // Some files say that they are empty.
    const expected = Math.min(limit, Math.max(stats.size, 4096));
    const bytes = readUpTo(file, expected + 1);
    if (bytes.length > expected) throw refuse(`at most ${expected} bytes`, 'more');
    return bytes;
  } catch (error) {
    if (error instanceof SiteError) throw error;
    throw refuse('a readable file', codeOf(error) === 'ENOENT' ? 'nothing' : `one that cannot be read (${codeOf(error)})`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** The bytes of an open file, at most so many: it may have grown since its size was asked for. */
export function readUpTo(file: number, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  let length = 0;
  while (length < count) {
    const read = readSync(file, bytes, length, count - length, null);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

function writeAndClose(file: number, text: string | Iterable<string>, mode?: number): void {
  try {
    if (mode !== undefined) fchmodSync(file, mode);
    let piece = '';
    for (const part of typeof text === 'string' ? [text] : text) {
      piece += part;
      if (piece.length < pieceLength) continue;
      writePiece(file, piece);
      piece = '';
    }
    writePiece(file, piece);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function writePiece(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset);
}

/** Makes the name of a new file durable, where a folder can be opened. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const file = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function formatMode({ mode }: Stats): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}

/** `ENOSPC`: why the system said no. */
export function codeOf(error: unknown): string {
  return (error as { readonly code?: string }).code ?? 'unknown error';
}
