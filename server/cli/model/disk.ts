/**
 * Owns what an import asks of the disk that takes it: files that are written at a place, made durable and read again, and how much is free.
 * One interface, so that tests can fill or break the disk. Refuses to write through a link, or to anything but a regular file.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';

/** Places and sizes are in bytes; all throw what the file system throws. */
export interface DiskFile extends AsyncDisposable {
  size(): Promise<number>;
  /** Fills `into` as far as the file goes; gives how far. */
  read(into: Uint8Array, position: number): Promise<number>;
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
}

export interface Disk {
  /** For reading and writing; made where it is missing. */
  open(path: string): Promise<DiskFile>;
  /** Bytes that this user may still write. */
  freeSize(folder: string): Promise<number>;
}

export const localDisk: Disk = {
  open: async (path) => {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o644);
    if ((await file.stat()).isFile()) return createFile(file);
    await file.close();
    throw Object.assign(new Error('no regular file'), { code: 'EINVAL' });
  },
  freeSize: async (folder) => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
};

function createFile(file: FileHandle): DiskFile {
  return {
    size: async () => (await file.stat()).size,
    read: async (into, position) => {
      let done = 0;
      for (let count = 1; count > 0 && done < into.length; done += count) {
        count = (await file.read(into, done, into.length - done, position + done)).bytesRead;
      }
      return done;
    },
    write: async (bytes, position) => {
      for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    },
    truncate: (size) => file.truncate(size),
    sync: () => file.sync(),
    [Symbol.asyncDispose]: () => file.close(),
  };
}
