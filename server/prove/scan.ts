/**
 * Owns the count of byte strings in what is read a piece at a time: also of those that begin in one piece and end in the next, and each once.
 */
import { countOf } from './markers.ts';

/** Bytes that are read at a time. */
export const pieceSize: number = 2 ** 22;

/** Reads at most `pieceSize` bytes into a buffer from there on; gives how many. */
export type ReadPiece = (buffer: Buffer, offset: number) => number;

export class Scan {
  /** Of each needle. */
  readonly counts: number[];
  /** Bytes that were read. */
  size = 0;
  readonly #needles: readonly Buffer[];
  readonly #overlap: number;
  readonly #buffer: Buffer;
  #kept = 0;

  constructor(needles: readonly Buffer[]) {
    this.#needles = needles;
    this.counts = needles.map(() => 0);
    // What begins before the end of a piece and ends after it is in none of both.
    this.#overlap = Math.max(...needles.map(({ length }) => length)) - 1;
    this.#buffer = Buffer.allocUnsafeSlow(this.#overlap + pieceSize);
  }

  /** Of all needles. */
  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** What is read goes on where the last piece ended; gives its size in bytes, 0 where nothing could be read. */
  next(readPiece: ReadPiece): number {
    const read = readPiece(this.#buffer, this.#kept);
    const bytes = this.#buffer.subarray(0, this.#kept + read);
    // A shorter one may lie in the kept bytes as a whole, where it was counted before.
    const before = bytes.subarray(0, this.#kept);
    for (const [index, needle] of this.#needles.entries()) this.counts[index] = (this.counts[index] ?? 0) + countOf(bytes, needle) - countOf(before, needle);
    this.#kept = Math.min(this.#overlap, bytes.length);
    bytes.copy(this.#buffer, 0, bytes.length - this.#kept);
    this.size += read;
    return read;
  }

  /** What is read next lies somewhere else. */
  breakOff(): void {
    this.#kept = 0;
  }
}
