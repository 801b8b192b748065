/**
 * Owns which files the weights of a model are, and their hashes: the GGUF file with its other parts, or what a folder of safetensors files holds.
 * Always reads all bytes: a note that a file was verified before could have been written by anybody.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { SiteError } from '../errors.ts';
import { innerFolders, innerForm, type WeightFile, weightForm, weightLimit } from './manifest.ts';
import { hashFile } from './software.ts';

/** The list of a model's files with their hashes, which an import makes (sums.ts). */
export const sumsFile = 'SHA256SUMS';
/** What the engine or a tokenizer may read of a folder. */
const fileForm = /\.(?:safetensors|json|jinja|txt|model)$/;
/** A model in parts is opened by its first. */
const firstPart = /^(.*)-00001-of-(\d{5})\.gguf$/;

export interface NamedPath {
  readonly name: string;
  readonly path: string;
}

/** Of all these models, each in the order of its files' names; progress in bytes of all of them. Throws SiteError. */
export async function hashWeights(modelPaths: readonly string[], onProgress?: (done: number, total: number) => void): Promise<readonly WeightFile[]> {
  const files = modelPaths.flatMap(findFiles);
  if (new Set(files.map(({ name }) => name)).size < files.length) {
    throw new SiteError('The weights cannot be put into a manifest: expected models of different names, found one name twice; rename the file or folder.');
  }
  return hashFiles(files, onProgress);
}

/** In this order, one after the other. Throws SiteError. */
export async function hashFiles(files: readonly NamedPath[], onProgress?: (done: number, total: number) => void): Promise<readonly WeightFile[]> {
  const total = files.reduce((sum, { path }) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
  const weights: WeightFile[] = [];
  let before = 0;
  for (const { name, path } of files) {
    let size = 0;
    const sha256 = await hashFile(path, (done) => {
      size = done;
      onProgress?.(before + done, total);
    });
    before += size;
    weights.push({ name, sha256 });
  }
  return weights;
}

function findFiles(modelPath: string): readonly NamedPath[] {
  const name = basename(resolve(modelPath));
  const files = isFolder(modelPath) ? listFolder(modelPath, name) : listParts(name).map((part) => ({ name: part, path: join(dirname(modelPath), part) }));
  if (files.length === 0 || files.length > weightLimit) {
    throw new SiteError(
      `The folder of weights cannot be used: expected 1 to ${weightLimit} files of a model, found ${files.length}; give the folder of one model.`,
    );
  }
  if (!files.every((file) => weightForm.test(file.name))) {
    throw new SiteError(
      'The weights cannot be put into a manifest: expected names of letters, digits, ".", "_", "+" and "-", found another one; rename the file or folder.',
    );
  }
  return files;
}

/** Names of all parts; a count that no model has is a name like any other. */
function listParts(name: string): readonly string[] {
  const [, stem, digits = '1'] = firstPart.exec(name) ?? [];
  const count = Number(digits);
  if (stem === undefined || count < 2 || count > weightLimit) return [name];
  return Array.from({ length: count }, (_, i) => `${stem}-${String(i + 1).padStart(5, '0')}-of-${digits}.gguf`);
}

function listFolder(folder: string, name: string): readonly NamedPath[] {
  const files = listNames(folder).filter((file) => fileForm.test(file) || file === sumsFile);
  const inner = innerFolders
    .filter((below) => existsSync(join(folder, below)))
    .flatMap((below) => listNames(join(folder, below)).map((file) => `${below}/${file}`));
  return [...files, ...inner.filter((file) => innerForm.test(file))].sort().map((file) => ({ name: `${name}/${file}`, path: join(folder, file) }));
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder).filter((file) => !file.startsWith('.'));
  } catch {
    throw new SiteError('The folder of weights cannot be read: expected a folder that this user may list; let this user read it.');
  }
}

export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Whatever is wrong with it, hashFile says.
    return false;
  }
}
