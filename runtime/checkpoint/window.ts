/**
 * Owns sequential reading of a file's header: a window of the file that moves forward and grows only to hold
 * one value. Every length is checked against what the file still holds before a byte is allocated or read.
 * Refuses to read more than `headerLimit` bytes: no real header comes near it, a hostile one must end.
 */
import { openSync, readSync, statSync } from 'node:fs';
import { InwardError } from '../errors.ts';

const windowSize = 256 * 1024;
/** Bytes; real headers with 260,000 tokens have 15 MB. */
const headerLimit = 256 * 1024 * 1024;

/** A gguf_invalid error; `part`, `expected` and `found` are the code's own words, numbers, or names made printable first. */
export function invalid(part: string, expected: string | number | bigint, found: string | number | bigint): InwardError {
  return new InwardError('gguf_invalid', { part, expected: String(expected), found: String(found) });
}

/** Opens a regular file; throws file_missing with its path. */
export function openFile(path: string): number {
  try {
    // A pipe or device would block or never end.
    if (statSync(path).isFile()) return openSync(path, 'r');
  } catch (error) {
    // A TypeError: there is no such path.
    if (!isSystemError(error) && !(error instanceof TypeError)) throw error;
  }
  throw new InwardError('file_missing', { path });
}

export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** Reads `into` full from `position`; throws gguf_invalid, or another error of the same fields, when the file ends earlier (it may shrink while open). */
export function readFully(
  fd: number,
  position: number,
  into: Uint8Array,
  error: (part: string, expected: string, found: string) => InwardError = invalid,
): void {
  let done = 0;
  while (done < into.byteLength) {
    // One read call takes less than 2 GiB.
    const count = readSync(fd, into, done, Math.min(into.byteLength - done, 2 ** 30), position + done);
    if (count === 0) throw error('file length', `at least ${position + into.byteLength} bytes`, `${position + done} bytes`);
    done += count;
  }
}

export class HeaderWindow {
  readonly fileSize: number;
  readonly #fd: number;
  #buffer = Buffer.alloc(0);
  /** Absolute file position of the first byte of the buffer. */
  #start = 0;
  /** Absolute file position of the next value. */
  #position = 0;

  constructor(fd: number, fileSize: number) {
    this.#fd = fd;
    this.fileSize = fileSize;
  }

  get position(): number {
    return this.#position;
  }

  /** Bytes that the file still holds. */
  get left(): number {
    return this.fileSize - this.#position;
  }

  u32(part: string): number {
    return this.bytes(4, part).readUInt32LE();
  }

  /** A 64-bit value: number when exact, else bigint. */
  u64(part: string): number | bigint {
    return shrink(this.bytes(8, part).readBigUInt64LE());
  }

  /** A 64-bit count, length or offset that must be at most `limit`. */
  count(part: string, limit: number): number {
    const value = this.u64(part);
    if (value > limit) throw invalid(part, `at most ${limit}`, value);
    return Number(value);
  }

  /** The next bytes; valid until the next call. */
  bytes(size: number, part: string): Buffer {
    this.#check(size, part);
    if (this.#position < this.#start || this.#position + size > this.#start + this.#buffer.length) this.#fill(size);
    const at = this.#position - this.#start;
    this.#position += size;
    return this.#buffer.subarray(at, at + size);
  }

  /** Moves over bytes without keeping them. */
  skip(size: number, part: string): void {
    this.#check(size, part);
    this.#position += size;
  }

  #check(size: number, part: string): void {
    if (size > this.left) throw invalid(part, `${size} bytes`, `${this.left} bytes before the end of the file`);
    if (this.#position + size > headerLimit) throw invalid('header', `at most ${headerLimit} bytes`, 'more');
  }

  #fill(size: number): void {
    const want = Math.min(Math.max(size, windowSize), this.left);
    if (this.#buffer.length !== want) this.#buffer = Buffer.allocUnsafeSlow(want);
    readFully(this.#fd, this.#position, this.#buffer);
    this.#start = this.#position;
  }
}

/** A bigint as number when that is exact. */
export function shrink(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
