/**
 * Owns which blocks, of KV or of recurrent state, are free, owned, idle, or freed and not yet zeroed. Pure and synchronous.
 * free -> owned (by one sequence, or by several that share it) -> dirty -> zeroed by a step -> free; no one gets a dirty block.
 * A block that the prefix cache keeps goes from owned to idle instead: it holds its content until it is shared again or forgotten.
 */
import type { BlockId } from '../types.ts';

/** Who keeps blocks beyond their owners; the pool counts those that are idle. */
export interface Keeper {
  idle: number;
}

export class BlockPool {
  readonly total: number;
  readonly #free: BlockId[] = [];
  #dirty: BlockId[] = [];
  readonly #owners: Uint32Array;
  readonly #keepers: (Keeper | undefined)[];
  #idle = 0;

  constructor(total: number) {
    this.total = total;
    this.#owners = new Uint32Array(total);
    this.#keepers = new Array<Keeper | undefined>(total).fill(undefined);
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

  /** Blocks that are kept and have no owner. */
  get idleCount(): number {
    return this.#idle;
  }

  ownersOf(block: BlockId): number {
    return this.#owners[block] ?? 0;
  }

  isIdle(block: BlockId): boolean {
    return this.#keepers[block] !== undefined && this.#owners[block] === 0;
  }

  /** Throws when none is free: look at `freeCount` first. */
  take(): BlockId {
    const block = this.#free.pop();
    if (block === undefined) throw new Error('no free block');
    this.#owners[block] = 1;
    return block;
  }

  /** One owner more of a block that has one, or that is kept. */
  share(block: BlockId): void {
    if (this.isIdle(block)) this.#addIdle(block, -1);
    else if (this.ownersOf(block) === 0) throw new Error('nobody holds this block');
    this.#owners[block] = this.ownersOf(block) + 1;
  }

  /** One owner less of each. */
  give(blocks: readonly BlockId[]): void {
    for (const block of blocks) {
      const owners = this.ownersOf(block) - 1;
      if (owners < 0) throw new Error('a block was given back twice');
      this.#owners[block] = owners;
      if (owners > 0) continue;
      if (this.isIdle(block)) this.#addIdle(block, 1);
      else this.#dirty.push(block);
    }
  }

  /** An owned block is to hold its content when its last owner leaves. Once: whoever named it twice would find it after it was forgotten. */
  keep(block: BlockId, keeper: Keeper): void {
    if (this.ownersOf(block) === 0) throw new Error('only an owned block can be kept');
    if (this.#keepers[block] !== undefined) throw new Error('this block is kept already');
    this.#keepers[block] = keeper;
  }

  /** It is to hold it no longer. */
  forget(block: BlockId): void {
    if (this.isIdle(block)) {
      this.#addIdle(block, -1);
      this.#dirty.push(block);
    }
    this.#keepers[block] = undefined;
  }

  /** Hands over all dirty blocks as free; the caller promises that the step it is building zeroes them before anything else. */
  clean(): readonly BlockId[] {
    const cleaned = this.#dirty;
    this.#dirty = [];
    // One by one: a large pool has more than a call may have arguments.
    for (const block of cleaned) this.#free.push(block);
    return cleaned;
  }

  #addIdle(block: BlockId, count: 1 | -1): void {
    const keeper = this.#keepers[block];
    if (keeper !== undefined) keeper.idle += count;
    this.#idle += count;
  }
}
