/**
 * Owns the nodes of a log's tree as a reader gets them: from the file `hashes` as far as it goes, and made from the segments beyond.
 * Refuses to make what has been purged.
 */
import { existsSync } from 'node:fs';
import { pathsOf } from './folder.ts';
import { HashFile } from './hashes.ts';
import type { Checkpoint } from './note.ts';
import type { LogReader } from './reader.ts';
import { damage } from './segments.ts';
import { countNodes, GrowingTree, hashTree, joinNodes, type NodeSource } from './tree.ts';

/** The nodes under a checkpoint; closes the file when disposed. Throws SiteError where they do not lead to its root. */
export function openNodes(reader: LogReader, { size, root }: Checkpoint): NodeSource & Disposable {
  const path = pathsOf(reader.folder).hashes;
  using opened = new DisposableStack();
  const file = existsSync(path) ? opened.use(new HashFile(path)) : undefined;
  for (const kept of [countLeaves(file?.length ?? 0, size), 0]) {
    const nodes = completeNodes(reader, file, kept, size);
    if (!root.equals(hashTree(nodes, size))) continue;
    const owned = opened.move();
    return { node: (level, index) => nodes.node(level, index), [Symbol.dispose]: () => owned.dispose() };
  }
  throw damage(reader.folder, `the ${size} records do not lead to the root of their checkpoint`);
}

/** Nodes of the first `kept` leaves as they are, those that others complete from the segments. */
function completeNodes(reader: LogReader, file: NodeSource | undefined, kept: number, size: number): NodeSource {
  const made: Uint8Array[] = [];
  const tree = new GrowingTree(file, kept);
  if (kept < size) {
    for (const leaf of reader.leaves(kept)) {
      made.push(...tree.add(leaf));
      if (tree.size === size) break;
    }
    if (tree.size < size) throw damage(pathsOf(reader.folder).hashes, 'it does not hold what was purged, so that nothing can be proved');
  }
  return joinNodes(file, countNodes(kept), made);
}

/** Leaves whose nodes fit into so many, at most `size`. */
function countLeaves(nodes: number, size: number): number {
  let [low, high] = [0, size];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (countNodes(middle) <= nodes) low = middle;
    else high = middle - 1;
  }
  return low;
}
