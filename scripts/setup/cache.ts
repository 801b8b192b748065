/**
 * Owns how things get into the cache folder: made in a temporary sibling, then renamed, so that what has its
 * final name is whole. Two set-ups at once may both do the work; the first to rename wins and both use its result.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
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

/** Removes work folders whose process is gone. */
function removeAbandoned(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    const pid = name.startsWith(`${basename(path)}.`) ? /\.(\d+)\.tmp$/.exec(name)?.[1] : undefined;
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(dirname(path), name), { recursive: true, force: true });
  }
}
