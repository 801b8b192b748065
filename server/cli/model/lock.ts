/**
 * Owns that one process at a time imports under a name: a file with the number of the process, which is there whole or not at all. Refuses
 * to wait, and to end a lock of somebody else; the lock of a process that is gone counts no longer.
 */
import { randomBytes } from 'node:crypto';
import { constants, copyFileSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SiteError } from '../../privacy/errors.ts';
import { codeOf } from '../../privacy/files.ts';

/** Throws SiteError where another process holds it. */
export function holdLock(path: string, name: string): Disposable {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(draft, `${process.pid}\n`, { flag: 'wx', mode: 0o644 });
    for (let tries = 0; !place(draft, path); tries++) {
      const holder = readHolder(path);
      if (tries > 0 || isAlive(holder)) {
        throw new SiteError(
          `The model ${name} is being imported: expected no other import of it, found process ${holder ?? 'unknown'}; wait for it, or remove ${path} if there is no such process.`,
        );
      }
      clear(path, `${draft}.old`);
    }
  } catch (error) {
    if (error instanceof SiteError) throw error;
    throw new SiteError(`The file ${path} cannot be written (${codeOf(error)}): expected a folder that this user may write.`);
  } finally {
    rmSync(draft, { force: true });
  }
  return {
    [Symbol.dispose]: () => {
      if (readHolder(path) === process.pid) rmSync(path, { force: true });
    },
  };
}

/** Gives the file a second name; false where that is taken. */
function place(file: string, path: string): boolean {
  try {
    link(file, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** What a disk says that has no links, as FAT. */
const withoutLinks: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

function link(file: string, path: string): void {
  try {
    linkSync(file, path);
  } catch (error) {
    if (!withoutLinks.includes(codeOf(error))) throw error;
    copyFileSync(file, path, constants.COPYFILE_EXCL);
  }
}

/** Takes away the lock of a process that is gone. Another may have done so before, and placed its own: that one goes back. */
function clear(path: string, old: string): void {
  try {
    renameSync(path, old);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if (isAlive(readHolder(old))) place(old, path);
  rmSync(old, { force: true });
}

function readHolder(path: string): number | undefined {
  try {
    const [, number] = /^(\d{1,10})\n$/.exec(readFileSync(path, 'latin1')) ?? [];
    return number === undefined ? undefined : Number(number);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Of somebody else, but there.
    return codeOf(error) === 'EPERM';
  }
}
