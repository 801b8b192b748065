/**
 * Owns the nodes of a log's tree as a reader gets them: from the file `hashes` as far as it goes, and made from the segments beyond.
 * Refuses to make what has been purged.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { damage } from './segments.ts';
import type { LogReader } from './reader.ts';
import { countNodes, GrowingTree, hashLeaf, hashSize, hashTree, type NodeSource, placeOf } from './tree.ts';
import type { Checkpoint } from './note.ts';

/** The nodes under a checkpoint; gives them back when disposed. Throws SiteError where they do not lead to its root. */
export function openNodes(reader: LogReader, { size, root }: Checkpoint): NodeSource & Disposable {
  using opened = new DisposableStack();
  const file = opened.adopt(openFile(join(reader.folder, 'hashes')), (handle) => handle !== undefined && closeSync(handle));
  const kept = countLeaves(file === undefined ? 0 : Math.floor(fstatSync(file).size / hashSize), size);
  const attempts = [kept, 0].map((leaves) => () => completeNodes(reader, createFileSource(file), leaves, size));
  for (const attempt of attempts) {
    const nodes = attempt();
    if (!root.equals(hashTree(nodes, size))) continue;
    const owned = opened.move();
    return { node: (level, index) => nodes.node(level, index), [Symbol.dispose]: () => owned.dispose() };
  }
  throw damage(reader.folder, `the ${size} records do not lead to the root of their checkpoint`);
}

/** Nodes of the first `kept` leaves as they are, those that others complete from the segments. */
function completeNodes(reader: LogReader, source: NodeSource, kept: number, size: number): NodeSource {
  const begin = countNodes(kept);
  const made: Uint8Array[] = [];
  const tree = new GrowingTree(source, kept);
  if (kept < size) {
    for (const body of reader.bodies(kept)) {
      made.push(...tree.add(hashLeaf(body)));
      if (tree.size === size) break;
    }
    if (tree.size < size) throw damage(join(reader.folder, 'hashes'), 'it does not hold what was purged, so that nothing can be proved');
  }
  return {
    node: (level, index) => {
      const place = placeOf(level, index);
      return place < begin ? source.node(level, index) : (made[place - begin] ?? Buffer.alloc(hashSize));
    },
  };
}

function createFileSource(file: number | undefined): NodeSource {
  return {
    node: (level, index) => {
      const bytes = Buffer.alloc(hashSize);
      // What is short is no node, and leads to another root.
      if (file !== undefined) readSync(file, bytes, 0, hashSize, placeOf(level, index) * hashSize);
      return bytes;
    },
  };
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

function openFile(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}
