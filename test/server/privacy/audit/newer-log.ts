/** Owns a log as a newer program would leave it: a group with an event that this one does not know. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeFrame } from '../../../../server/privacy/audit/frames.ts';
import { exportPublicKey, importPrivateKey, readCheckpoint, signCheckpoint } from '../../../../server/privacy/audit/note.ts';
import { GrowingTree } from '../../../../server/privacy/audit/tree.ts';
import { listFrames } from './logs.ts';

export function appendUnknown(folder: string, fields: Readonly<Record<string, unknown>>): void {
  const name =
    readdirSync(folder)
      .filter((file) => file.endsWith('.log'))
      .sort()
      .at(-1) ?? '';
  const path = join(folder, name);
  const bytes = readFileSync(path);
  const frames = listFrames(bytes);
  const tree = new GrowingTree();
  const records = frames.filter(({ isRecord }) => isRecord);
  for (const { bytes: frame } of records) tree.add(encodeFrame('record', Buffer.from(frame.subarray(5, -8)).toString()).hash);
  const entries = Object.entries({ ...fields, seq: records.length }).sort(([a], [b]) => (a < b ? -1 : 1));
  const record = encodeFrame('record', JSON.stringify(Object.fromEntries(entries)));
  tree.add(record.hash);
  const seed = importPrivateKey(readFileSync(join(folder, 'key')));
  const last = Buffer.from(frames.at(-1)?.bytes.subarray(5, -8) ?? []).toString();
  const log = readCheckpoint(last)?.log ?? '';
  const note = signCheckpoint({ log, size: tree.size, root: Buffer.from(tree.root) }, seed, exportPublicKey(seed));
  const group = Buffer.concat([record.bytes, encodeFrame('checkpoint', note).bytes]);
  const end = frames.at(-1)?.end ?? 0;
  writeFileSync(path, Buffer.concat([bytes.subarray(0, end), group, bytes.subarray(end + group.length)]), { mode: 0o600 });
}
