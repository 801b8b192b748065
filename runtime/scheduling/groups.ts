/**
 * Owns prompts that are computed once for several sequences (n > 1, best-of). The first of a group to be admitted computes the prompt;
 * then the group holds a share of its blocks until all others have theirs. Full blocks are shared for good, and the last,
 * half-filled one is copied for each, because each writes its own tokens behind. Pure.
 */

import { InwardError } from '../errors.ts';
import type { BlockId } from '../types.ts';
import type { BlockPool } from './blocks.ts';
import type { Sequence } from './sequence.ts';

interface PromptGroup {
  readonly waiting: Set<Sequence>;
  /** Computes the prompt, or has computed it and still holds it. */
  leader: Sequence | undefined;
  /** Those of all prompt tokens but the last, once they are computed and somebody waits for them. */
  blocks: BlockId[];
}

/** What a member gets: shared blocks, and the slots of one more that it has to copy. */
export interface SharedPrompt {
  readonly blocks: readonly BlockId[];
  readonly partial: { readonly block: BlockId; readonly slots: number } | undefined;
}

export class PromptGroups {
  readonly #pool: BlockPool;
  readonly #blockLength: number;
  readonly #groups = new Map<string, PromptGroup>();

  constructor(pool: BlockPool, blockLength: number) {
    this.#pool = pool;
    this.#blockLength = blockLength;
  }

  /** It waits. Throws invalid_request where its prompt is not the group's, or its salt, which lets requests share less and never more. */
  join(sequence: Sequence): void {
    if (sequence.group === undefined) return;
    const key = keyOf(sequence);
    let group = this.#groups.get(key);
    const other = group && (group.leader ?? first(group.waiting));
    if (other !== undefined && !belongTogether(other, sequence))
      throw new InwardError('invalid_request', { path: 'group', rule: 'one prompt and one cache salt for all of a group' });
    if (group === undefined) this.#groups.set(key, (group = { waiting: new Set(), leader: undefined, blocks: [] }));
    group.waiting.add(sequence);
  }

  /** Whether another is about to compute its prompt. */
  isHeld(sequence: Sequence): boolean {
    const group = this.#groupOf(sequence);
    return group?.leader !== undefined && group.leader !== sequence && group.blocks.length === 0;
  }

  /** Prompts that have been computed since the last call become shares of those who wait for them. */
  publish(): void {
    for (const group of this.#groups.values()) {
      const { leader, waiting, blocks } = group;
      if (leader === undefined || waiting.size === 0 || blocks.length > 0 || leader.computed < leader.promptLength - 1) continue;
      group.blocks = leader.blocks.slice(0, Math.ceil((leader.promptLength - 1) / this.#blockLength));
      for (const block of group.blocks) this.#pool.share(block);
    }
  }

  /** What a waiting member would get; undefined: nothing, it computes its prompt itself. */
  find(sequence: Sequence): SharedPrompt | undefined {
    const group = this.#groupOf(sequence);
    if (group === undefined || group.blocks.length === 0) return undefined;
    const slots = (sequence.promptLength - 1) % this.#blockLength;
    const last = group.blocks.at(-1);
    if (slots === 0 || last === undefined) return { blocks: group.blocks, partial: undefined };
    return { blocks: group.blocks.slice(0, -1), partial: { block: last, slots } };
  }

  /** It waits no longer, but runs: with a share, or as the one who computes. */
  admit(sequence: Sequence): void {
    const group = this.#groupOf(sequence);
    if (group === undefined) return;
    group.waiting.delete(sequence);
    if (group.blocks.length === 0) group.leader = sequence;
    else this.#settle(sequence, group);
  }

  /** It has ended, or starts over and waits again. */
  leave(sequence: Sequence, waitsAgain: boolean): void {
    const group = this.#groupOf(sequence);
    if (group === undefined) return;
    if (group.leader === sequence) group.leader = undefined;
    if (waitsAgain) group.waiting.add(sequence);
    else group.waiting.delete(sequence);
    this.#settle(sequence, group);
  }

  /** Gives all shares back but those that one waits for, for want of blocks: where the prompt's first owner has ended, it will be computed again. Whether there were any. */
  drop(except?: Sequence): boolean {
    let had = false;
    const spared = except && this.#groupOf(except);
    for (const group of this.#groups.values()) {
      if (group === spared) continue;
      had ||= group.blocks.length > 0;
      this.#release(group);
    }
    return had;
  }

  /** Blocks of which it holds a share, one entry a share. */
  get shares(): readonly BlockId[] {
    return [...this.#groups.values()].flatMap(({ blocks }) => blocks);
  }

  #groupOf(sequence: Sequence): PromptGroup | undefined {
    return sequence.group === undefined ? undefined : this.#groups.get(keyOf(sequence));
  }

  /** What nobody waits for is not held. */
  #settle(sequence: Sequence, group: PromptGroup): void {
    if (group.waiting.size > 0) return;
    this.#release(group);
    if (group.leader === undefined) this.#groups.delete(keyOf(sequence));
  }

  #release(group: PromptGroup): void {
    this.#pool.give(group.blocks);
    group.blocks = [];
  }
}

const keyOf = ({ tenant, group }: Sequence): string => `${tenant} ${group}`;

function first<T>(values: Iterable<T>): T | undefined {
  for (const value of values) return value;
  return undefined;
}

function belongTogether(a: Sequence, b: Sequence): boolean {
  const promptOf = ({ ids, promptLength }: Sequence): Uint32Array => ids.subarray(0, promptLength);
  return isEqual(promptOf(a), promptOf(b)) && isEqual(a.salt ?? noSalt, b.salt ?? noSalt);
}

const noSalt = new Uint32Array();

function isEqual(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
