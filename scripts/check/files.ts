/** Owns the list of files that the checks look at: what git tracks or would track. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../node.mjs';
import { runCommand } from '../setup/command.ts';

/** Paths from the top of the repository. */
export async function listFiles(): Promise<string[]> {
  const output = await runCommand('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  return [...new Set(output.split('\0').filter((path) => path !== ''))].sort();
}

/** The text of a file, or undefined if it is binary or was removed but not yet committed. */
export function readTextFile(path: string): string | undefined {
  try {
    const bytes = readFileSync(join(root, path));
    return bytes.subarray(0, 8192).includes(0) ? undefined : bytes.toString('utf8');
  } catch {
    return undefined;
  }
}
