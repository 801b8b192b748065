/**
 * Owns the file of the tree's nodes (docs/audit.md), from which roots and proofs of any size come without reading the log. What
 * is in it follows from the records: where it is missing or wrong it is made anew.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { SiteError } from '../errors.ts';
import { hashSize, type NodeSource, placeOf } from './tree.ts';

export class HashFile implements NodeSource, Disposable {
  readonly #path: string;
  readonly #file: number;
  #isClosed = false;

  /** `isWritten`: made where it is not there. */
  constructor(path: string, isWritten = false) {
    this.#path = path;
    this.#file = openSync(path, isWritten ? constants.O_RDWR | constants.O_CREAT : constants.O_RDONLY, 0o600);
  }

  /** Nodes that it has room for. */
  get length(): number {
    return Math.floor(fstatSync(this.#file).size / hashSize);
  }

  node(level: number, index: number): Uint8Array {
    const bytes = Buffer.alloc(hashSize);
    const place = placeOf(level, index);
    if (this.#isClosed) throw new SiteError(`${this.#path} is closed: expected a log that is open.`);
    if (readSync(this.#file, bytes, 0, hashSize, place * hashSize) < hashSize) {
      throw new SiteError(
        `${this.#path} ends before the node that is asked for: expected at least ${place + 1} hashes; the server makes it anew at its start.`,
      );
    }
    return bytes;
  }

  /** From a place on, in the order in which nodes become complete. Throws what the system says. */
  write(place: number, nodes: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(nodes);
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#file, bytes, written, bytes.length - written, place * hashSize + written);
  }

  /** Waits until it is on the disk. */
  sync(): void {
    fdatasyncSync(this.#file);
  }

  [Symbol.dispose](): void {
    // Its number may be that of another file by now.
    if (!this.#isClosed) closeSync(this.#file);
    this.#isClosed = true;
  }
}
