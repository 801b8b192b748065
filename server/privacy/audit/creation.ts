/**
 * Owns the beginning of a log: its first key and its first segment, which is whole when it gets its name. Refuses to begin one where
 * another has been: a log that somebody took away is no reason to forget it.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SiteError } from '../errors.ts';
import { type Disk, writeWhole } from './disk.ts';
import { encodeRecord, type Place } from './events.ts';
import type { LogPaths } from './folder.ts';
import { encodeFrame, magic } from './frames.ts';
import { readCheckpoint } from './note.ts';
import { createSigner } from './signer.ts';

/** Where the first record stands: its time, and the machine. */
type Origin = Omit<Place, 'seq'>;

export async function createLog(disk: Disk, paths: LogPaths, origin: Origin): Promise<void> {
  checkUnused(paths);
  const draft = `${paths.segment(1)}.new`;
  // What a crash has left of a log that was being begun.
  for (const path of [paths.key, paths.nextKey, paths.hashes, paths.head, draft]) await disk.remove(path);
  const signer = await createSigner(disk, paths.key);
  const log = randomBytes(16).toString('hex');
  const record = encodeRecord({ ...origin, seq: 0 }, { event: 'log_created', log, key: signer.publicKey.toString('base64') });
  const { bytes, hash } = encodeFrame('record', record);
  const note = signer.sign({ log, size: 1, root: hash });
  await writeWhole(disk, draft, Buffer.concat([magic, bytes, encodeFrame('checkpoint', note).bytes]));
  await writeWhole(disk, paths.head, Buffer.from(note));
  // The folder itself is new.
  const parent = dirname(paths.folder);
  for (const folder of [parent, dirname(parent)]) await disk.syncFolder(folder);
  await disk.rename(draft, paths.segment(1));
}

/** A log that was being begun has no hashes and at most its first record in `head`. */
function checkUnused({ folder, hashes, head }: LogPaths): void {
  const hashesSize = statSync(hashes, { throwIfNoEntry: false })?.size ?? 0;
  const checkpoint = existsSync(head) ? readCheckpoint(readFileSync(head, 'utf8')) : undefined;
  if (hashesSize === 0 && (checkpoint?.size ?? 0) <= 1) return;
  throw new SiteError(
    `The audit log in ${folder} has lost its segments: they were taken away. Put them back, or keep the folder for whoever looks into that and move it to another name: a new log begins then.`,
  );
}
