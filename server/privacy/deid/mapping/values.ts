/**
 * Owns texts that must not outlive a request: each once, in one buffer that can be overwritten. Refuses to hold any of them as a
 * string; what it gives out is a fresh one.
 */
import { randomInt } from 'node:crypto';

const firstLength = 1024;
/** Another one in each process: who writes a note cannot choose values that all fall into one place. */
const seed = randomInt(2 ** 32);

export class ValueStore {
  #units = new Uint16Array(firstLength);
  #used = 0;
  /** Where each value begins; the next one's beginning is its end. */
  #starts: number[] = [];
  readonly #byHash = new Map<number, number[]>();

  get count(): number {
    return this.#starts.length;
  }

  /** Number of a value, which is stored if it is new. */
  add(text: string): number {
    const known = this.find(text);
    if (known >= 0) return known;
    this.#reserve(text.length);
    const index = this.#starts.push(this.#used) - 1;
    for (let at = 0; at < text.length; at += 1) this.#units[this.#used + at] = text.charCodeAt(at);
    this.#used += text.length;
    const hash = hashUnits(text);
    const same = this.#byHash.get(hash);
    if (same === undefined) this.#byHash.set(hash, [index]);
    else same.push(index);
    return index;
  }

  /** Number of a value, -1 if it is not here. */
  find(text: string): number {
    return this.#byHash.get(hashUnits(text))?.find((index) => this.#equals(index, text)) ?? -1;
  }

  get(index: number): string {
    const [start, end] = this.#range(index);
    let text = '';
    // A call takes only so many arguments.
    for (let at = start; at < end; at += 4096) text += String.fromCharCode(...this.#units.subarray(at, Math.min(end, at + 4096)));
    return text;
  }

  /** Overwrites everything. */
  clear(): void {
    this.#units.fill(0);
    this.#units = new Uint16Array(0);
    this.#used = 0;
    this.#starts = [];
    this.#byHash.clear();
  }

  #range(index: number): [number, number] {
    return [this.#starts[index] ?? 0, this.#starts[index + 1] ?? this.#used];
  }

  #equals(index: number, text: string): boolean {
    const [start, end] = this.#range(index);
    if (end - start !== text.length) return false;
    for (let at = 0; at < text.length; at += 1) if (this.#units[start + at] !== text.charCodeAt(at)) return false;
    return true;
  }

  #reserve(length: number): void {
    if (this.#used + length <= this.#units.length) return;
    const larger = new Uint16Array(Math.max(firstLength, 2 * (this.#used + length)));
    larger.set(this.#units.subarray(0, this.#used));
    this.#units.fill(0);
    this.#units = larger;
  }
}

/** FNV-1a over code units, from a beginning of ours. */
function hashUnits(text: string): number {
  let hash = seed;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
