/**
 * Owns the Python environments of the client tests: one for each list of exact versions in locks/, made in the cache folder when first needed,
 * known by the hash of its list. Refuses packages whose bytes are not those of the list, and to take a registry that cannot be reached for a missing Python.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../runtime/drivers.ts';
import { installAtomically } from '../../scripts/setup/cache.ts';
import { CommandError, isOffline, runCommand } from '../../scripts/setup/command.ts';

/** A list in locks/. */
export type LockName = 'official' | 'instructor' | 'lm-eval';

/** What the packages of the lists need. */
const leastVersion = [3, 11] as const;

const probe = 'import ensurepip, sys, venv; print(*sys.version_info[:2])';

/** Why no environment can be made here; undefined: one can. */
export async function findLack(): Promise<string | undefined> {
  try {
    const [major = 0, minor = 0] = (await runCommand('python3', ['-c', probe])).trim().split(' ').map(Number);
    if (major === leastVersion[0] && minor >= leastVersion[1]) return undefined;
    return `python3 is version ${major}.${minor}, and the clients need ${leastVersion.join('.')}`;
  } catch (error) {
    const isThere = error instanceof CommandError && error.output !== '';
    return isThere ? 'python3 has no venv and ensurepip (Debian: the package python3-venv)' : 'python3 is not installed';
  }
}

/** The path of its Python. Throws a sentence where the packages cannot be had. */
export async function openEnvironment(name: LockName): Promise<string> {
  const lock = join(import.meta.dirname, 'locks', `${name}.txt`);
  const version = await runCommand('python3', ['-c', 'import sys; print(sys.version)']);
  const hash = createHash('sha256').update(readFileSync(lock)).update(version).digest('hex').slice(0, 12);
  const folder = join(cacheFolder(), 'python', `${name}-${hash}`);
  await installAtomically(folder, async (work) => {
    const made = join(work, 'environment');
    await runCommand('python3', ['-m', 'venv', made]);
    // A list is complete, so that nothing else is looked for.
    const how = ['--quiet', '--no-input', '--no-deps', '--require-hashes', '--requirement', lock];
    await runCommand(pythonOf(made), ['-m', 'pip', 'install', ...how]).catch((error: unknown) => {
      if (isOffline(error)) throw new Error(`The Python packages of ${name} cannot be fetched: no package registry answers; run it where pip reaches one.`);
      throw error instanceof CommandError ? new Error(`${error.message}: ${error.output.slice(-2000)}`) : error;
    });
    return made;
  });
  return pythonOf(folder);
}

const pythonOf = (folder: string): string => join(folder, 'bin', 'python');
