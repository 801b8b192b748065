/**
 * Owns that one process at a time imports under a name: a file with the number of the process. Refuses to wait; the lock of a process
 * that is gone counts no longer.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { SiteError } from '../../privacy/errors.ts';
import { codeOf } from '../../privacy/files.ts';

/** Throws SiteError where another process holds it. */
export function holdLock(path: string, name: string): Disposable {
  for (let tries = 0; ; tries++) {
    try {
      const file = openSync(path, 'wx', 0o644);
      writeSync(file, `${process.pid}\n`);
      closeSync(file);
      return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw new SiteError(`The file ${path} cannot be written (${codeOf(error)}): expected a folder that this user may write.`);
      const holder = readHolder(path);
      if (tries > 0 || (holder !== undefined && isAlive(holder))) {
        throw new SiteError(
          `The model ${name} is being imported: expected no other import of it, found process ${holder ?? 'unknown'}; wait for it, or remove ${path} if there is no such process.`,
        );
      }
      rmSync(path, { force: true });
    }
  }
}

function readHolder(path: string): number | undefined {
  try {
    const [, number] = /^(\d{1,10})\n$/.exec(readFileSync(path, 'latin1')) ?? [];
    return number === undefined ? undefined : Number(number);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Of somebody else, but there.
    return codeOf(error) === 'EPERM';
  }
}
