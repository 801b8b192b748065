/**
 * Owns how things get into the cache folder: made in a temporary sibling, then renamed, so that what has its
 * final name is whole. Two set-ups at once may both do the work; the first to rename wins and both use its result.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Makes `path` (a folder or a file) by `fill`, which gets an empty work folder and says what in it becomes `path`. Does nothing if it is there. */
export async function installAtomically(path: string, fill: (workFolder: string) => Promise<string>): Promise<void> {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  removeAbandoned(path);
  const workFolder = `${path}.${process.pid}.tmp`;
  mkdirSync(workFolder);
  try {
    const result = await fill(workFolder);
    try {
      renameSync(result, path);
    } catch (error) {
      if (!existsSync(path)) throw error; // else another set-up was faster
    }
  } finally {
    rmSync(workFolder, { recursive: true, force: true });
  }
}

const patience = 3_600_000;

/**
 * Runs `install`, which makes `path`; where that failed less than an hour ago, throws the same reason at once instead,
 * so that not every command tries in vain and waits for it.
 */
export async function installUnlessJustFailed(path: string, install: (path: string) => Promise<void>): Promise<void> {
  const note = `${path}.failed`;
  const failed = statSync(note, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (Math.abs(Date.now() - failed) < patience) throw new Error(`${readFileSync(note, 'utf8')} (tried again after an hour, or when asked for by name)`);
  try {
    await install(path);
    rmSync(note, { force: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'failed';
    mkdirSync(dirname(note), { recursive: true });
    writeFileSync(note, reason);
    throw error;
  }
}

/** Removes work folders whose process is gone. */
function removeAbandoned(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    const pid = name.startsWith(`${basename(path)}.`) ? /\.(\d+)\.tmp$/.exec(name)?.[1] : undefined;
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(dirname(path), name), { recursive: true, force: true });
  }
}
