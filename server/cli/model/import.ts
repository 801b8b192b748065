/**
 * Owns the import of a model: checked, received into a hidden folder, checked as a whole, listed with its sums, and only then under
 * its name. Refuses a second import of the same name beside the first, and to take the place of a model that is there.
 */
import { hash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listShards } from '../../../runtime/checkpoint/index.ts';
import { fitModel, formatBytes } from '../../../runtime/index.ts';
import { innerFolders, type WeightFile } from '../../privacy/deployment/manifest.ts';
import { formatSums, listFiles, readSums, type Sums } from '../../privacy/deployment/sums.ts';
import { sumsFile } from '../../privacy/deployment/weights.ts';
import { SiteError } from '../../privacy/errors.ts';
import { codeOf, syncFolder, writeNewFile } from '../../privacy/files.ts';
import { type Choice, chooseShards } from './choose.ts';
import type { Disk } from './disk.ts';
import { holdLock } from './lock.ts';
import { receiveFile } from './receive.ts';
import { draftOf, entryOf, lockOf } from './shelf.ts';
import type { Source, SourceFile } from './source.ts';

export interface ImportRequest {
  readonly source: Source;
  /** Of its files. */
  readonly choice: Choice;
  readonly shelf: string;
  readonly name: string;
  readonly disk: Disk;
  /** SHA-256 that the list of sums must come to. */
  readonly pin?: string | undefined;
  /** Bytes. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Bytes that are left for the list of sums and the folder itself. */
const margin = 2 ** 20;

/** Goes on where an earlier try stopped. Throws SiteError, and InwardError for a model that could not be served. */
export async function importModel(request: ImportRequest): Promise<Sums> {
  const { source, choice, shelf, name } = request;
  const path = join(shelf, name);
  makeFolder(shelf);
  using _ = holdLock(lockOf(shelf, name), name);
  if (existsSync(path)) {
    throw new SiteError(
      `There is a model ${name} already: expected a new name, found ${path}; give another one with --name, or remove it (inward model remove).`,
    );
  }
  // Before gigabytes are moved.
  if (source.modelPath !== undefined) await checkModel(choice.kind === 'gguf' ? firstOf(choice, source.label) : source.modelPath);
  const draft = draftOf(shelf, name);
  makeFolder(draft);
  demandFolders(draft);
  const files = await receiveModel(draft, request);
  for (const stranger of listFiles(draft)) if (!files.some(({ name }) => name === stranger)) rmSync(join(draft, stranger));
  for (const folder of new Set(files.map(({ name }) => dirname(join(draft, name))))) syncFolder(folder);
  await checkModel(entryOf(draft));
  const sums = formatSums(files);
  demandPin(sums, request);
  writeNewFile(join(draft, sumsFile), sums, 0o644);
  renameSync(draft, path);
  syncFolder(shelf);
  return readSums(path);
}

function demandPin(sums: string, { pin, name }: ImportRequest): void {
  const found = hash('sha256', sums);
  if (pin === undefined || pin === found) return;
  throw new SiteError(
    `The model is another one: expected a list of sums with SHA-256 ${pin}, found ${found}; import the right one, and remove this (inward model remove ${name}).`,
  );
}

/** By the same readers as a start: headers, index, names and shapes of tensors, family. Throws InwardError. */
async function checkModel(path: string): Promise<void> {
  await fitModel(path, {}, { memory: Number.POSITIVE_INFINITY, binding: Number.POSITIVE_INFINITY });
}

function firstOf({ files }: Extract<Choice, { kind: 'gguf' }>, folder: string): string {
  return join(folder, files[0]?.path ?? '');
}

async function receiveModel(draft: string, request: ImportRequest): Promise<readonly WeightFile[]> {
  const { choice } = request;
  if (choice.kind === 'gguf') return receiveFiles(choice.files, draft, request);
  const companions = await receiveFiles(choice.companions, draft, request);
  await checkModel(join(draft, 'config.json'));
  return [...companions, ...(await receiveFiles(chooseShards(request.source, listShards(draft)), draft, request))];
}

async function receiveFiles(files: readonly SourceFile[], draft: string, { source, disk, onProgress }: ImportRequest): Promise<WeightFile[]> {
  await demandRoom(files, draft, disk);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const received: WeightFile[] = [];
  let before = 0;
  for (const file of files) {
    makeFolder(dirname(join(draft, file.name)));
    const onBytes = (done: number): void => onProgress?.(before + done, total);
    received.push({ name: file.name, sha256: await receiveFile(file, join(draft, file.name), { source, disk, onProgress: onBytes }) });
    before += file.size;
  }
  return received;
}

async function demandRoom(files: readonly SourceFile[], draft: string, disk: Disk): Promise<void> {
  const needed = files.reduce((sum, { name, size }) => sum + Math.max(0, size - (statSync(join(draft, name), { throwIfNoEntry: false })?.size ?? 0)), margin);
  const free = await disk.freeSize(draft);
  if (free >= needed) return;
  throw new SiteError(
    `The disk of ${draft} has no room for the model: expected ${formatBytes(needed)}, found ${formatBytes(free)} free; make room, or name another folder with --model-folder.`,
  );
}

/** Files are not written through links, and a folder that is one would lead all of its files elsewhere. Throws SiteError. */
function demandFolders(draft: string): void {
  for (const folder of [draft, ...innerFolders.map((inner) => join(draft, inner))]) {
    if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) {
      throw new SiteError(`The folder ${folder} cannot be written into: expected a folder that an earlier import has left, found a link or a file; remove it.`);
    }
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new SiteError(`The folder ${path} cannot be made (${codeOf(error)}): expected one that this user may write; name another one with --model-folder.`);
  }
}
