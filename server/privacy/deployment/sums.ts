/**
 * Owns SHA256SUMS, the list of a model's files with their hashes that lies beside them, in the form that `sha256sum -c` takes, and the
 * comparison of a folder with it. The hash of the list itself pins all of it. Refuses names that lead out of the folder, and comments.
 */
import { hash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { SiteError } from '../errors.ts';
import { readSmallFile } from '../files.ts';
import { shorten } from './compare.ts';
import { memberForm, type WeightFile, weightLimit } from './manifest.ts';
import { hashFiles, isFolder, sumsFile } from './weights.ts';

/** Bytes. */
const sizeLimit = weightLimit * 200;

export interface Sums {
  readonly files: readonly WeightFile[];
  /** Of the list itself. */
  readonly sha256: string;
}

/** The text of a list; by name, so that equal files make equal lists. */
export function formatSums(files: readonly WeightFile[]): string {
  return files
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, sha256 }) => `${sha256}  ${name}\n`)
    .join('');
}

/** The list of a folder. Throws SiteError. */
export function readSums(folder: string): Sums {
  const path = join(folder, sumsFile);
  const bytes = readSmallFile(path, sizeLimit);
  const lines = bytes.toString('latin1').split('\n');
  const files = lines.slice(0, -1).map((line) => {
    const [, sha256 = '', name = ''] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    return { name, sha256 };
  });
  const isSound =
    lines.at(-1) === '' && files.length > 0 && files.length <= weightLimit && files.every(({ name }) => memberForm.test(name) && name !== sumsFile);
  if (!isSound || new Set(files.map(({ name }) => name)).size < files.length) {
    throw new SiteError(
      `The list ${path} cannot be used: expected lines of sha256sum, each with a hash and the plain name of another file, found others; import the model anew (inward model add), from a folder without this list.`,
    );
  }
  return { files, sha256: hash('sha256', bytes) };
}

export interface SumsOptions {
  /** SHA-256 that the list must have. */
  readonly pin?: string | undefined;
  /** Hashes that somebody has just made of files of this model. */
  readonly known?: readonly WeightFile[] | undefined;
  /** Bytes. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface SumsReport extends Sums {
  /** A sentence for each; none: everything is as it was listed. */
  readonly differences: readonly string[];
}

/** Reads every byte of the model's folder that is not known. Throws SiteError where there is no list, or a file cannot be read. */
export async function compareSums(modelPath: string, { pin, known = [], onProgress }: SumsOptions = {}): Promise<SumsReport> {
  const isWhole = isFolder(modelPath);
  const folder = isWhole ? modelPath : dirname(modelPath);
  const sums = readSums(folder);
  if (pin !== undefined && pin !== sums.sha256) {
    const difference = `The list of sums is another one: expected ${sumsFile} with SHA-256 ${shorten(pin)}, found ${shorten(sums.sha256)}; put the first one back, or pin this one.`;
    return { ...sums, differences: [difference] };
  }
  const found = listFiles(folder).filter((name) => name !== sumsFile);
  const missing = sums.files.filter(({ name }) => !found.includes(name));
  const extra = found.filter((name) => !sums.files.some((file) => file.name === name));
  const differences = [
    ...missing.map(({ name }) => `A file of the model is missing: expected ${name}, found none; put it back, ${orAnew}.`),
    ...extra.map((name) => `A file is not in the list of sums: expected no ${JSON.stringify(name)} beside the model, found one; remove it, ${orAnew}.`),
    ...(await compareFiles(
      folder,
      sums.files.filter((file) => !missing.includes(file)),
      known.map(({ name, sha256 }) => ({ name: isWhole ? name.slice(name.indexOf('/') + 1) : name, sha256 })),
      onProgress,
    )),
  ];
  return { ...sums, differences };
}

/** All that is no folder, also in folders below, and what is hidden. */
export function listFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return entries.map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort();
}

const orAnew = 'or import the model anew (inward model add)';

async function compareFiles(
  folder: string,
  files: readonly WeightFile[],
  known: readonly WeightFile[],
  onProgress: SumsOptions['onProgress'],
): Promise<string[]> {
  const hashes = new Map(known.map(({ name, sha256 }) => [name, sha256]));
  const unknown = files.filter(({ name }) => !hashes.has(name)).map(({ name }) => ({ name, path: join(folder, name) }));
  for (const { name, sha256 } of await hashFiles(unknown, onProgress)) hashes.set(name, sha256);
  return files.flatMap(({ name, sha256 }) => {
    const found = hashes.get(name) ?? '';
    if (found === sha256) return [];
    return [
      `A file of the model is another one: expected ${name} with SHA-256 ${shorten(sha256)}, found ${shorten(found)}; put the first one back, ${orAnew}.`,
    ];
  });
}
