/** Owns the files of a checkpoint as one: each lies behind the one before. Refuses a read past the last of them. */
import { closeSync, fstatSync } from 'node:fs';
import { InwardError } from '../errors.ts';
import { fileName } from './json.ts';
import { openFile, readFully } from './window.ts';

/** Makes the error of a format. */
type Refuse = (part: string, expected: string | number, found: string | number) => InwardError;

export interface Shard {
  readonly fd: number;
  readonly path: string;
  /** Of its bytes among those of all files. */
  readonly start: number;
  readonly end: number;
}

export class Shards implements Disposable {
  readonly #files: Shard[] = [];
  readonly #refuse: Refuse;
  #isOpen = true;

  constructor(refuse: Refuse) {
    this.#refuse = refuse;
  }

  /** Of all files together, in bytes. */
  get size(): number {
    return this.#files.at(-1)?.end ?? 0;
  }

  /** Opens a file behind the others. `expected`: what it is where others name it, else whoever gave its path. Throws file_missing, or that nothing was found of what was expected. */
  add(path: string, expected?: string): Shard {
    const fd = this.#open(path, expected);
    const shard = { fd, path, start: this.size, end: this.size + fstatSync(fd).size };
    this.#files.push(shard);
    return shard;
  }

  #open(path: string, expected: string | undefined): number {
    try {
      return openFile(path);
    } catch (error) {
      const isMissing = error instanceof InwardError && error.code === 'file_missing';
      throw isMissing && expected !== undefined ? this.#refuse(`file ${fileName(path)}`, expected, 'no readable file') : error;
    }
  }

  read(position: number, into: Uint8Array): void {
    if (!this.#isOpen) throw new InwardError('internal', { part: 'checkpoint: read after dispose' });
    const last = position + into.byteLength;
    if (position < 0 || last > this.size) throw this.#refuse('read', `within ${this.size} bytes`, last);
    for (const { fd, start, end } of this.#files) {
      const [from, to] = [Math.max(position, start), Math.min(last, end)];
      if (from < to) readFully(fd, from - start, into.subarray(from - position, to - position), this.#refuse);
    }
  }

  /** The name of the file with this position. */
  nameAt(position: number): string {
    return fileName(this.#files.find(({ end }) => position < end)?.path ?? '');
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) for (const { fd } of this.#files) closeSync(fd);
    this.#isOpen = false;
  }
}
