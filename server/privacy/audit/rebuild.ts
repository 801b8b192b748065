/**
 * Owns that `hashes` is right when a log is opened: nodes that are missing or wrong are made anew from the segments. Refuses to
 * overwrite any with those of records that do not lead to the root that was signed.
 */
import { damaged, readEnd } from './ends.ts';
import { type LogPaths, readSegment, type SegmentName } from './folder.ts';
import { readFrames } from './frames.ts';
import { HashFile } from './hashes.ts';
import type { Checkpoint } from './note.ts';
import { countNodes, GrowingTree, hashTree } from './tree.ts';

/**
 * The nodes up to a checkpoint, which ends the first of these segments; the newest comes first. `isSynced`: nodes of that one were made
 * durable, so that they are all there if those are that the root is made of. Throws SiteError.
 */
export function openHashes(paths: LogPaths, checkpoint: Checkpoint, before: readonly SegmentName[], isSynced: boolean): HashFile {
  const hashes = new HashFile(paths.hashes, true);
  try {
    const missing: SegmentName[] = [];
    let good = checkpoint;
    for (const name of before) {
      if ((isSynced || missing.length > 0) && isRight(hashes, good)) break;
      if (name.isStub) throw damaged(paths, 'the hashes of segments that were purged are gone, and cannot be made anew');
      missing.unshift(name);
      const older = before[missing.length];
      good = older === undefined ? { ...checkpoint, size: 0 } : readEnd(paths, older).checkpoint;
    }
    if (missing.length > 0) rebuild(paths, hashes, missing, good.size, checkpoint);
    return hashes;
  } catch (error) {
    hashes[Symbol.dispose]();
    throw error;
  }
}

function isRight(hashes: HashFile, { size, root }: Checkpoint): boolean {
  return size === 0 || (hashes.length >= countNodes(size) && root.equals(hashTree(hashes, size)));
}

/** From a size on. Read twice: nothing is written before the root is known to be right. */
function rebuild(paths: LogPaths, hashes: HashFile, names: readonly SegmentName[], from: number, { size, root }: Checkpoint): void {
  for (const isWritten of [false, true]) {
    const tree = new GrowingTree(hashes, from);
    for (const name of names) {
      const place = countNodes(tree.size);
      const nodes: Uint8Array[] = [];
      for (const { type, hash } of readFrames(readSegment(paths, name))) if (type === 'record' && tree.size < size) nodes.push(...tree.add(hash));
      if (isWritten) hashes.write(place, nodes);
    }
    if (tree.size !== size || !root.equals(tree.root)) throw damaged(paths, `its first ${size} records are not those of their checkpoint`);
  }
  hashes.sync();
}
