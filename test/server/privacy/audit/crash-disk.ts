/**
 * Owns a disk that performs so many operations and then nothing any more, as at a crash of the machine, and what is left of it: all that was written, or
 * of what was not made durable nothing, or some sectors of it. Names of files last when their folder was made durable.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Disk } from '../../../../server/privacy/audit/disk.ts';
import { failWith, type Step, watchDisk } from './log-site.ts';

export type Loss = 'nothing' | 'everything' | 'sectors';

const sectorSize = 512;

interface Kept {
  /** What the disk has for sure. */
  bytes: Buffer;
}

export class CrashDisk {
  readonly disk: Disk;
  /** Operations so far. */
  count = 0;
  /** Seeds of private keys that were ever written. */
  readonly seeds: Buffer[] = [];
  readonly #folder: string;
  readonly #limit: number;
  readonly #random: () => number;
  /** By their present and by their durable names. */
  readonly #present = new Map<string, Kept>();
  #durable = new Map<string, Kept>();

  constructor(folder: string, limit: number, seed: number) {
    this.#folder = folder;
    this.#limit = limit;
    this.#random = createRandom(seed);
    this.disk = watchDisk(
      (step) => this.#before(step),
      (step) => this.#after(step),
    );
  }

  get isDead(): boolean {
    return this.count > this.#limit;
  }

  async #before({ operation, name, path, file, bytes, position }: Step): Promise<void> {
    this.count++;
    if (operation === 'write' && /^key/.test(name) && bytes?.some((byte) => byte !== 0)) this.seeds.push(Buffer.from(bytes));
    // A file that was there before this disk is durable.
    if (operation === 'open' && existsSync(path) && !this.#present.has(name)) this.#adopt(name);
    if (!this.isDead) return;
    if (this.count === this.#limit + 1 && bytes !== undefined && file !== undefined) {
      await file.write(bytes.subarray(0, Math.floor(this.#random() * bytes.length)), position ?? 0);
    }
    failWith('EIO');
  }

  #adopt(name: string): void {
    const kept = { bytes: readFileSync(join(this.#folder, name)) };
    this.#present.set(name, kept);
    this.#durable.set(name, kept);
  }

  #after({ operation, name, path, to }: Step): void {
    if (operation === 'create') this.#present.set(name, { bytes: Buffer.alloc(0) });
    const kept = this.#present.get(name);
    if (operation === 'sync' && kept !== undefined) kept.bytes = readFileSync(path);
    if (operation === 'remove') this.#present.delete(name);
    if (operation === 'rename' && to !== undefined && kept !== undefined) {
      this.#present.delete(name);
      this.#present.set(to.slice(to.lastIndexOf('/') + 1), kept);
    }
    const isFolderDurable = operation === 'rename' || operation === 'remove' || (operation === 'syncFolder' && path === this.#folder);
    if (isFolderDurable) this.#durable = new Map(this.#present);
  }

  /** What the next start finds. */
  lose(loss: Loss): void {
    if (loss === 'nothing') return;
    // Whether names that were not made durable are there is the file system's choice.
    const names = loss === 'everything' || this.#random() < 0.5 ? this.#durable : this.#present;
    const contents = new Map([...names].map(([name, kept]) => [name, this.#mix(this.#nameNow(kept), kept, loss)]));
    for (const name of readdirSync(this.#folder)) if (this.#present.has(name) || this.#durable.has(name)) rmSync(join(this.#folder, name));
    for (const [name, bytes] of contents) writeFileSync(join(this.#folder, name), bytes, { mode: 0o600 });
  }

  #nameNow(kept: Kept): string | undefined {
    return [...this.#present].find(([, other]) => other === kept)?.[0];
  }

  #mix(name: string | undefined, { bytes }: Kept, loss: Loss): Buffer {
    if (loss === 'everything' || name === undefined) return bytes;
    const now = readFileSync(join(this.#folder, name));
    const mixed = Buffer.alloc(this.#random() < 0.5 ? now.length : bytes.length);
    for (let at = 0; at < mixed.length; at += sectorSize) {
      const source = this.#random() < 0.5 ? now : bytes;
      mixed.set(source.subarray(at, Math.min(at + sectorSize, mixed.length)), at);
    }
    return mixed;
  }
}

/** xorshift; between 0 and 1. */
function createRandom(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
