/**
 * Owns the reading of a model folder's small files: JSON strictly, templates as text, all of them hashed on the way.
 * Refuses files over a limit, and links and folders in their place with file_missing.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { invalidCheckpoint, type JsonObject, readJsonObject } from '../checkpoint/json.ts';
import { openFile } from '../checkpoint/window.ts';

/** Bytes; the largest real tokenizer.json has 35 MB, templates some 20 kB. */
const jsonLimit = 128 * 2 ** 20;
const textLimit = 4 * 2 ** 20;
/** Templates of a folder beside the standard one. */
const templateLimit = 64;

export interface FolderFiles {
  /** The object of a JSON file; undefined where there is no such file. */
  json(name: string): JsonObject | undefined;
  /** The text of a file; undefined where there is no such file. */
  text(name: string): string | undefined;
  /** Files of a folder of the folder, by name; none where it is not there. */
  list(name: string): readonly string[];
  /** SHA-256 of all that was read. */
  digest(): string;
}

export function openFiles(folder: string): FolderFiles {
  const hash = createHash('sha256');
  function read(name: string, limit: number): Buffer | undefined {
    if (statSync(join(folder, name), { throwIfNoEntry: false }) === undefined) return undefined;
    const fd = openFile(join(folder, name));
    try {
      const { size } = fstatSync(fd);
      if (size > limit) throw invalidCheckpoint(name, `at most ${limit} bytes`, size);
      const bytes = readFileSync(fd);
      hash.update(JSON.stringify([name, bytes.length])).update(bytes);
      return bytes;
    } finally {
      closeSync(fd);
    }
  }
  return {
    json(name) {
      const bytes = read(name, jsonLimit);
      return bytes && readJsonObject(bytes, name);
    },
    text(name) {
      const bytes = read(name, textLimit);
      try {
        return bytes && new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      } catch {
        throw invalidCheckpoint(name, 'UTF-8', 'other bytes');
      }
    },
    list(name) {
      if (statSync(join(folder, name), { throwIfNoEntry: false })?.isDirectory() !== true) return [];
      const found = readdirSync(join(folder, name)).sort();
      if (found.length > templateLimit) throw invalidCheckpoint(name, `at most ${templateLimit} files`, found.length);
      return found;
    },
    digest: () => hash.digest('hex'),
  };
}
