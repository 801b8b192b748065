/**
 * Owns which segments of an audit log may go, and how they do: first a record says so, then a stub takes the place of each, so that
 * whatever cuts it off can be finished. Refuses a segment whose last record is younger than six years (45 CFR 164.316(b)(2)(i)).
 */
import { type Disk, writeWhole } from './disk.ts';
import type { AuditEvent } from './events.ts';
import { listSegments, pathsOf } from './folder.ts';
import { encodeFrame, magic } from './frames.ts';
import { readCheckpoint } from './note.ts';
import type { LogReader } from './reader.ts';
import { damage, locateSegment, readSegmentEnd } from './segments.ts';

const retentionYears = 6;

/** Segments that follow each other, with what `log_purged` says of them. */
export interface Purge {
  readonly first: number;
  readonly last: number;
  /** In all of them. */
  readonly records: number;
  /** Of the tree at their end; base64. */
  readonly root: string;
  /** Time of their last record, in ms of the epoch. */
  readonly until: number;
}

export interface PurgePlan {
  /** The log says already that they are purged, and they are still there. */
  readonly unfinished: readonly number[];
  /** Undefined: none is old enough. */
  readonly purge: Purge | undefined;
}

/** Who writes the log. Resolves when the record is durable. */
export interface PurgeWriter {
  append(event: AuditEvent): Promise<void>;
}

/** When what was recorded at a time need not be kept longer: six years later by the calendar (UTC), in ms of the epoch. */
export function endRetention(time: number): number {
  const date = new Date(time);
  date.setUTCFullYear(date.getUTCFullYear() + retentionYears);
  return date.getTime();
}

/** `before`: only what ended before this time, in ms of the epoch; it can only make it less. Throws SiteError. */
export function planPurge(reader: LogReader, now: number, before: number = Number.POSITIVE_INFINITY): PurgePlan {
  const names = listSegments(reader.folder);
  const told = findPurged(reader);
  const unfinished = names.filter(({ number, isStub }) => !isStub && number <= told).map(({ number }) => number);
  let purge: Purge | undefined;
  let sizeBefore = told === 0 ? 0 : readEnd(reader.folder, told).size;
  // The newest one is never full.
  for (const { number } of names.slice(told, -1)) {
    const { size, root, time } = readEnd(reader.folder, number);
    if (time >= before || endRetention(time) > now) break;
    purge = { first: told + 1, last: number, records: (purge?.records ?? 0) + size - sizeBefore, root, until: time };
    sizeBefore = size;
  }
  return { unfinished, purge };
}

/** The record first, durable; then each segment. Finishes what was begun before. Rejects with what stands in the way; then it can be done again. */
export async function purgeSegments(folder: string, { unfinished, purge }: PurgePlan, by: string, writer: PurgeWriter, disk: Disk): Promise<void> {
  for (const number of unfinished) await replaceSegment(folder, number, disk);
  if (purge === undefined) return;
  const { first, last, records, root } = purge;
  await writer.append({ event: 'log_purged', first, last, records, root, by });
  for (let number = first; number <= last; number++) await replaceSegment(folder, number, disk);
}

/** The last segment that the log says is purged; 0: none. A purge that takes away the record of one before leaves its own. */
function findPurged(reader: LogReader): number {
  for (const { record } of reader.recordsBack({}, '"event":"log_purged"')) if (record.event === 'log_purged') return record.last;
  return 0;
}

/** The stub is whole under another name before it takes its own, and stands there before the segment goes. */
async function replaceSegment(folder: string, number: number, disk: Disk): Promise<void> {
  const paths = pathsOf(folder);
  const { record, checkpoint } = readSegmentEnd(paths.segment(number));
  const draft = `${paths.stub(number)}.new`;
  await disk.remove(draft);
  await writeWhole(disk, draft, Buffer.concat([magic, encodeFrame('record', record).bytes, encodeFrame('checkpoint', checkpoint).bytes]));
  await disk.rename(draft, paths.stub(number));
  await disk.remove(paths.segment(number));
}

function readEnd(folder: string, number: number): { readonly size: number; readonly root: string; readonly time: number } {
  const path = locateSegment(folder, { number, isStub: false });
  const { record, checkpoint } = readSegmentEnd(path);
  const { size, root } = readCheckpoint(checkpoint) ?? {};
  const { event, time } = JSON.parse(record) as { readonly event?: unknown; readonly time?: unknown };
  if (size === undefined || root === undefined || event !== 'log_rotated' || typeof time !== 'number')
    throw damage(path, 'expected log_rotated and its checkpoint as its end, found something else');
  return { size, root: root.toString('base64'), time };
}
