/**
 * Owns the writing of one audit log: events become records in the order in which they come, a group of them is durable with one
 * checkpoint and one sync of the disk. Refuses to lose an event: what cannot be written stays in memory and is tried again,
 * and until then the log says that it has stopped, so that nobody is let in.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { clockTolerance, dayMs } from '../clock.ts';
import { SiteError, type StopCause } from '../errors.ts';
import { codeOf } from '../files.ts';
import { createLog } from './creation.ts';
import { type Disk, isFull, systemDisk } from './disk.ts';
import { type AuditEvent, checkEvent, encodeRecord, type Place, toBucket } from './events.ts';
import { type LogPaths, lockLog, pathsOf, segmentLimit } from './folder.ts';
import { encodeFrame } from './frames.ts';
import { HashFile } from './hashes.ts';
import { formatKey } from './note.ts';
import { Published } from './published.ts';
import { type Recovered, recoverLog } from './recovery.ts';
import { SegmentFile } from './segment-file.ts';
import { createSigner, openSigner, renewSigner, type Signer } from './signer.ts';
import { countNodes, type GrowingTree, proveConsistency } from './tree.ts';
import type { Witnessed } from './witness/contract.ts';

export interface LogOptions {
  /** Milliseconds of the epoch; never goes back. */
  readonly now: () => number;
  /** Of this machine: its start, and its hash. */
  readonly machine: Pick<Place, 'boot' | 'host'>;
  readonly disk?: Disk;
  /** Size from which on a segment ends, in bytes. */
  readonly segmentSize?: number;
  /** How long a group may take before the log counts as stopped, in ms. */
  readonly stallMs?: number;
  /** Between two tries, in ms. */
  readonly retryMs?: number;
  /** Zeros that are written at once, in bytes. */
  readonly roomSize?: number;
  /** Called with the time of the last record before anything is written; what it throws ends the opening. */
  readonly check?: (latest: number) => void;
}

/** Written with zeros ahead of the records, so that a full disk does not come between them. */
const standardRoom = 2 ** 22;
/** Beside half of these zeros, what is kept for the last records on a full disk: the end of each request that runs. */
const outcomeSize = 1024;
const standardSegment = 2 ** 26;
/** When a segment could not be made, until the next try, in ms. */
const rotateMs = 60_000;
/** Most records of a group; on a full disk fewer, so that they fit into what is left. */
const groupLength = 2048;
const lastLength = 16;
/** What the disk is to blame for, and a later try may heal. */
const diskCauses: readonly StopCause[] = ['write', 'space', 'stall'];

interface Waiting {
  readonly event: AuditEvent;
  readonly time: number;
  readonly up: number;
  resolve(): void;
  /** Without effect once it is durable. */
  reject(error: StoppedError): void;
}

/** What was rejected because the log has stopped. The event itself is kept and written later. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';
  override readonly cause: StopCause;

  constructor(cause: StopCause) {
    super('The audit log cannot be written now.');
    this.cause = cause;
  }
}

/** The segment that comes, once it is made. */
interface Next {
  readonly signer: Signer;
  readonly file: SegmentFile;
  /** A record has named its key. */
  isNamed: boolean;
}

interface Opened {
  readonly lock: Disposable;
  readonly file: SegmentFile;
  readonly published: Published;
  readonly hashes: HashFile;
  readonly signer: Signer;
}

export class AuditLog implements AsyncDisposable {
  readonly #paths: LogPaths;
  readonly #options: LogOptions;
  readonly #disk: Disk;
  readonly #lock: Disposable;
  readonly #hashes: HashFile;
  readonly #published: Published;
  readonly #open: Set<string>;
  readonly id: string;
  /** As of when it was opened. */
  readonly recovered: Pick<Recovered, 'changes' | 'profile' | 'latest'>;
  #file: SegmentFile;
  #signer: Signer;
  #segment: number;
  #begun: number;
  #tree: GrowingTree;
  #note: string;
  #next: Next | undefined;
  #queue: Waiting[] = [];
  /** The group that is being written. */
  #group: readonly Waiting[] = [];
  #work: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #faults = new Set<StopCause>();
  #stoppedAt = 0;
  /** The zeros that are to be kept are there. */
  #hasRoom = true;
  /** Time of the latest record. */
  #latest: number;
  /** Of the records' clock: no segment is begun before. */
  #rotatesFrom = 0;
  readonly #listeners = new Set<(cause: StopCause | undefined) => void>();
  readonly #followers = new Set<(checkpoint: Witnessed) => void>();

  /** Opens the log in a folder, or begins one; undefined where another process writes it. Throws SiteError. */
  static async open(folder: string, options: LogOptions): Promise<AuditLog | undefined> {
    try {
      const lock = lockLog(folder);
      return lock && (await openLog(pathsOf(folder), options, lock));
    } catch (error) {
      if (error instanceof SiteError) throw error;
      const cause = error instanceof StoppedError ? error.cause : codeOf(error);
      throw new SiteError(`The audit log in ${folder} cannot be opened (${cause}): expected a folder where this user may write, on a disk with room.`);
    }
  }

  constructor(paths: LogPaths, options: LogOptions, recovered: Recovered, { lock, file, published, hashes, signer }: Opened) {
    this.#paths = paths;
    this.#options = options;
    this.#disk = options.disk ?? systemDisk;
    this.#lock = lock;
    this.#file = file;
    this.#published = published;
    this.#hashes = hashes;
    this.#signer = signer;
    this.id = recovered.log;
    this.recovered = recovered;
    this.#open = new Set(recovered.open);
    this.#segment = recovered.segment;
    this.#begun = recovered.begun;
    this.#latest = recovered.latest;
    this.#tree = recovered.tree;
    this.#note = recovered.note;
  }

  /** Why nothing can be recorded now; undefined: it can. */
  get fault(): StopCause | undefined {
    return this.#faults.values().next().value;
  }

  /** Records that are durable, and the text of their checkpoint. */
  get checkpoint(): Witnessed {
    const { size } = this.#tree;
    return { size, note: this.#note, proveFrom: (old) => proveConsistency(this.#hashes, old, size) };
  }

  /** The public key of this segment, as it is noted down. */
  get key(): string {
    return formatKey(this.id, this.#signer.publicKey);
  }

  /** Requests that have begun and not ended. */
  get openRequests(): ReadonlySet<string> {
    return this.#open;
  }

  /** Called when it stops, with the cause, and when it goes on. */
  onState(listener: (cause: StopCause | undefined) => void): void {
    this.#listeners.add(listener);
  }

  /** Called with each checkpoint, when it is durable. */
  onCheckpoint(follower: (checkpoint: Witnessed) => void): void {
    this.#followers.add(follower);
  }

  /** Resolves when nothing is left to write, or the disk does not answer. */
  idle(): Promise<void> {
    return this.#inTime(Promise.resolve(this.#work));
  }

  async #inTime(work: Promise<void>): Promise<void> {
    const late = new AbortController();
    await Promise.race([work, sleep(this.#options.stallMs ?? 5000, undefined, { signal: late.signal }).catch(() => undefined)]);
    late.abort();
  }

  /**
   * Resolves when the record is durable. Rejects with StoppedError when the log stops before; the event is kept all the same, unless the
   * log was closed. Throws EventError.
   */
  append(event: AuditEvent): Promise<void> {
    checkEvent(event);
    return this.#isClosed ? Promise.reject(new StoppedError(this.fault ?? 'write')) : this.#enqueue(event);
  }

  #enqueue(event: AuditEvent): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const time = this.#options.now();
    const isPutBack = time < this.#latest - clockTolerance;
    this.#latest = isPutBack ? time : Math.max(time, this.#latest);
    if (isPutBack) this.#keep({ event: 'gap', cause: 'clock', bytes: 0, records: 0 });
    // A copy: what was looked at is what is written.
    this.#queue.push({ event: { ...event }, time, up: readUptime(), resolve, reject });
    if (this.fault !== undefined) reject(new StoppedError(this.fault));
    this.#work ??= this.#drain();
    return promise;
  }

  /** A cause from outside comes or goes: the witness, the clock. */
  setFault(cause: StopCause, isThere: boolean): void {
    const before = this.fault;
    if (isThere) this.#faults.add(cause);
    else this.#faults.delete(cause);
    const after = this.fault;
    if ((before === undefined) === (after === undefined)) return;
    if (after !== undefined) {
      this.#stoppedAt = readUptime();
      this.#keep({ event: 'audit_stopped', cause: after });
      const error = new StoppedError(after);
      for (const { reject } of [...this.#group, ...this.#queue]) reject(error);
    } else if (before !== undefined) {
      this.#keep({ event: 'audit_resumed', cause: before, duration: toBucket(readUptime() - this.#stoppedAt) });
    }
    for (const listener of this.#listeners) listener(after);
  }

  #keep(event: AuditEvent): void {
    this.#enqueue(event).catch(() => undefined);
  }

  get #isClosed(): boolean {
    return this.#closing !== undefined;
  }

  get #isBehind(): boolean {
    return this.#queue.length > 0 || this.#published.isBehind || diskCauses.some((cause) => this.#faults.has(cause));
  }

  /** Writes what waits, in groups, until nothing does and nothing is wrong with the disk. */
  async #drain(): Promise<void> {
    // What comes in the same turn is one group.
    await turn();
    while (this.#isBehind) {
      const { size } = this.#tree;
      const cause = await this.#attempt();
      if (cause !== undefined) this.setFault(cause, true);
      for (const other of diskCauses) if (other !== cause) this.setFault(other, false);
      if (this.#isClosed && cause !== undefined && this.#tree.size === size) break;
      // What can still be written is not kept waiting.
      if (cause !== undefined && this.#tree.size === size) await this.#prepare(cause);
    }
    this.#work = undefined;
  }

  /** One group and what follows from it. Gives what the disk is to blame for. A disk that says nothing is one that does not keep anything. */
  async #attempt(): Promise<StopCause | undefined> {
    const timer = setTimeout(() => this.setFault('stall', true), this.#options.stallMs ?? 5000);
    try {
      if (this.#queue.length > 0) await this.#writeGroup();
      else await this.#makeRoom(0);
      await this.#publish();
      return this.#hasRoom ? undefined : 'space';
    } catch (error) {
      return isFull(error) ? 'space' : 'write';
    } finally {
      clearTimeout(timer);
    }
  }

  async #writeGroup(): Promise<void> {
    const group = this.#queue.splice(0, this.#faults.has('space') ? lastLength : groupLength);
    this.#group = group;
    try {
      if (group[0] !== undefined) await this.#rotateInTime(group[0]);
      await this.#commit(group);
    } catch (error) {
      this.#queue.unshift(...group);
      throw error;
    } finally {
      this.#group = [];
    }
  }

  /** Durable when it resolves. Nothing has changed in memory where it rejects. */
  async #commit(group: readonly Waiting[]): Promise<void> {
    const tree = this.#tree.copy();
    const [frames, nodes]: [Buffer[], Uint8Array[]] = [[], []];
    for (const { event, time, up } of group) {
      const { bytes, hash } = encodeFrame('record', encodeRecord({ ...this.#options.machine, seq: tree.size, time, up }, event));
      frames.push(bytes);
      nodes.push(...tree.add(hash));
    }
    const note = this.#signer.sign({ log: this.id, size: tree.size, root: Buffer.from(tree.root) });
    const bytes = Buffer.concat([...frames, encodeFrame('checkpoint', note).bytes]);
    await this.#makeRoom(bytes.length, group);
    await this.#file.write(bytes);
    this.#tree = tree;
    this.#note = note;
    this.#published.add(nodes, note);
    for (const { event, resolve } of group) {
      if (event.event === 'intent') this.#open.add(event.request);
      if (event.event === 'outcome') this.#open.delete(event.request);
      resolve();
    }
  }

  async #publish(): Promise<void> {
    if (!this.#published.isBehind) return;
    await this.#published.write();
    try {
      for (const follower of this.#followers) follower(this.checkpoint);
    } catch {
      // It says nothing about the disk. Who has it is not heard of again, and counts as lost.
      this.setFault('witness', true);
    }
  }

  /** Zeros are written before there is need of them. What is left when that fails is for the last records. */
  async #makeRoom(size: number, group: readonly Waiting[] = []): Promise<void> {
    const open = this.#open.size + group.filter(({ event }) => event.event === 'intent').length;
    const unit = this.#options.roomSize ?? standardRoom;
    // Once it has stopped, that requests have ended since is no room.
    this.#hasRoom = await this.#file.makeRoom(size, (this.#faults.has('space') ? unit : unit / 2) + outcomeSize * open);
    // Before anybody of the group is let in.
    if (!this.#hasRoom) this.setFault('space', true);
  }

  /** For the next try. */
  async #prepare(cause: StopCause): Promise<void> {
    await sleep(this.#options.retryMs ?? 250);
    if (cause !== 'write') return;
    for (const file of [this.#file, this.#next?.file, this.#published]) {
      // The next try says what is wrong.
      await file?.reopen().catch(() => undefined);
    }
  }

  /** A segment ends with its day and with its size. Where the next one cannot be made, this one goes on for a while. */
  async #rotateInTime({ event, time }: Waiting): Promise<void> {
    const isDue = Math.floor(time / dayMs) !== Math.floor(this.#begun / dayMs) || this.#file.end >= (this.#options.segmentSize ?? standardSegment);
    // A gap comes before anything else: it takes the place of what was cut off, or says why time goes back.
    const isLater = event.event === 'gap' || (time < this.#rotatesFrom && time >= this.#rotatesFrom - rotateMs);
    if (this.#next === undefined && (!isDue || isLater)) return;
    try {
      this.#next ??= await this.#createNext();
    } catch (error) {
      if (this.#file.end > segmentLimit / 2) throw error;
      this.#rotatesFrom = time + rotateMs;
      return;
    }
    await this.#rotate(this.#next, time);
  }

  async #createNext(): Promise<Next> {
    const signer = await createSigner(this.#disk, this.#paths.nextKey);
    const file = await SegmentFile.create(this.#disk, this.#paths, this.#segment + 1, this.#options.roomSize ?? standardRoom);
    return { signer, file, isNamed: false };
  }

  /** Ends the segment: the next key is named by a record that the old one signs, and the old one is overwritten. Each step can be done again. */
  async #rotate(next: Next, time: number): Promise<void> {
    const segment = this.#segment + 1;
    if (!next.isNamed) {
      const event: AuditEvent = { event: 'log_rotated', segment, key: next.signer.publicKey.toString('base64'), open: this.#open.size };
      await this.#commit([{ event, time, up: readUptime(), resolve: () => undefined, reject: () => undefined }]);
      next.isNamed = true;
    }
    await this.#published.sync();
    await this.#file.trim();
    await renewSigner(this.#disk, this.#paths);
    await this.#file[Symbol.asyncDispose]();
    this.#file = next.file;
    this.#signer = next.signer;
    this.#segment = segment;
    this.#begun = time;
    this.#next = undefined;
  }

  /** Writes what waits, as far as the disk takes it. Where the disk does not answer in time, the lock is kept until it does. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#inTime(Promise.resolve(this.#work).then(() => this.#release()));
    return this.#closing;
  }

  async #release(): Promise<void> {
    for (const file of [this.#next?.file, this.#file, this.#published]) await file?.[Symbol.asyncDispose]();
    this.#hashes[Symbol.dispose]();
    this.#lock[Symbol.dispose]();
  }
}

async function openLog(paths: LogPaths, options: LogOptions, lock: Disposable): Promise<AuditLog> {
  const { disk = systemDisk, now, machine, roomSize = standardRoom, check } = options;
  await using stack = new AsyncDisposableStack();
  stack.use(lock);
  let recovered = recoverLog(paths);
  if (recovered === undefined) {
    await createLog(disk, paths, { ...machine, time: now(), up: readUptime() });
    recovered = recoverLog(paths);
  }
  if (recovered === undefined) throw new SiteError(`The audit log that was begun in ${paths.folder} cannot be read.`);
  check?.(recovered.latest);
  const { segment, leftover, untrimmed, remains, end, fileSize } = recovered;
  const signer = await openSigner(disk, paths, recovered.publicKey);
  if (leftover !== undefined) await disk.remove(paths.segment(leftover));
  if (untrimmed !== undefined) {
    // A crash came between the record that ends a segment and its end.
    const state = { end: untrimmed.end, soiled: untrimmed.end, size: untrimmed.end };
    await using ended = await SegmentFile.open(disk, paths.segment(untrimmed.segment), roomSize, state);
    await ended.trim();
  }
  const state = { end, soiled: end + (remains?.bytes ?? 0), size: fileSize };
  const file = stack.use(await SegmentFile.open(disk, paths.segment(segment), roomSize, state));
  // What is kept for a full disk is there before anything happens.
  await file.makeRoom(0, roomSize / 2);
  const published = stack.use(await Published.open(disk, paths, countNodes(recovered.tree.size)));
  const hashes = stack.use(new HashFile(paths.hashes));
  const log = new AuditLog(paths, options, recovered, { lock, file, published, hashes, signer });
  // The log closes them from here on.
  stack.move();
  try {
    await Promise.all(listFindings(recovered).map((event) => log.append(event)));
    return log;
  } catch (error) {
    await log[Symbol.asyncDispose]();
    throw error;
  }
}

/** What an opening has to say. The first group takes the place of what a crash has left: either both are there, or neither is. */
function listFindings({ remains, hasLostHead, open }: Recovered): AuditEvent[] {
  return [
    ...(remains === undefined ? [] : [{ event: 'gap', cause: 'torn', bytes: remains.bytes, records: remains.records } as const]),
    ...(hasLostHead ? [{ event: 'gap', cause: 'head', bytes: 0, records: 0 } as const] : []),
    ...[...open].map((request) => ({ event: 'outcome', request, ending: 'crashed' }) as const),
  ];
}

/** Milliseconds of the monotonic clock, which counts from the machine's start. */
function readUptime(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
