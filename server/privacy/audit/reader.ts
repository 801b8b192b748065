/**
 * Owns reading an audit log record by record, forwards and backwards, also while a writer adds to it, rotates it or purges it. One
 * segment is in memory at a time. Refuses a log with a hole, a record that is not in its form, and one that is shorter than its head.
 */
import { existsSync } from 'node:fs';
import { dayMs } from '../clock.ts';
import type { SiteError } from '../errors.ts';
import { readSmallFile } from '../files.ts';
import { type AuditRecord, decodeRecord, EventError } from './events.ts';
import { listSegments, pathsOf } from './folder.ts';
import { type Checkpoint, noteLimit, readCheckpoint } from './note.ts';
import { damage, hasBegun, locateSegment, readContent, readFirstRecord, type SegmentContent } from './segments.ts';

export interface LogRecord {
  readonly record: AuditRecord;
  /** In its canonical form, as it stands in the log. */
  readonly text: string;
}

/** Which records are wanted; what is left out does not matter. */
export interface Range {
  /** The first one, by its `seq`. */
  readonly first?: number | undefined;
  /** The one behind the last, by its `seq`. */
  readonly end?: number | undefined;
  /** Not before this time, in ms of the epoch. */
  readonly from?: number | undefined;
  /** Before this time. */
  readonly to?: number | undefined;
}

/** What the log is at one moment. */
export interface LogState {
  readonly checkpoint: Checkpoint;
  /** The same, as text with its signature. */
  readonly note: string;
  /** Number of the segment in which it stands. */
  readonly segment: number;
}

/** A segment with how many records were in front of it. */
interface Part {
  readonly path: string;
  /** Whether another one followed when it was read. */
  readonly isFull: boolean;
  readonly content: SegmentContent;
  readonly firstSeq: number;
}

export class LogReader {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The records of a range, oldest first. Throws SiteError. */
  *records(range: Range = {}): Generator<LogRecord, void, undefined> {
    let expected: number | undefined;
    for (const part of this.#parts(range)) {
      if (expected !== undefined && part.firstSeq !== expected) throw damage(part.path, `expected the record ${expected} as its first, found ${part.firstSeq}`);
      expected = part.firstSeq + part.content.count;
      for (let index = 0; index < part.content.count; index++) {
        const found = findRecord(part, index, range);
        if (found !== undefined) yield found;
      }
    }
  }

  /** The same, newest first. `has`: a text that a record must hold; the others are not looked at. */
  *recordsBack(range: Range = {}, has?: string): Generator<LogRecord, void, undefined> {
    for (const number of this.#choose(range).reverse()) {
      const part = this.#open(number);
      if (part === undefined) continue;
      const { content } = part;
      const step = (end: number): number => (has === undefined ? end - 1 : content.findBack(has, end));
      for (let index = step(content.count); index >= 0; index = step(index)) {
        const found = findRecord(part, index, range);
        if (found !== undefined) yield found;
      }
    }
  }

  /** The leaves of the tree from a `seq` on. Throws SiteError. */
  *leaves(first: number): Generator<Buffer, void, undefined> {
    for (const { content, firstSeq } of this.#parts({ first })) {
      for (let index = Math.max(0, first - firstSeq); index < content.count; index++) yield content.frame(index).hash;
    }
  }

  /** The records of these numbers, which ascend, as text; not those that were purged or are still to come. Throws SiteError. */
  *textsAt(seqs: readonly number[]): Generator<{ readonly seq: number; readonly text: string }, void, undefined> {
    const [first, last] = [seqs[0], seqs.at(-1)];
    if (first === undefined || last === undefined) return;
    for (const { content, firstSeq } of this.#parts({ first, end: last + 1 })) {
      for (const seq of seqs) if (seq >= firstSeq && seq < firstSeq + content.count) yield { seq, text: content.frame(seq - firstSeq).body.toString() };
    }
  }

  /** Undefined: it was purged, or there is none yet. Throws SiteError. */
  recordAt(seq: number): string | undefined {
    for (const { text } of this.textsAt([seq])) return text;
    return undefined;
  }

  /** Undefined: the log has no record yet. Throws SiteError, also where there is less than `head` says. */
  state(): LogState | undefined {
    // First: what it says is in the segments by then.
    const head = this.#readHead();
    for (const name of listSegments(this.folder).toReversed()) {
      const path = locateSegment(this.folder, name);
      const note = readContent(path, false)?.checkpoint;
      if (note === undefined) continue;
      const checkpoint = readCheckpoint(note);
      if (checkpoint === undefined) throw damage(path, 'expected a checkpoint of an audit log, found another text');
      if (checkpoint.size < (head?.size ?? 0)) throw this.#short(path, checkpoint.size, head?.size);
      return { checkpoint, note, segment: name.number };
    }
    if (head !== undefined && head.size > 0) throw this.#short(this.folder, 0, head.size);
    return undefined;
  }

  /** The segments that are there when it begins, with their records. */
  *#parts(range: Range): Generator<Part, void, undefined> {
    // First: what it says is in the segments by then.
    const head = this.#readHead();
    let last: Part | undefined;
    for (const number of this.#choose(range)) {
      const part = this.#open(number);
      if (part !== undefined) yield (last = part);
      // The next one may have begun since, and more may stand in this one.
      if (part?.isFull === false) break;
    }
    if (last === undefined || range.end !== undefined || range.to !== undefined) return;
    const size = last.firstSeq + last.content.count;
    if (size < (head?.size ?? 0)) throw this.#short(last.path, size, head?.size);
  }

  /** Undefined: it was purged, or has no record yet. */
  #open(number: number): Part | undefined {
    const isFull = listSegments(this.folder).some((name) => name.number > number && hasBegun(locateSegment(this.folder, name)));
    const path = pathsOf(this.folder).segment(number);
    const content = readContent(path, isFull);
    if (content === undefined || content.count === 0) return undefined;
    return { path, isFull, content, firstSeq: seqOf(content.frame(0).body.toString(), path) };
  }

  /** Numbers of the segments that may have records of the range: each but the last ends where the next one begins. */
  #choose({ first = 0, end = Number.POSITIVE_INFINITY, from = 0, to = Number.POSITIVE_INFINITY }: Range): number[] {
    const numbers = listSegments(this.folder).flatMap(({ number, isStub }) => (isStub ? [] : [number]));
    if (first === 0 && end === Number.POSITIVE_INFINITY && from === 0 && to === Number.POSITIVE_INFINITY) return numbers;
    const begins = numbers.map((number) => readBegin(pathsOf(this.folder).segment(number)));
    return numbers.filter((_, index) => {
      const [begin, next] = [begins[index], begins[index + 1]];
      if (begin === undefined) return true;
      // A segment holds one day; a clock that is set back during it moves its records by no more than that.
      const [low, high] = [Math.min(begin.time, next?.time ?? begin.time) - dayMs, Math.max(begin.time, next?.time ?? Number.POSITIVE_INFINITY) + dayMs];
      return begin.seq < end && (next === undefined || next.seq > first) && !(low >= to || high < from);
    });
  }

  #readHead(): Checkpoint | undefined {
    const { head } = pathsOf(this.folder);
    return existsSync(head) ? readCheckpoint(readSmallFile(head, noteLimit).toString()) : undefined;
  }

  #short(path: string, found: number, expected = 0): SiteError {
    return damage(path, `expected at least the ${expected} records that the file head tells of, found ${found}`);
  }
}

/** One record of a part, if it is of the range. */
function findRecord({ path, content, firstSeq }: Part, index: number, range: Range): LogRecord | undefined {
  const { first = 0, end = Number.POSITIVE_INFINITY, from = 0, to = Number.POSITIVE_INFINITY } = range;
  const expected = firstSeq + index;
  if (expected < first || expected >= end) return undefined;
  const found = decode(content.frame(index).body.toString(), path);
  const { seq, time } = found.record;
  if (seq !== expected) throw damage(path, `expected the record ${expected}, found ${seq}`);
  return time >= from && time < to ? found : undefined;
}

function decode(text: string, path: string): LogRecord {
  try {
    return { record: decodeRecord(text), text };
  } catch (error) {
    if (error instanceof EventError) throw damage(path, `a record is not in its form (${error.message.replace(/\.$/, '')})`);
    throw error;
  }
}

/** Of the first record. Undefined: there is none yet. */
function readBegin(path: string): { readonly seq: number; readonly time: number } | undefined {
  const text = readFirstRecord(path);
  if (text === undefined) return undefined;
  // Without a time it is in every range, and refused when it is decoded.
  return { seq: seqOf(text, path), time: Number(/[{,]"time":(\d{1,16})[,}]/.exec(text)?.[1]) };
}

function seqOf(text: string, path: string): number {
  const [, digits] = /[{,]"seq":(\d{1,16})[,}]/.exec(text) ?? [];
  if (digits === undefined) throw damage(path, 'expected a record with its seq, found another one');
  return Number(digits);
}
