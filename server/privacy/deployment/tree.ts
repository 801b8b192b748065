/**
 * Owns the reading of what the operating system tells in small files (/sys, /proc, /etc): bounded, and never out of the given
 * root by a symbolic link. What cannot be read is told as a value and never as an error: its reader decides what that means.
 */
import { closeSync, constants, fstatSync, opendirSync, openSync, readlinkSync, readSync, realpathSync } from 'node:fs';
import { basename, join, sep } from 'node:path';

/** All paths are relative to the root. */
export interface Tree {
  /** Undefined: no regular file that may be read, or more bytes than `limit`. */
  text(path: string, limit: number): string | undefined;
  /** Names in a folder. `closed`: it is there and may not be read, is no folder, or holds more than `limit`. */
  list(path: string, limit: number): readonly string[] | 'absent' | 'closed';
  /** What a symbolic link says, without going there. */
  link(path: string): string | undefined;
  /** Last name of where a path leads. */
  target(path: string): string | undefined;
}

export function createTree(root: string): Tree {
  const base = realpathSync(root);
  const inside = base.endsWith(sep) ? base : base + sep;
  /** Throws what the file system throws. */
  const resolve = (path: string): string => {
    const real = realpathSync(join(base, path));
    if (!real.startsWith(inside)) throw new Error('a link leads out of the root');
    return real;
  };
  return {
    text: (path, limit) => attempt(() => readBounded(resolve(path), limit)),
    list: (path, limit) => {
      try {
        return listBounded(resolve(path), limit);
      } catch (error) {
        const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
        // ESRCH: a process that has just ended.
        return code === 'ENOENT' || code === 'ESRCH' ? 'absent' : 'closed';
      }
    },
    link: (path) => attempt(() => readlinkSync(join(base, path))),
    target: (path) => attempt(() => basename(resolve(path))),
  };
}

/** Files of the kernel say nothing true about their size, so they are read until their end. */
function readBounded(path: string, limit: number): string | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const bytes = Buffer.alloc(limit + 1);
    let length = 0;
    for (let count = 1; count > 0 && length < bytes.length; length += count) count = readSync(fd, bytes, length, bytes.length - length, null);
    return length > limit ? undefined : bytes.toString('latin1', 0, length);
  } finally {
    closeSync(fd);
  }
}

function listBounded(path: string, limit: number): readonly string[] | 'closed' {
  const folder = opendirSync(path);
  try {
    const names: string[] = [];
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      if (names.length === limit) return 'closed';
      names.push(entry.name);
    }
    return names.sort();
  } finally {
    folder.closeSync();
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
