/** Owns small file systems in memory for tests, which only root can mount. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const run = (command: string, ...args: readonly string[]): string | undefined => {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
};

/** Why nothing can be mounted here; undefined: it can. */
export function canMount(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can mount a file system';
  const folder = mkdtempSync(join(tmpdir(), 'inward-mount-'));
  try {
    const refusal = run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder);
    if (refusal === undefined) run('umount', folder);
    return refusal === undefined ? undefined : 'the system lets nothing be mounted';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Mount extends Disposable {
  setReadOnly(isReadOnly: boolean): void;
}

/** `size` in KiB. */
export function mountSmall(folder: string, size: number): Mount {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const expect = (refusal: string | undefined): void => {
    if (refusal !== undefined) throw new Error(refusal);
  };
  expect(run('mount', '-t', 'tmpfs', '-o', `size=${size}k,mode=700`, 'tmpfs', folder));
  return {
    // Refused while a file in it is open for writing.
    setReadOnly: (isReadOnly) => expect(run('mount', '-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, folder)),
    [Symbol.dispose]: () => void run('umount', '-l', folder),
  };
}
