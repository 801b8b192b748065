/**
 * Owns what the audit log asks of a disk: files that are written at a place, made durable, and made longer by zeros that are
 * really written. One interface, so that tests can make a disk full, broken or slow.
 */
import { constants, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { codeOf } from '../files.ts';

/** An open file. Its methods reject with what the system says (`ENOSPC`, `EIO` ...). */
export interface DiskFile {
  /** All of it, at a place in bytes. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Waits until it is on the disk. */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** A new file that only this user can read; rejects where one is there. */
  create(path: string): Promise<DiskFile>;
  /** One that is there, for writing. */
  open(path: string): Promise<DiskFile>;
  /** Gives a file another name, in place of what has that now; durable when it resolves. */
  rename(from: string, to: string): Promise<void>;
  /** Durable when it resolves; no matter whether it was there. */
  remove(path: string): Promise<void>;
  /** Makes names of new files in a folder durable. */
  syncFolder(folder: string): Promise<void>;
}

/** The disks of this machine. */
export const systemDisk: Disk = {
  create: async (path) => toDiskFile(await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)),
  // Not what a link leads to.
  open: async (path) => toDiskFile(await open(path, constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0))),
  rename: async (from, to) => {
    await rename(from, to);
    await syncFolder(to);
  },
  remove: async (path) => {
    await rm(path, { force: true });
    await syncFolder(path);
  },
  syncFolder: (folder) => syncFolder(`${folder}/.`),
};

function toDiskFile(file: FileHandle): DiskFile {
  return {
    write: async (bytes, position) => {
      for (let written = 0; written < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
        if (bytesWritten === 0) throw Object.assign(new Error('nothing was written'), { code: 'EIO' });
        written += bytesWritten;
      }
    },
    sync: () => file.datasync(),
    truncate: (size) => file.truncate(size),
    close: () => file.close(),
  };
}

/** A full disk: the system, the user's share of it, or the limit of the process. */
export function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(error));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path.slice(0, path.lastIndexOf('/')) || '/', constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes a new file whole and durable. */
export async function writeWhole(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.create(path);
  try {
    await file.write(bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}
