/**
 * Owns a segment of an audit log as a reader sees it (docs/audit.md): its records as far as a checkpoint stands behind them, also
 * while the log is written, and its first and last ones without the rest. Refuses what cannot have been written so; says where, and leaves
 * what is wrong with it to `inward audit verify`.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { SiteError } from '../errors.ts';
import { codeOf, readUpTo } from '../files.ts';
import { type LogPaths, pathsOf, type SegmentName, segmentLimit } from './folder.ts';
import { bodyLimit, type Frame, findEnd, frameOverhead, magic, readFrame, walkFrames } from './frames.ts';

/** The last frames of a segment that is full. */
export interface SegmentEnd {
  /** `log_rotated`, as text. */
  readonly record: string;
  readonly checkpoint: string;
}

/** The file of a segment or a stub. */
export function locateSegment(folder: string, { number, isStub }: SegmentName): string {
  const paths: LogPaths = pathsOf(folder);
  return isStub ? paths.stub(number) : paths.segment(number);
}

/** What is wrong with a log that can be read no further. */
export function damage(path: string, what: string): SiteError {
  return new SiteError(`The audit log is damaged at ${path}: ${what}; inward audit verify says more.`);
}

/** The records of a segment that stand in front of its last checkpoint, in one buffer; each is checked when it is asked for. */
export class SegmentContent {
  readonly #path: string;
  readonly #bytes: Buffer;
  readonly #offsets: readonly number[];
  /** The last one, as text; undefined where there is none yet. */
  readonly checkpoint: string | undefined;

  constructor(path: string, bytes: Buffer, offsets: readonly number[], checkpoint: string | undefined) {
    this.#path = path;
    this.#bytes = bytes;
    this.#offsets = offsets;
    this.checkpoint = checkpoint;
  }

  get count(): number {
    return this.#offsets.length;
  }

  /** A record by its place in the segment. Throws SiteError where it was changed. */
  frame(index: number): Frame {
    const offset = this.#offsets[index] ?? 0;
    const frame = readFrame(this.#bytes, offset);
    if (frame?.type !== 'record') throw damage(this.#path, `the check of record ${index} of this file, at byte ${offset}, does not hold`);
    return frame;
  }

  /** The last record before a place in which these bytes stand; -1: there is none. */
  findBack(text: string, end: number): number {
    const at = this.#bytes.lastIndexOf(text, (this.#offsets[end] ?? this.#bytes.length) - 1);
    if (at < 0) return -1;
    let [low, high] = [0, end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#offsets[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }
}

/**
 * Reads a segment; undefined where it was purged meanwhile. `isFull`: another one follows, so that nothing may stand behind its
 * last checkpoint; of the one that is being written the rest is not judged. Throws SiteError.
 */
export function readContent(path: string, isFull: boolean): SegmentContent | undefined {
  const bytes = readPart(path, 0, segmentLimit + 1);
  if (bytes === undefined) return undefined;
  if (bytes.length > segmentLimit) throw damage(path, `expected at most ${segmentLimit} bytes, found more`);
  // A segment that has just been made may be empty.
  if (!magic.subarray(0, bytes.length).equals(bytes.subarray(0, magic.length)) && findEnd(bytes, 0) > 0)
    throw damage(path, 'expected the beginning of a segment, found something else');
  const offsets: number[] = [];
  const commits: { readonly offset: number; readonly count: number }[] = [];
  // By their lengths alone: to check a million records for the sake of one takes seconds.
  for (const { type, offset } of walkFrames(bytes)) {
    if (type === 'record') offsets.push(offset);
    else commits.push({ offset, count: offsets.length });
  }
  const last = commits.findLast(({ offset }) => readFrame(bytes, offset) !== undefined);
  const note = last && readFrame(bytes, last.offset);
  const [end, count] = note === undefined || last === undefined ? [magic.length, 0] : [note.offset + note.size, last.count];
  if (isFull && (note === undefined || findEnd(bytes, end) > end))
    throw damage(path, `expected a checkpoint as its end, found that it breaks off at byte ${end}, behind ${count} records`);
  offsets.length = count;
  return new SegmentContent(path, bytes, offsets, note?.body.toString());
}

/** Whether anything has been written behind the first line: the file of the next segment is made before this one ends. */
export function hasBegun(path: string): boolean {
  const bytes = readPart(path, 0, magic.length + 4);
  return bytes !== undefined && findEnd(bytes, magic.length) > magic.length;
}

/** The first record of a segment as text, without reading the rest; undefined: there is none yet, or the segment was purged meanwhile. */
export function readFirstRecord(path: string): string | undefined {
  const bytes = readPart(path, 0, magic.length + bodyLimit + frameOverhead);
  if (bytes === undefined) return undefined;
  const frame = readFrame(bytes, magic.length);
  return frame?.type === 'record' ? frame.body.toString() : undefined;
}

/** The last record and checkpoint of a full segment or a stub, without reading the rest. Throws SiteError. */
export function readSegmentEnd(path: string): SegmentEnd {
  const size = 2 * (bodyLimit + frameOverhead);
  // It may be purged meanwhile; its stub ends in the same way.
  const bytes = readPart(path, -size, size) ?? readPart(path.replace(/log$/, 'stub'), -size, size) ?? Buffer.alloc(0);
  const end = findEnd(bytes, 0);
  // The last byte of a check may be zero.
  for (let at = end; at < Math.min(end + 8, bytes.length + 1); at++) {
    const checkpoint = findFrame(bytes, at, 'checkpoint');
    const record = checkpoint === undefined ? undefined : findFrame(bytes, checkpoint.offset, 'record');
    if (checkpoint !== undefined && record !== undefined) return { record: record.body.toString(), checkpoint: checkpoint.body.toString() };
  }
  throw damage(path, 'expected a record and a checkpoint as its end, found something else');
}

/** The frame of this type that ends where told: frames say their size in front only, and their check says which is one. */
function findFrame(bytes: Buffer, end: number, type: 'record' | 'checkpoint'): { readonly offset: number; readonly body: Buffer } | undefined {
  for (let offset = end - frameOverhead - 1; offset >= 0 && end - offset <= frameOverhead + bodyLimit; offset--) {
    // The length counts the type, which stands in front of the body.
    if (bytes.readUInt32BE(offset) !== end - offset - frameOverhead + 1) continue;
    const frame = readFrame(bytes, offset);
    if (frame?.type === type) return frame;
  }
  return undefined;
}

/** At most `count` bytes from an offset, which counts from the end where it is negative; undefined where the file is gone. Throws SiteError. */
function readPart(path: string, offset: number, count: number): Buffer | undefined {
  let file: number | undefined;
  try {
    // A pipe without a writer would block.
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(file);
    if (!stats.isFile()) throw damage(path, 'expected a file, found something else');
    const length = Math.min(count, stats.size);
    if (offset >= 0) return readUpTo(file, length);
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, Math.max(0, stats.size + offset)));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (error instanceof SiteError) throw error;
    throw new SiteError(`The file ${path} cannot be read (${codeOf(error)}): expected one that whoever runs this command may read.`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
