/**
 * Owns what an import reads from, and the nearest such place: a folder of this machine, a USB disk among them. What it holds is named by
 * plain names only. Links are followed there, because caches of downloads are made of them; what is no regular file does not count.
 */
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { innerFolders } from '../../privacy/deployment/manifest.ts';
import { readSums } from '../../privacy/deployment/sums.ts';
import { sumsFile } from '../../privacy/deployment/weights.ts';
import { SiteError } from '../../privacy/errors.ts';
import { codeOf } from '../../privacy/files.ts';

/** What a place says that a file is. `git-blob`: SHA-1 as git makes it. */
export interface Digest {
  readonly algorithm: 'sha256' | 'git-blob';
  readonly value: string;
}

export interface SourceFile {
  /** What it is called in the folder of the model. */
  readonly name: string;
  /** Where it is in the source; slashes between folders. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Undefined: the source does not say. */
  readonly digest?: Digest | undefined;
}

export interface Source {
  /** For sentences. */
  readonly label: string;
  /** What the model is called where it comes from. */
  readonly name: string;
  readonly files: readonly SourceFile[];
  /** Whether what has no digest was put there by somebody else. */
  readonly hasDigests: boolean;
  /** A model that can be looked at where it is. */
  readonly modelPath?: string | undefined;
  /** Bytes of a file from a place on. Throws SiteError. */
  read(file: SourceFile, from: number): AsyncIterable<Uint8Array>;
}

/** Of a file, or of a folder and a file in it. */
export const plainPath: RegExp = /^(?:\w[\w.+-]{0,119}\/){0,8}\w[\w.+-]{0,119}$/;
/** A part of a GGUF model: stem, number and count. */
export const partForm: RegExp = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
const chunkSize = 2 ** 20;

/** What all parts of a GGUF model have in common; of a file that is no part its own path. */
export function stemOf(path: string): string {
  const [, stem] = partForm.exec(path) ?? [];
  return stem === undefined ? path : `${stem}.gguf`;
}

/** `path`: a folder, or a GGUF file, which stands for all its parts. Throws SiteError. */
export function openFolderSource(path: string): Source {
  const isWhole = isFolder(path);
  const folder = isWhole ? path : dirname(path);
  const isMeant = (name: string): boolean => isWhole || stemOf(name) === stemOf(basename(path));
  const sums = existsSync(join(folder, sumsFile)) ? new Map(readSums(folder).files.map(({ name, sha256 }) => [name, sha256])) : undefined;
  const names = [...listNames(folder), ...innerFolders.flatMap((inner) => listNames(join(folder, inner)).map((name) => `${inner}/${name}`))];
  const files = names
    .filter((name) => plainPath.test(name) && isMeant(name))
    .flatMap((name): SourceFile[] => {
      const stats = statSync(join(folder, name), { throwIfNoEntry: false });
      const value = sums?.get(name);
      if (!stats?.isFile()) return [];
      return [{ name, path: name, size: stats.size, ...(value !== undefined && { digest: { algorithm: 'sha256', value } }) }];
    });
  return {
    label: folder,
    name: basename(folder),
    files,
    hasDigests: sums !== undefined,
    modelPath: path,
    read: (file, from) => readFrom(folder, file, from),
  };
}

function isFolder(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new SiteError(`There is nothing at ${path}: expected a folder of a model or a GGUF file; give its path.`);
  return stats.isDirectory();
}

/** Nothing, where there is no such folder. */
function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new SiteError(`The folder ${folder} cannot be read (${codeOf(error)}): expected one that this user may list; let this user read it.`);
  }
}

async function* readFrom(folder: string, file: SourceFile, from: number): AsyncIterable<Uint8Array> {
  let done = from;
  try {
    for await (const chunk of createReadStream(join(folder, file.path), { start: from, highWaterMark: chunkSize }) as AsyncIterable<Buffer>) {
      done += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw new SiteError(
      `The file ${basename(file.path)} cannot be read from ${folder}: expected ${file.size} bytes, found ${codeOf(error)} after ${done}; connect the disk again and give the same command: it goes on there.`,
    );
  }
}
