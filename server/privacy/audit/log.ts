/**
 * Owns the writing of one audit log: events become records in the order in which they come, a group of them is durable with one
 * checkpoint and one sync of the disk. Refuses to lose an event: what cannot be written stays in memory and is tried again,
 * and until then the log says that it has stopped, so that nobody is let in.
 */
import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { SiteError, type StopCause } from '../errors.ts';
import { type Disk, type DiskFile, systemDisk, writeWhole } from './disk.ts';
import { type AuditEvent, checkEvent, encodeRecord, type Place, toBucket } from './events.ts';
import { type LogPaths, lockLog, pathsOf } from './folder.ts';
import { encodeFrame, magic } from './frames.ts';
import { HashFile } from './hashes.ts';
import { formatKey } from './note.ts';
import { type Recovered, recoverLog } from './recovery.ts';
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
}

const dayMs = 86_400_000;
/** Written with zeros ahead of the records, so that a full disk does not come between them. */
const standardRoom = 2 ** 22;
/** Of these zeros, what is kept for the last records: some of the log's own, and the end of each request that runs. */
const reserveSize = 2 ** 16;
const outcomeSize = 1024;
const standardSegment = 2 ** 26;
/** When a segment could not be made, until the next try, in ms. */
const rotateMs = 60_000;
/** Most records of a group. */
const groupLength = 2048;
/** A full disk: the system, the user's share of it, or the limit of the process. */
const spaceCodes: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];

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
  readonly file: DiskFile;
  /** A record has named its key. */
  isNamed: boolean;
}

interface Opened {
  readonly lock: Disposable;
  readonly file: DiskFile;
  readonly head: DiskFile;
  readonly hashes: HashFile;
  readonly signer: Signer;
}

export class AuditLog implements AsyncDisposable {
  readonly #paths: LogPaths;
  readonly #options: LogOptions;
  readonly #disk: Disk;
  readonly #lock: Disposable;
  readonly #hashes: HashFile;
  #head: DiskFile;
  readonly #open: Set<string>;
  readonly id: string;
  /** As of when it was opened. */
  readonly recovered: Pick<Recovered, 'changes' | 'profile' | 'latest'>;
  #file: DiskFile;
  #signer: Signer;
  #segment: number;
  #begun: number;
  #tree: GrowingTree;
  /** End of the last durable frame, and of the zeros behind it. */
  #end: number;
  #size: number;
  /** Where something of a group that failed may stand. */
  #soiled: number;
  #note: string;
  #next: Next | undefined;
  #queue: Waiting[] = [];
  /** The group that is being written. */
  #group: readonly Waiting[] = [];
  #work: Promise<void> | undefined;
  #isClosed = false;
  readonly #faults = new Set<StopCause>();
  #stoppedAt = 0;
  #isHeadBehind = false;
  /** Of the records' clock: no segment is begun before. */
  #rotatesFrom = 0;
  readonly #listeners = new Set<(cause: StopCause | undefined) => void>();
  readonly #followers = new Set<(checkpoint: Witnessed) => void>();

  /** Opens the log in a folder, or begins one; undefined where another process writes it. Throws SiteError. */
  static async open(folder: string, options: LogOptions): Promise<AuditLog | undefined> {
    const lock = lockLog(folder);
    if (lock === undefined) return undefined;
    try {
      return await openLog(pathsOf(folder), options, lock);
    } catch (error) {
      lock[Symbol.dispose]();
      if (error instanceof SiteError) throw error;
      throw new SiteError(`The audit log in ${folder} cannot be opened (${codeOf(error)}): expected a folder where this user may write, on a disk with room.`);
    }
  }

  constructor(paths: LogPaths, options: LogOptions, recovered: Recovered, { lock, file, head, hashes, signer }: Opened) {
    this.#paths = paths;
    this.#options = options;
    this.#disk = options.disk ?? systemDisk;
    this.#lock = lock;
    this.#file = file;
    this.#head = head;
    this.#hashes = hashes;
    this.#signer = signer;
    this.id = recovered.log;
    this.recovered = recovered;
    this.#open = new Set(recovered.open);
    this.#segment = recovered.segment;
    this.#begun = recovered.begun;
    this.#tree = recovered.tree;
    this.#end = recovered.end;
    this.#soiled = recovered.end;
    this.#size = recovered.fileSize;
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
  async idle(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, this.#options.stallMs ?? 5000);
    await Promise.race([this.#work, late.promise]);
    clearTimeout(timer);
  }

  /** Resolves when the record is durable. Rejects with StoppedError when the log stops before; the event is kept all the same. Throws EventError. */
  append(event: AuditEvent): Promise<void> {
    checkEvent(event);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ event, time: this.#options.now(), up: readUptime(), resolve, reject });
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
    this.append(event).catch(() => undefined);
  }

  /** Writes what waits, in groups, until nothing does and nothing is wrong with the disk. */
  async #drain(): Promise<void> {
    // What comes in the same turn is one group.
    await turn();
    while (this.#queue.length > 0 || this.#isHeadBehind || this.#faults.has('space')) {
      try {
        if (this.#queue.length > 0) await this.#writeGroup();
        else await this.#settle();
      } catch (error) {
        this.setFault(spaceCodes.includes(codeOf(error)) ? 'space' : 'write', true);
      }
      if (this.fault === undefined) continue;
      if (this.#isClosed) break;
      if (this.#faults.has('write') || this.#faults.has('space')) await this.#reopen();
    }
    this.#work = undefined;
  }

  async #writeGroup(): Promise<void> {
    const group = this.#queue.splice(0, groupLength);
    this.#group = group;
    try {
      await this.#rotateInTime(group[0]?.time ?? 0);
      await this.#inTime(this.#commit(group));
    } catch (error) {
      this.#queue.unshift(...group);
      throw error;
    } finally {
      this.#group = [];
    }
  }

  /** A disk that says nothing is one that does not keep anything. */
  async #inTime(work: Promise<void>): Promise<void> {
    const timer = setTimeout(() => this.setFault('stall', true), this.#options.stallMs ?? 5000);
    try {
      await work;
    } finally {
      clearTimeout(timer);
      this.setFault('stall', false);
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
    frames.push(encodeFrame('checkpoint', note).bytes);
    const size = frames.reduce((sum, { length }) => sum + length, 0);
    await this.#makeRoom(size);
    const end = this.#end + size;
    // Behind it, what a group that failed may have left.
    const rest = Math.max(0, this.#soiled - end);
    this.#soiled = Math.max(this.#soiled, end);
    await this.#file.write(Buffer.concat([...frames, Buffer.alloc(rest)]), this.#end);
    await this.#file.sync();
    const first = countNodes(this.#tree.size);
    this.#tree = tree;
    this.#end = end;
    this.#soiled = end;
    this.#note = note;
    for (const { event, resolve } of group) {
      if (event.event === 'intent') this.#open.add(event.request);
      if (event.event === 'outcome') this.#open.delete(event.request);
      resolve();
    }
    await this.#publish(first, nodes);
  }

  /** Neither is synced: what a crash of the machine takes from them is made anew from the log, which is ahead. */
  async #publish(first: number, nodes: readonly Uint8Array[]): Promise<void> {
    try {
      this.#hashes.write(first, nodes);
      this.#isHeadBehind = true;
      await this.#head.write(Buffer.from(this.#note), 0);
      this.#isHeadBehind = false;
      this.setFault('write', false);
    } catch (error) {
      this.setFault(spaceCodes.includes(codeOf(error)) ? 'space' : 'write', true);
    }
    for (const follower of this.#followers) follower(this.checkpoint);
  }

  /** There is nothing to write, but something could not be written before. */
  async #settle(): Promise<void> {
    await this.#makeRoom(0);
    await this.#publish(0, []);
  }

  /** Zeros are written before there is need of them. What is left when that fails is for the last records. */
  async #makeRoom(size: number): Promise<void> {
    const unit = this.#options.roomSize ?? standardRoom;
    const kept = reserveSize + outcomeSize * this.#open.size;
    if (this.#size - this.#end - size < kept + unit / 2) {
      const from = Math.max(this.#size, this.#soiled);
      try {
        const zeros = new Uint8Array(unit * Math.ceil((size + kept) / unit));
        await this.#file.write(zeros, from);
        await this.#file.sync();
        this.#size = from + zeros.length;
      } catch (error) {
        const isFull = spaceCodes.includes(codeOf(error));
        if (!isFull || this.#size - this.#end < size) throw error;
        if (this.#size - this.#end - size < kept) return this.setFault('space', true);
      }
    }
    this.setFault('space', false);
  }

  /** Waits, and opens the file anew: what failed once may have failed because it was closed. */
  async #reopen(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#options.retryMs ?? 250));
    if (!this.#faults.has('write')) return;
    try {
      const file = await this.#disk.open(this.#paths.segment(this.#segment));
      await this.#file.close().catch(() => undefined);
      this.#file = file;
      const head = await openHead(this.#disk, this.#paths);
      await this.#head.close().catch(() => undefined);
      this.#head = head;
    } catch {
      // The next try to write says what is wrong.
    }
  }

  /** A segment ends with its day and with its size. Where the next one cannot be made, this one goes on for a while. */
  async #rotateInTime(time: number): Promise<void> {
    const isDue = Math.floor(time / dayMs) > Math.floor(this.#begun / dayMs) || this.#end >= (this.#options.segmentSize ?? standardSegment);
    if (this.#next === undefined && (!isDue || time < this.#rotatesFrom)) return;
    try {
      this.#next ??= await this.#createNext();
    } catch {
      this.#rotatesFrom = time + rotateMs;
      return;
    }
    await this.#inTime(this.#rotate(this.#next, time));
  }

  async #createNext(): Promise<Next> {
    const signer = await createSigner(this.#disk, this.#paths.nextKey);
    const file = await createSegment(this.#disk, this.#paths, this.#segment + 1, this.#options.roomSize ?? standardRoom);
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
    await this.#file.truncate(this.#end);
    await this.#file.sync();
    await renewSigner(this.#disk, this.#paths);
    await this.#file.close().catch(() => undefined);
    this.#file = next.file;
    this.#signer = next.signer;
    this.#segment = segment;
    this.#begun = time;
    this.#end = magic.length;
    this.#soiled = magic.length;
    this.#size = magic.length + (this.#options.roomSize ?? standardRoom);
    this.#next = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.idle();
    await this.#next?.file.close();
    for (const file of [this.#file, this.#head]) await file.close().catch(() => undefined);
    this.#hashes[Symbol.dispose]();
    this.#lock[Symbol.dispose]();
  }
}

async function openLog(paths: LogPaths, options: LogOptions, lock: Disposable): Promise<AuditLog> {
  const disk = options.disk ?? systemDisk;
  const recovered = recoverLog(paths) ?? (await createLog(disk, paths, options));
  const { segment, leftover, remains, end, hasLostHead, open } = recovered;
  await using stack = new AsyncDisposableStack();
  const own = (file: DiskFile): DiskFile => stack.adopt(file, (opened) => opened.close());
  const signer = await openSigner(disk, paths, recovered.publicKey);
  if (leftover !== undefined) await disk.remove(paths.segment(leftover));
  const file = own(await disk.open(paths.segment(segment)));
  if (remains !== undefined) {
    await file.write(new Uint8Array(remains.bytes), end);
    await file.sync();
  }
  const head = own(await openHead(disk, paths));
  const hashes = stack.use(new HashFile(paths.hashes, true));
  const log = new AuditLog(paths, options, recovered, { lock, file, head, hashes, signer });
  // The log closes them from here on.
  stack.move();
  const events: AuditEvent[] = [
    ...(remains === undefined ? [] : [{ event: 'gap', cause: 'torn', bytes: remains.bytes, records: remains.records } as const]),
    ...(hasLostHead ? [{ event: 'gap', cause: 'head', bytes: 0, records: 0 } as const] : []),
    ...[...open].map((request) => ({ event: 'outcome', request, ending: 'crashed' }) as const),
  ];
  await Promise.all(events.map((event) => log.append(event)));
  return log;
}

/** A new log: its first segment is whole when it gets its name. */
async function createLog(disk: Disk, paths: LogPaths, { now, machine }: LogOptions): Promise<Recovered> {
  for (const path of [paths.key, paths.nextKey, paths.segment(1), paths.hashes, paths.head]) await disk.remove(path);
  const signer = await createSigner(disk, paths.key);
  const id = randomBytes(16).toString('hex');
  const event: AuditEvent = { event: 'log_created', log: id, key: signer.publicKey.toString('base64') };
  const { bytes, hash } = encodeFrame('record', encodeRecord({ ...machine, seq: 0, time: now(), up: readUptime() }, event));
  const note = signer.sign({ log: id, size: 1, root: hash });
  const draft = `${paths.segment(1)}.new`;
  await disk.remove(draft);
  await writeWhole(disk, draft, Buffer.concat([magic, bytes, encodeFrame('checkpoint', note).bytes]));
  await writeWhole(disk, paths.head, Buffer.from(note));
  await disk.rename(draft, paths.segment(1));
  const recovered = recoverLog(paths);
  if (recovered === undefined) throw new SiteError(`The audit log that was begun in ${paths.folder} cannot be read.`);
  return recovered;
}

/** The next segment, with its zeros. */
async function createSegment(disk: Disk, paths: LogPaths, number: number, room: number): Promise<DiskFile> {
  const path = paths.segment(number);
  await disk.remove(path);
  const file = await disk.create(path);
  try {
    await file.write(Buffer.concat([magic, Buffer.alloc(room)]), 0);
    await file.sync();
    await disk.syncFolder(paths.folder);
    return file;
  } catch (error) {
    await file.close();
    await disk.remove(path);
    throw error;
  }
}

async function openHead(disk: Disk, { head }: LogPaths): Promise<DiskFile> {
  try {
    return await disk.open(head);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return disk.create(head);
  }
}

function codeOf(error: unknown): string {
  return (error as { readonly code?: string }).code ?? 'unknown error';
}

/** Milliseconds of the monotonic clock, which counts from the machine's start. */
function readUptime(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
