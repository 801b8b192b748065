/**
 * Owns what a log is found to be when it is opened: up to where it is good, what a crash has left behind that, which requests had
 * no end. Refuses a log that has lost what was once acknowledged: that is no crash, and nothing is written behind it.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { SiteError } from '../errors.ts';
import { damaged, type Fields, parseRecord, readEnd } from './ends.ts';
import { type LogPaths, listSegments, readSegment, type SegmentName } from './folder.ts';
import { findEnd, frameHeadSize, magic, readFrames } from './frames.ts';
import { type Checkpoint, nameLog, readCheckpoint, verifyCheckpoint } from './note.ts';
import { openHashes } from './rebuild.ts';
import { countNodes, emptyRoot, GrowingTree, hashTree, joinNodes } from './tree.ts';

/** Behind the last good checkpoint. */
export interface Remains {
  /** Of the first one, from the beginning of the file. */
  readonly offset: number;
  readonly bytes: number;
  /** Whole records among them. */
  readonly records: number;
}

export interface Recovered {
  readonly log: string;
  readonly segment: number;
  /** Key of that segment's checkpoints. */
  readonly publicKey: Buffer;
  readonly tree: GrowingTree;
  /** Of the last good frame. */
  readonly end: number;
  readonly fileSize: number;
  /** Time of the segment's first record, and of the log's last one. */
  readonly begun: number;
  readonly latest: number;
  /** Text of the last checkpoint. */
  readonly note: string;
  readonly remains: Remains | undefined;
  /** `head` was not there, or was no checkpoint of this log. */
  readonly hasLostHead: boolean;
  /** Requests without an end. */
  readonly open: ReadonlySet<string>;
  /** Changes of the store that stand in the newest segments, as text without their place in the log. */
  readonly changes: ReadonlySet<string>;
  /** Of the settings at the last start. */
  readonly profile: string | undefined;
  /** A segment that was made but not begun. */
  readonly leftover: number | undefined;
  /** One that has ended, and has something behind its end, in bytes. */
  readonly untrimmed: { readonly segment: number; readonly end: number } | undefined;
}

/** The log in a folder; undefined where there is none yet. Makes `hashes` right. Throws SiteError. */
export function recoverLog(paths: LogPaths, names: readonly SegmentName[] = listSegments(paths.folder)): Recovered | undefined {
  const newest = names.at(-1);
  if (newest === undefined) return undefined;
  if (newest.isStub) throw damaged(paths, 'its newest segment is gone');
  const bytes = readSegment(paths, newest);
  const isBegun = findEnd(bytes, magic.length) > magic.length;
  const before = names.slice(0, -1).toReversed();
  const [last] = before;
  // The first one is whole before it gets its name.
  if (last === undefined) return judge(paths, newest, bytes, readCreation(paths, bytes), []);
  const end = readEnd(paths, last);
  const key = end.record['key'];
  if (end.record['segment'] === newest.number && typeof key === 'string') {
    const untrimmed = end.size > end.end ? { segment: last.number, end: end.end } : undefined;
    const start = { ...end.checkpoint, publicKey: Buffer.from(key, 'base64'), note: end.note, isSynced: untrimmed === undefined };
    const found = judge(paths, newest, bytes, start, before);
    return { ...found, begun: found.begun === 0 ? Number(end.record['time']) : found.begun, untrimmed };
  }
  if (isBegun) throw damaged(paths, `segment ${last.number} does not lead to segment ${newest.number}`);
  // It was made, and a crash came before its predecessor named it.
  const recovered = recoverLog(paths, names.slice(0, -1));
  return recovered && { ...recovered, leftover: newest.number };
}

/** What a segment begins from: the tree before it, and its key. */
interface Start extends Checkpoint {
  readonly publicKey: Buffer;
  readonly note?: string;
  /** The nodes up to there were made durable. */
  readonly isSynced: boolean;
}

function readCreation(paths: LogPaths, bytes: Buffer): Start {
  const [first] = readFrames(bytes);
  const { key, log } = first === undefined ? {} : parseRecord(first);
  if (typeof key !== 'string' || typeof log !== 'string') throw damaged(paths, 'its first record cannot be read');
  return { log, publicKey: Buffer.from(key, 'base64'), size: 0, root: emptyRoot, isSynced: true };
}

/** What records tell, from one on. */
class Findings {
  readonly open = new Set<string>();
  readonly changes = new Set<string>();
  profile: string | undefined;
  begun: number | undefined;
  latest = 0;
  last: Fields = {};

  add(record: Fields): void {
    const { event, request, time, profile, change, cause } = record;
    if (event === 'intent') this.open.add(String(request));
    if (event === 'outcome') this.open.delete(String(request));
    if (event === 'started' && typeof profile === 'string') this.profile = profile;
    if (change !== undefined) this.changes.add(nameChange(record));
    if (typeof time === 'number') {
      this.begun ??= time;
      // An administrator has put back a clock that was ahead.
      this.latest = event === 'clock_reset' || (event === 'gap' && cause === 'clock') ? time : Math.max(this.latest, time);
    }
    this.last = record;
  }
}

/** One text for a change of the store that became a record, whatever place that has. */
export function nameChange(record: Fields): string {
  const { seq, time, up, boot, host, ...change } = record;
  return JSON.stringify(Object.entries(change).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function judge(paths: LogPaths, name: SegmentName, bytes: Buffer, start: Start, before: readonly SegmentName[]): Recovered {
  const refuse = (what: string): SiteError => damaged(paths, what);
  if (!bytes.subarray(0, magic.length).equals(magic)) throw refuse(`segment ${name.number} does not begin as one`);
  using hashes = openHashes(paths, start, before, start.isSynced);
  const findings = readHistory(paths, before);
  const tree = new GrowingTree(hashes, start.size);
  const nodes: Uint8Array[] = [];
  let good = { end: magic.length, tree: tree.copy(), nodes: 0, note: start.note };
  let pending: Fields[] = [];
  for (const frame of readFrames(bytes)) {
    if (frame.type === 'record') {
      const record = parseRecord(frame);
      if (record['seq'] !== tree.size) break;
      nodes.push(...tree.add(frame.hash));
      pending.push(record);
    } else {
      const note = frame.body.toString();
      const checkpoint = readCheckpoint(note);
      if (checkpoint?.log !== start.log || checkpoint.size !== tree.size || !checkpoint.root.equals(tree.root)) break;
      for (const record of pending) findings.add(record);
      good = { end: frame.offset + frame.size, tree: tree.copy(), nodes: nodes.length, note };
      pending = [];
    }
  }
  const { note } = good;
  if (countCheckpoints(bytes, good.end, start) > 1)
    throw refuse(`something of it was changed: there is more that was signed behind record ${good.tree.size - 1}`);
  if (note === undefined) throw refuse('its first checkpoint cannot be read');
  if (note !== start.note) verifyCheckpoint(note, start.publicKey, `The last checkpoint in ${paths.segment(name.number)}`);
  const head = existsSync(paths.head) ? readFileSync(paths.head, 'utf8') : '';
  const acknowledged = readCheckpoint(head);
  const root = (size: number): Uint8Array => hashTree(joinNodes(hashes, countNodes(start.size), nodes), size);
  const isOurs = acknowledged?.log === start.log && acknowledged.size <= good.tree.size && acknowledged.root.equals(root(acknowledged.size));
  // A crash of the machine may have left a mixture of two.
  if (!isOurs && [...listKeys(paths, start, before)].some((key) => isSigned(head, key))) {
    throw refuse(`record ${(acknowledged?.size ?? 0) - 1} was acknowledged, and the ${good.tree.size} that are there do not go on from that`);
  }
  // The next one was made before this one named it.
  if (findings.last['event'] === 'log_rotated') throw refuse('its newest segment is gone');
  hashes.write(countNodes(start.size), nodes.slice(0, good.nodes));
  const end = findEnd(bytes, good.end);
  return {
    ...{ log: start.log, segment: name.number, publicKey: start.publicKey, tree: good.tree, end: good.end, fileSize: bytes.length, note },
    ...{ begun: findings.begun ?? 0, latest: findings.latest, open: findings.open, changes: findings.changes, profile: findings.profile },
    remains: end > good.end ? { offset: good.end, bytes: end - good.end, records: pending.length } : undefined,
    hasLostHead: !isOurs,
    leftover: undefined,
    untrimmed: undefined,
  };
}

/** Keys that checkpoints of this log are signed with, the newest first. */
function* listKeys(paths: LogPaths, { publicKey }: Start, before: readonly SegmentName[]): Generator<Buffer, void, undefined> {
  yield publicKey;
  for (const name of before.slice(1)) yield Buffer.from(String(readEnd(paths, name).record['key']), 'base64');
  const oldest = before.at(-1);
  if (oldest !== undefined && !oldest.isStub) yield readCreation(paths, readSegment(paths, oldest)).publicKey;
}

/** Whole checkpoints of this key from a place on, whatever stands between them. Only one group is written at a time: a crash leaves one at most. */
function countCheckpoints(bytes: Buffer, from: number, { log, publicKey }: Start): number {
  const name = nameLog(log);
  let count = 0;
  for (let at = bytes.indexOf(name, from); at !== -1; at = bytes.indexOf(name, at + 1)) {
    const [frame] = readFrames(bytes, at - frameHeadSize);
    if (frame?.type === 'checkpoint' && isSigned(frame.body.toString(), publicKey)) count++;
  }
  return count;
}

function isSigned(note: string, publicKey: Uint8Array): boolean {
  try {
    verifyCheckpoint(note, publicKey, 'A checkpoint');
    return true;
  } catch {
    return false;
  }
}

/** What segments before the newest tell, as far back as something in them is still open. */
function readHistory(paths: LogPaths, before: readonly SegmentName[]): Findings {
  const all: Fields[][] = [];
  let needsProfile = true;
  for (const name of before) {
    if (name.isStub) break;
    const records = [...readFrames(readSegment(paths, name))].filter(({ type }) => type === 'record').map(parseRecord);
    all.unshift(records);
    needsProfile &&= !records.some(({ event }) => event === 'started');
    // Requests that were open when this segment began are counted at the end of the one before.
    const [older] = before.slice(all.length);
    const open = older === undefined ? 0 : readEnd(paths, older).record['open'];
    if (open === 0 && !needsProfile) break;
  }
  const findings = new Findings();
  for (const record of all.flat()) findings.add(record);
  // Of the newest segment alone.
  findings.begun = undefined;
  findings.last = {};
  return findings;
}
