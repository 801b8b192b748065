/**
 * Owns the judgement whether a checkpoint goes on from an older one: the proof of consistency of RFC 6962. Refuses a smaller tree,
 * and one that the older is not the beginning of. Pure.
 */
import type { Checkpoint } from '../note.ts';
import { hashNode, hashSize } from '../tree.ts';
import { WitnessError } from './contract.ts';

/** Throws WitnessError: `rolled_back` or `forked`. `last`: what was seen last, undefined if nothing was. */
export function checkContinuation(last: Checkpoint | undefined, next: Checkpoint, proof: readonly Uint8Array[]): void {
  if (last !== undefined && next.size < last.size) throw new WitnessError('rolled_back');
  if (!isContinuation(last, next, proof)) throw new WitnessError('forked');
}

function isContinuation(last: Checkpoint | undefined, next: Checkpoint, proof: readonly Uint8Array[]): boolean {
  // Nothing is the beginning of everything, and needs no proof.
  if (last === undefined || last.size === 0) return proof.length === 0 && (last === undefined || next.size > 0 || last.root.equals(next.root));
  const roots = climb(last, next.size, proof);
  return roots !== undefined && last.root.equals(roots.old) && next.root.equals(roots.next);
}

interface Roots {
  readonly old: Uint8Array;
  readonly next: Uint8Array;
}

/** The two roots that a proof from 1 or more records leads to; undefined where it is too short or too long. */
function climb(last: Checkpoint, size: number, proof: readonly Uint8Array[]): Roots | undefined {
  const hashes = proof.values();
  const take = (): Uint8Array => {
    const { value } = hashes.next();
    if (value?.length !== hashSize) throw new RangeError('no hash');
    return value;
  };
  // As the proof is made: from the smallest subtree that holds the old end up to the whole.
  const walk = (length: number, old: number, isWhole: boolean): Roots => {
    if (old === length) {
      const node = isWhole ? last.root : take();
      return { old: node, next: node };
    }
    const split = 2 ** (Math.ceil(Math.log2(length)) - 1);
    const isLeft = old <= split;
    const below = isLeft ? walk(split, old, isWhole) : walk(length - split, old - split, false);
    const beside = take();
    return isLeft ? { old: below.old, next: hashNode(below.next, beside) } : { old: hashNode(beside, below.old), next: hashNode(beside, below.next) };
  };
  try {
    const roots = walk(size, last.size, true);
    return hashes.next().done === true ? roots : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
