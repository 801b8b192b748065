/** The Merkle tree against the vectors of certificate transparency, of a second implementation, and against its definition. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  countNodes,
  emptyRoot,
  GrowingTree,
  hashLeaf,
  hashTree,
  type NodeSource,
  placeOf,
  proveConsistency,
  proveInclusion,
} from '../../../../server/privacy/audit/tree.ts';
import { fromHex, toHex, vectors } from './vectors.ts';

const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();

/** RFC 6962, section 2.1, as it is written there. */
function defineRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return Buffer.from(leaves[0]!);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Buffer.from([1]), defineRoot(leaves.slice(0, split)), defineRoot(leaves.slice(split)));
}

/** All nodes in the order in which they become complete, as `hashes` has them. */
function grow(leaves: readonly Uint8Array[]): NodeSource & { readonly nodes: readonly Uint8Array[]; readonly roots: readonly Uint8Array[] } {
  const tree = new GrowingTree();
  const nodes: Uint8Array[] = [];
  const roots = [tree.root];
  for (const leaf of leaves) {
    nodes.push(...tree.add(leaf));
    roots.push(tree.root);
  }
  return { nodes, roots, node: (level, index) => nodes[placeOf(level, index)]! };
}

const { certificate_transparency: known, tree: golden } = vectors;
const leaves = golden.leaves.map(fromHex);

test('the roots of the tests of certificate transparency', () => {
  const { roots } = grow(known.leaves.map((leaf) => hashLeaf(fromHex(leaf))));
  expect(roots.slice(1).map(toHex)).toEqual(known.roots);
  // Published beside RFC 6962.
  expect(toHex(roots[8]!)).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
});

test('the root of nothing is the hash of nothing', () => {
  expect(toHex(emptyRoot)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  expect(toHex(new GrowingTree().root)).toBe(toHex(emptyRoot));
});

test('leaves, roots, the file of hashes and both kinds of paths are those of the second implementation', () => {
  expect(Array.from({ length: 40 }, (_, index) => toHex(hashLeaf(Buffer.from(`record ${index}`))))).toEqual(golden.leaves);
  const source = grow(leaves);
  expect(source.roots.map(toHex)).toEqual(golden.roots);
  expect(toHex(sha256(...source.nodes))).toBe(golden.hashes);
  for (const { index, size, path } of golden.inclusion) expect(proveInclusion(source, index, size).map(toHex), `${index} of ${size}`).toEqual(path);
  for (const { old, size, path } of golden.consistency) expect(proveConsistency(source, old, size).map(toHex), `${old} of ${size}`).toEqual(path);
});

const anyLeaves = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 130 });

test('every root of a tree that grows, and every root that its nodes give, is that of the definition', () => {
  fc.assert(
    fc.property(anyLeaves, (some) => {
      const source = grow(some);
      for (let size = 0; size <= some.length; size++) {
        const expected = toHex(defineRoot(some.slice(0, size)));
        expect(toHex(source.roots[size]!)).toBe(expected);
        expect(toHex(hashTree(source, size))).toBe(expected);
      }
      expect(source.nodes.length).toBe(countNodes(some.length));
    }),
    { numRuns: 30, seed: 1 },
  );
});

test('a tree that goes on from its nodes gives the same nodes as one that never stopped', () => {
  fc.assert(
    fc.property(anyLeaves, fc.nat(), (some, pick) => {
      const source = grow(some);
      const size = pick % (some.length + 1);
      const tree = new GrowingTree(source, size);
      const copy = tree.copy();
      const nodes = some.slice(size).flatMap((leaf) => tree.add(leaf));
      expect(nodes.map(toHex)).toEqual(source.nodes.slice(countNodes(size)).map(toHex));
      expect(tree.size).toBe(some.length);
      // What happened to the other does not concern it.
      expect([copy.size, toHex(copy.root)]).toEqual([size, toHex(source.roots[size]!)]);
    }),
    { numRuns: 100, seed: 2 },
  );
});

/** RFC 9162, section 2.1.3.2, as it is written there. */
function climb(leaf: Uint8Array, index: number, size: number, path: readonly Uint8Array[]): Uint8Array | undefined {
  let [fn, sn, root]: [number, number, Uint8Array] = [index, size - 1, leaf];
  for (const node of path) {
    if (sn === 0) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      root = sha256(Buffer.from([1]), node, root);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else root = sha256(Buffer.from([1]), root, node);
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  return sn === 0 ? root : undefined;
}

test('every proof of inclusion leads to the root by the algorithm of RFC 9162', () => {
  const source = grow(leaves);
  for (let size = 1; size <= 40; size++) {
    for (let index = 0; index < size; index++) {
      const root = climb(leaves[index]!, index, size, proveInclusion(source, index, size));
      expect(root && toHex(root), `${index} of ${size}`).toBe(golden.roots[size]);
    }
  }
});

test('places go on beyond 2^32 leaves', () => {
  // By hand: 2k - popcount(k), and a node of level l stands l places behind the leaf that completes it.
  expect(countNodes(2 ** 40)).toBe(2 ** 41 - 1);
  expect(placeOf(0, 2 ** 40)).toBe(2 ** 41 - 1);
  expect(placeOf(40, 0)).toBe(2 ** 41 - 2);
  expect(placeOf(1, 2 ** 39)).toBe(2 ** 41 - 1 + 2);
});
