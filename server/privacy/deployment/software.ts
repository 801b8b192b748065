/**
 * Owns the digest of the program: SHA-256 over the files that run and ship, in a clone as in the built package, and the digest
 * of one large file. Refuses links in place of the program's files: what they lead to could change and the digest would not.
 * Packages in the top node_modules are not part of it: a clone's lock file, which is, says which they should be, and nothing compares them.
 */
import { createHash } from 'node:crypto';
import { constants, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SiteError } from '../errors.ts';

/** Folders and files that the program is made of; scripts that only developers run do not ship. */
const parts = [
  'bin',
  'kernels',
  'models',
  'runtime',
  'server',
  'scripts/setup',
  'scripts/node.mjs',
  'scripts/progress.mjs',
  'scripts/setup.mjs',
  'package.json',
  'package-lock.json',
];
const fileForm = /\.(?:[cm]?ts|[cm]?js|wgsl|json|node|wasm|py)$/;
const fileLimit = 10_000;
/** Bytes of all files together. */
const sizeLimit = 2 ** 27;

/** `root`: the folder of package.json. Throws SiteError. */
export function hashSoftware(root: string): string {
  try {
    return hashFiles(realpathSync(root));
  } catch (error) {
    if (error instanceof SiteError) throw error;
    throw new SiteError("The program's own files cannot be read: expected to find and read all of them; install it anew.");
  }
}

function hashFiles(root: string): string {
  const hash = createHash('sha256').update('inward.software.v1\n');
  const paths = parts.flatMap((part) => listFiles(root, part)).sort();
  if (!paths.includes('package.json') || paths.length > fileLimit) {
    throw new SiteError(
      `The program's own files are not complete: expected package.json and at most ${fileLimit} files, found ${paths.length}; install it anew.`,
    );
  }
  let size = 0;
  for (const path of paths) {
    size += lstatSync(join(root, path)).size;
    if (size > sizeLimit) throw new SiteError(`The program's own files are too large: expected at most ${sizeLimit} bytes; install it anew.`);
    const bytes = readFileSync(join(root, path));
    hash.update(`${path}\n${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

/** Paths of source files, from the root, with `/` on every system. */
function listFiles(root: string, path: string): string[] {
  const stats = lstatSync(join(root, path), { throwIfNoEntry: false });
  if (stats === undefined) return [];
  if (stats.isDirectory()) {
    const names = readdirSync(join(root, path)).filter((name) => !name.startsWith('.'));
    return names.flatMap((name) => listFiles(root, `${path}/${name}`));
  }
  if (stats.isFile()) return fileForm.test(path) ? [path] : [];
  throw new SiteError(
    "The program's own files cannot be trusted: expected files and folders only, found a link or something else among them; install it anew.",
  );
}

const chunkSize = 2 ** 20;

/** SHA-256 of a file, with the bytes done so far after each piece. Throws SiteError. */
export async function hashFile(path: string, onProgress?: (done: number) => void): Promise<string> {
  const refuse = (found: string): SiteError =>
    new SiteError(
      `The file ${JSON.stringify(basename(path))} cannot be hashed: expected one that can be read and stays as it is, found ${found}; put it in place.`,
    );
  // A pipe would make the opening wait for whoever writes into it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => Promise.reject(refuse('none')));
  try {
    const before = await file.stat();
    if (!before.isFile()) throw refuse('something else');
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafeSlow(chunkSize);
    let done = 0;
    for (let count = 1; count > 0; ) {
      count = (await file.read(buffer, 0, chunkSize)).bytesRead;
      hash.update(buffer.subarray(0, count));
      done += count;
      onProgress?.(done);
    }
    const after = await file.stat();
    if (done !== before.size || after.mtimeMs !== before.mtimeMs) throw refuse('one that changed meanwhile');
    return hash.digest('hex');
  } catch (error) {
    throw error instanceof SiteError ? error : refuse('an error of the disk');
  } finally {
    await file.close();
  }
}
