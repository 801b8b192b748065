/**
 * Owns the Merkle tree over the records (RFC 6962, section 2.1): hashes of leaves and nodes, the root of any size that the log has
 * had, and the two proofs. Pure: nodes come from whoever keeps them.
 */
import { hash } from 'node:crypto';

const leafPrefix: Buffer = Buffer.from([0]);
const nodePrefix: Buffer = Buffer.from([1]);
export const hashSize = 32;
/** Root of no records: the hash of nothing. */
export const emptyRoot: Buffer = hash('sha256', Buffer.alloc(0), 'buffer');

/** Gives complete nodes: node `index` of a level is over the leaves from index * 2^level on. */
export interface NodeSource {
  /** `hashSize` bytes. Throws SiteError where it cannot be read. */
  node(level: number, index: number): Uint8Array;
}

export function hashLeaf(record: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([leafPrefix, record]), 'buffer');
}

export function hashNode(left: Uint8Array, right: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([nodePrefix, left, right]), 'buffer');
}

/** Where a complete node lies among all nodes in the order in which they become complete. */
export function placeOf(level: number, index: number): number {
  const last = (index + 1) * 2 ** level - 1;
  return 2 * last - countOnes(last) + level;
}

/** Complete nodes of a tree with so many leaves. */
export function countNodes(leaves: number): number {
  return 2 * leaves - countOnes(leaves);
}

/** Nodes of a source up to a place, and others from there on. */
export function joinNodes(source: NodeSource | undefined, begin: number, nodes: readonly Uint8Array[]): NodeSource {
  return { node: (level, index) => nodes[placeOf(level, index) - begin] ?? source?.node(level, index) ?? Buffer.alloc(hashSize) };
}

/** Beyond 2^32, where the operators of bits end. */
function countOnes(value: number): number {
  let ones = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}

/** The complete nodes that together make the leaves from `begin` to `end`, from left to right; whole subtrees as large as they can be. */
function hashRange(source: NodeSource, begin: number, end: number): Uint8Array {
  const length = end - begin;
  if (length === 0) return emptyRoot;
  const level = Math.ceil(Math.log2(length));
  if (2 ** level === length && begin % length === 0) return source.node(level, begin / length);
  const split = begin + 2 ** (level - 1);
  return hashNode(hashRange(source, begin, split), hashRange(source, split, end));
}

/** Root of the tree of the first `size` records. */
export function hashTree(source: NodeSource, size: number): Uint8Array {
  return hashRange(source, 0, size);
}

/** Section 2.1.1: what is needed beside record `index` to come to the root of the first `size`. */
export function proveInclusion(source: NodeSource, index: number, size: number): Uint8Array[] {
  const path = (begin: number, end: number): Uint8Array[] => {
    if (end - begin === 1) return [];
    const split = begin + splitOf(end - begin);
    return index < split ? [...path(begin, split), hashRange(source, split, end)] : [...path(split, end), hashRange(source, begin, split)];
  };
  return path(0, size);
}

/** Section 2.1.2: that the first `old` records are the beginning of the first `size`. Empty where one of them is all or nothing. */
export function proveConsistency(source: NodeSource, old: number, size: number): Uint8Array[] {
  if (old === 0 || old === size) return [];
  const path = (begin: number, end: number, isWhole: boolean): Uint8Array[] => {
    if (end === old) return isWhole ? [] : [hashRange(source, begin, end)];
    const split = begin + splitOf(end - begin);
    if (old <= split) return [...path(begin, split, isWhole), hashRange(source, split, end)];
    return [...path(split, end, false), hashRange(source, begin, split)];
  };
  return path(0, size, true);
}

/** The largest power of two below a number from 2 on. */
function splitOf(length: number): number {
  return 2 ** (Math.ceil(Math.log2(length)) - 1);
}

/** A tree that grows: keeps the roots of its whole subtrees, and gives each node as it becomes complete. */
export class GrowingTree {
  /** Level 0 first; undefined where there is no whole subtree of that level. */
  readonly #edge: (Uint8Array | undefined)[] = [];
  #size = 0;

  /** Goes on from a tree of so many leaves. */
  constructor(source?: NodeSource, size = 0) {
    this.#size = size;
    let begin = 0;
    for (let level = Math.ceil(Math.log2(size + 1)) - 1; level >= 0; level--) {
      const length = 2 ** level;
      if (Math.floor(size / length) % 2 === 0) continue;
      this.#edge[level] = source?.node(level, begin / length);
      begin += length;
    }
  }

  get size(): number {
    return this.#size;
  }

  /** One that grows by itself. */
  copy(): GrowingTree {
    const copy = new GrowingTree();
    copy.#edge.push(...this.#edge);
    copy.#size = this.#size;
    return copy;
  }

  /** Adds a leaf by its hash; gives what is complete now: the leaf, and the nodes above it that it completes. */
  add(leaf: Uint8Array): Uint8Array[] {
    const complete = [leaf];
    let node = leaf;
    let level = 0;
    for (let left = this.#edge[level]; left !== undefined; left = this.#edge[++level]) {
      node = hashNode(left, node);
      this.#edge[level] = undefined;
      complete.push(node);
    }
    this.#edge[level] = node;
    this.#size++;
    return complete;
  }

  get root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (const node of this.#edge) if (node !== undefined) root = root === undefined ? node : hashNode(node, root);
    return root ?? emptyRoot;
  }
}
