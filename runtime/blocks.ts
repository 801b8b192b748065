/**
 * Owns which KV blocks are free, taken, or freed and not yet zeroed. Pure and synchronous.
 * A block goes free -> taken -> dirty -> (zeroed by the next step) -> free; no one gets a dirty block.
 */
import type { BlockId } from './types.ts';

export class BlockPool {
  readonly total: number;
  readonly #free: BlockId[] = [];
  #dirty: BlockId[] = [];

  constructor(total: number) {
    this.total = total;
    for (let id = total - 1; id >= 0; id--) this.#free.push(id as BlockId);
  }

  get freeCount(): number {
    return this.#free.length;
  }

  /** Zeroed, and nobody's. */
  get freeBlocks(): readonly BlockId[] {
    return this.#free;
  }

  get dirtyCount(): number {
    return this.#dirty.length;
  }

  /** Throws when none is free: look at `freeCount` first. */
  take(): BlockId {
    const block = this.#free.pop();
    if (block === undefined) throw new Error('no free block');
    return block;
  }

  give(blocks: readonly BlockId[]): void {
    this.#dirty.push(...blocks);
  }

  /** Hands over all dirty blocks as free; the caller promises that the step it is building zeroes them before anything else. */
  clean(): readonly BlockId[] {
    const cleaned = this.#dirty;
    this.#dirty = [];
    this.#free.push(...cleaned);
    return cleaned;
  }
}
