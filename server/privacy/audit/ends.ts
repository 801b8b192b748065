/**
 * Owns how the end of a segment is read when a log is opened, and the sentence for a log that is not what it was. Refuses a segment
 * without a checkpoint.
 */
import { SiteError } from '../errors.ts';
import { type LogPaths, readSegment, type SegmentName } from './folder.ts';
import { type Frame, readFrames } from './frames.ts';
import { type Checkpoint, readCheckpoint } from './note.ts';

/** A record may be of a newer program, and have an event that this one does not know. */
export type Fields = Readonly<Record<string, unknown>>;

export interface SegmentEnd {
  /** Under the last checkpoint. */
  readonly record: Fields;
  readonly checkpoint: Checkpoint;
  /** Its text. */
  readonly note: string;
  /** Of the last checkpoint, and of the file, in bytes. */
  readonly end: number;
  readonly size: number;
}

/** How a segment or stub ends. A record that no checkpoint follows was cut off by a crash. Throws SiteError. */
export function readEnd(paths: LogPaths, name: SegmentName): SegmentEnd {
  const bytes = readSegment(paths, name);
  let [last, record, signed]: [Frame | undefined, Frame | undefined, Frame | undefined] = [undefined, undefined, undefined];
  for (const frame of readFrames(bytes)) {
    if (frame.type === 'record') last = frame;
    else [record, signed] = [last, frame];
  }
  const note = signed?.body.toString() ?? '';
  const checkpoint = readCheckpoint(note);
  if (record === undefined || signed === undefined || checkpoint === undefined) throw damaged(paths, `segment ${name.number} cannot be read`);
  return { record: parseRecord(record), checkpoint, note, end: signed.offset + signed.size, size: bytes.length };
}

export function parseRecord({ body }: Frame): Fields {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null ? (value as Fields) : {};
  } catch {
    return {};
  }
}

export function damaged({ folder }: LogPaths, what: string): SiteError {
  return new SiteError(
    `The audit log in ${folder} cannot be gone on with: ${what}. Look at it with inward audit verify; keep the folder for whoever looks into that and move it to another name: a new log begins then.`,
  );
}
