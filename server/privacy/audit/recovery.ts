/**
 * Owns what a log is found to be when it is opened: up to where it is good, what a crash has left behind that, which requests had
 * no end. Refuses a log that has lost what was once acknowledged: that is no crash, and nothing is written behind it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { SiteError } from '../errors.ts';
import { type LogPaths, listSegments, readSegment, type SegmentName } from './folder.ts';
import { type Frame, findEnd, magic, readFrames } from './frames.ts';
import { HashFile } from './hashes.ts';
import { readCheckpoint, verifyCheckpoint } from './note.ts';
import { countNodes, GrowingTree, hashTree } from './tree.ts';

/** A record may be of a newer program, and have an event that this one does not know. */
type Fields = Readonly<Record<string, unknown>>;

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
  if (last === undefined) return isBegun ? judge(paths, newest, bytes, readCreation(paths, bytes), []) : undefined;
  const end = readEnd(paths, last);
  const [key, checkpoint] = [end.record['key'], readCheckpoint(end.note)];
  if (end.record['segment'] === newest.number && typeof key === 'string' && checkpoint !== undefined) {
    return judge(paths, newest, bytes, { ...checkpoint, publicKey: Buffer.from(key, 'base64'), note: end.note }, before);
  }
  if (isBegun) throw damaged(paths, `segment ${last.number} does not lead to segment ${newest.number}`);
  // It was made, and a crash came before its predecessor named it.
  const recovered = recoverLog(paths, names.slice(0, -1));
  return recovered && { ...recovered, leftover: newest.number };
}

/** What a segment begins from: the tree before it, and its key. */
interface Start {
  readonly log: string;
  readonly publicKey: Buffer;
  readonly size: number;
  readonly root?: Buffer;
  readonly note?: string;
}

function readCreation(paths: LogPaths, bytes: Buffer): Start {
  const [first] = readFrames(bytes);
  const { key, log } = first === undefined ? {} : parse(first);
  if (typeof key !== 'string' || typeof log !== 'string') throw damaged(paths, 'its first record cannot be read');
  return { log, publicKey: Buffer.from(key, 'base64'), size: 0 };
}

/** The last record and the last checkpoint of a segment or stub. */
function readEnd(paths: LogPaths, name: SegmentName): { readonly record: Fields; readonly note: string } {
  let [record, note]: [Frame | undefined, Frame | undefined] = [undefined, undefined];
  for (const frame of readFrames(readSegment(paths, name))) {
    if (frame.type === 'record') record = frame;
    else note = frame;
  }
  if (record === undefined || note === undefined) throw damaged(paths, `segment ${name.number} cannot be read`);
  return { record: parse(record), note: note.body.toString() };
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
    const { event, request, time, profile, change } = record;
    if (event === 'intent') this.open.add(String(request));
    if (event === 'outcome') this.open.delete(String(request));
    if (event === 'started' && typeof profile === 'string') this.profile = profile;
    if (change !== undefined) this.changes.add(nameChange(record));
    if (typeof time === 'number') {
      this.begun ??= time;
      // An administrator has put right a clock that was ahead.
      this.latest = event === 'clock_reset' ? time : Math.max(this.latest, time);
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
  using hashes = openHashes(paths, start);
  const findings = readHistory(paths, before);
  const tree = new GrowingTree(hashes, start.size);
  const nodes: Uint8Array[] = [];
  let good = { end: magic.length, tree: tree.copy(), nodes: 0, note: start.note };
  let pending: Fields[] = [];
  for (const frame of readFrames(bytes)) {
    if (frame.type === 'record') {
      const record = parse(frame);
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
  if (note === undefined) throw refuse('its first checkpoint cannot be read');
  if (note !== start.note) verifyCheckpoint(note, start.publicKey, `The last checkpoint in ${paths.segment(name.number)}`);
  hashes.write(countNodes(start.size), nodes.slice(0, good.nodes));
  const head = existsSync(paths.head) ? readCheckpoint(readFileSync(paths.head, 'utf8')) : undefined;
  if (head !== undefined && head.log === start.log) {
    const { size, root } = head;
    if (size > good.tree.size) throw refuse(`it ends with record ${good.tree.size - 1}, and record ${size - 1} was acknowledged before`);
    if (!root.equals(hashTree(hashes, size))) throw refuse(`its first ${size} records are not those that were acknowledged`);
  }
  // The next one was made before this one named it.
  if (findings.last['event'] === 'log_rotated') throw refuse('its newest segment is gone');
  const end = findEnd(bytes, good.end);
  return {
    ...{ log: start.log, segment: name.number, publicKey: start.publicKey, tree: good.tree, end: good.end, fileSize: bytes.length, note },
    ...{ begun: findings.begun ?? 0, latest: findings.latest, open: findings.open, changes: findings.changes, profile: findings.profile },
    remains: end > good.end ? { offset: good.end, bytes: end - good.end, records: pending.length } : undefined,
    hasLostHead: head?.log !== start.log,
    leftover: undefined,
  };
}

/** What segments before the newest tell, as far back as something in them is still open. */
function readHistory(paths: LogPaths, before: readonly SegmentName[]): Findings {
  const all: Fields[][] = [];
  let needsProfile = true;
  for (const name of before) {
    if (name.isStub) break;
    const records = [...readFrames(readSegment(paths, name))].filter(({ type }) => type === 'record').map(parse);
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

/** The nodes up to a segment, made anew from the log where they are not what its checkpoint says. */
function openHashes(paths: LogPaths, { size, root }: Start): HashFile {
  const hashes = new HashFile(paths.hashes, true);
  try {
    if (size === 0 || (hashes.length >= countNodes(size) && root?.equals(hashTree(hashes, size)))) return hashes;
    const tree = new GrowingTree();
    for (const name of listSegments(paths.folder)) {
      if (tree.size >= size) break;
      if (name.isStub) throw damaged(paths, 'the hashes of segments that were purged are gone, and cannot be made anew');
      for (const { type, hash } of readFrames(readSegment(paths, name)))
        if (type === 'record' && tree.size < size) hashes.write(countNodes(tree.size), tree.add(hash));
    }
    if (tree.size !== size || !root?.equals(tree.root)) throw damaged(paths, `the records before segment ${size} are not those of its checkpoint`);
    return hashes;
  } catch (error) {
    hashes[Symbol.dispose]();
    throw error;
  }
}

function parse({ body }: Frame): Fields {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null ? (value as Fields) : {};
  } catch {
    return {};
  }
}

function damaged({ folder }: LogPaths, what: string): SiteError {
  return new SiteError(
    `The audit log in ${folder} cannot be gone on with: ${what}. Look at it with inward audit verify; keep the folder for whoever looks into that and move it to another name: a new log begins then.`,
  );
}
