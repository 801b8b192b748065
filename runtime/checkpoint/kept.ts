/**
 * Owns parts of a checkpoint's files that stay in host memory, those that were read last: whoever reads finds them there. Refuses to hold more
 * than it was given, and to know what lies in them.
 */
import type { Checkpoint } from './types.ts';

/** Bytes of a part: small against an expert's tensor, whose first and last part it shares with others. */
const partSize = 2 ** 18;
/** Parts whose memory is asked for at a time. */
const slabParts = 256;

export class KeptParts {
  /** Bytes that came from the files. */
  readSize = 0;
  readonly #checkpoint: Pick<Checkpoint, 'read' | 'fileSize'>;
  readonly #most: number;
  readonly #slabs: Uint8Array[] = [];
  /** Place of each part by its number; first the one that was not used for longest. */
  readonly #places = new Map<number, number>();
  readonly #free: number[] = [];

  /** `size`: bytes that may be held; below that of a part none are. */
  constructor(checkpoint: Pick<Checkpoint, 'read' | 'fileSize'>, size: number) {
    this.#checkpoint = checkpoint;
    this.#most = Math.min(Math.floor(size / partSize), Math.ceil(checkpoint.fileSize / partSize));
  }

  /** As the checkpoint's. */
  read(position: number, into: Uint8Array): void {
    const end = position + into.byteLength;
    // Past the end: the checkpoint refuses it.
    if (this.#most === 0 || end > this.#checkpoint.fileSize) {
      this.#readFiles(position, into);
      return;
    }
    for (let at = position; at < end; ) {
      const part = this.#find(Math.floor(at / partSize)).subarray(at % partSize, (at % partSize) + end - at);
      into.set(part, at - position);
      at += part.byteLength;
    }
  }

  #readFiles(position: number, into: Uint8Array): void {
    this.#checkpoint.read(position, into);
    this.readSize += into.byteLength;
  }

  #find(number: number): Uint8Array {
    const found = this.#places.get(number);
    this.#places.delete(number);
    const place = found ?? this.#takePlace();
    const memory = this.#memoryOf(place);
    if (found === undefined) {
      const start = number * partSize;
      // Free again where that fails.
      this.#free.push(place);
      this.#readFiles(start, memory.subarray(0, this.#checkpoint.fileSize - start));
      this.#free.pop();
    }
    this.#places.set(number, place);
    return memory;
  }

  /** A free or new one, or that of the part that was not used for longest. */
  #takePlace(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const [oldest] = this.#places;
    if (this.#places.size < this.#most || oldest === undefined) return this.#places.size;
    this.#places.delete(oldest[0]);
    return oldest[1];
  }

  #memoryOf(place: number): Uint8Array {
    const slab = Math.floor(place / slabParts);
    this.#slabs[slab] ??= new Uint8Array(Math.min(slabParts, this.#most - slab * slabParts) * partSize);
    const start = (place % slabParts) * partSize;
    return this.#slabs[slab].subarray(start, start + partSize);
  }
}
