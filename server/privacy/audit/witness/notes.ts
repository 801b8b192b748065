/**
 * Owns a file of checkpoints, one behind the other, as a second place keeps it: finds the newest one of a log, and appends. Each
 * write opens it anew, so that a share that comes back is used again. Refuses what is no regular file, a link, a file with anything
 * else in it, and a checkpoint that does not go on from the last one.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SiteError } from '../../errors.ts';
import { codeOf, syncFolder } from '../../files.ts';
import { readCheckpoint } from '../note.ts';
import { type KeptCheckpoint, WitnessError } from './contract.ts';

const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
/** What is read at once from the end backwards, in bytes. */
const chunkSize = 65_536;
const start = 'inward-audit/';
/** As note.ts has it, but one behind the other. */
const noteForm = /inward-audit\/[0-9a-f]{32}\n\d{1,16}\n[A-Za-z0-9+/]{43}=\n\n\u2014 inward-audit\/[0-9a-f]{32} [A-Za-z0-9+/=]{92}\n/y;

export class NoteFile {
  readonly #path: string;
  readonly #last = new Map<string, KeptCheckpoint>();
  #size = 0;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(path: string) {
    this.#path = path;
  }

  /** Makes the file where it is missing (mode 0600), and takes away what a write that was cut off left at its end. Throws SiteError. */
  static async open(path: string): Promise<NoteFile> {
    const notes = new NoteFile(path);
    try {
      await using file = await openRegular(path, O_CREAT);
      await notes.#catchUp(file);
      await file.datasync();
      syncFolder(dirname(path));
      return notes;
    } catch (error) {
      if (error instanceof SiteError) throw error;
      throw new SiteError(`The file ${path} of the audit witness cannot be used (${codeOf(error)}): expected one that this user may read and write.`);
    }
  }

  /** The newest checkpoint of a log; reads backwards until there is one. Throws SiteError. */
  async find(log: string): Promise<KeptCheckpoint | undefined> {
    const known = this.#last.get(log);
    if (known !== undefined) return known;
    await using file = await openRegular(this.#path);
    for await (const { notes } of readBackwards(file, this.#size, this.#path)) {
      const found = notes.findLast((note) => note.log === log);
      if (found === undefined) continue;
      this.#last.set(log, found);
      return found;
    }
    return undefined;
  }

  /**
   * Appends a note behind the one before. `judge` sees the last one of the same log; what it gives or throws is the result, and then
   * nothing is kept. Throws WitnessError.
   */
  keep<T = never>(note: string, judge: (last: KeptCheckpoint | undefined) => T | undefined): Promise<T | undefined> {
    const result = this.#queue.then(() => this.#keep(note, judge));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #keep<T>(note: string, judge: (last: KeptCheckpoint | undefined) => T | undefined): Promise<T | undefined> {
    const checkpoint = readCheckpoint(note);
    if (checkpoint === undefined) throw new RangeError('a file of checkpoints holds nothing else');
    try {
      await using file = await openRegular(this.#path);
      await this.#catchUp(file);
      const last = await this.find(checkpoint.log);
      const refusal = judge(last);
      if (refusal !== undefined || last?.note === note) return refusal;
      await append(file, Buffer.from(note));
      this.#size += Buffer.byteLength(note);
      this.#last.set(checkpoint.log, { ...checkpoint, note });
      return undefined;
    } catch (error) {
      if (error instanceof WitnessError) throw error;
      throw new WitnessError('unwritable');
    }
  }

  /** Another log may keep its checkpoints here too; a file that has become shorter was cut or is another one. */
  async #catchUp(file: FileHandle): Promise<void> {
    const { size } = await file.stat();
    if (size === this.#size) return;
    if (size < this.#size) throw new WitnessError('unwritable');
    this.#size = await findEnd(file, size, this.#path);
    if (this.#size < size) await file.truncate(this.#size);
    this.#last.clear();
  }
}

/** Never through a link, which could lead into the log's own folder; a pipe without a reader would block. */
async function openRegular(path: string, create: number = 0): Promise<FileHandle> {
  const file = await open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | create, 0o600);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new SiteError(`The file ${path} of the audit witness cannot be used: expected a regular file, found something else.`);
}

/** Whole, or not at all: a piece of a note would make the file useless. */
async function append(file: FileHandle, bytes: Buffer): Promise<void> {
  const { size } = await file.stat();
  try {
    for (let offset = 0; offset < bytes.length; ) offset += (await file.write(bytes, offset)).bytesWritten;
    await file.datasync();
  } catch (error) {
    await file.truncate(size).catch(() => undefined);
    throw error;
  }
}

/** Where the last whole note ends. */
async function findEnd(file: FileHandle, size: number, path: string): Promise<number> {
  for await (const { end } of readBackwards(file, size, path, true)) return end;
  return 0;
}

interface Chunk {
  /** In the order of the file. */
  readonly notes: readonly KeptCheckpoint[];
  /** Where the last of them ends, in bytes. */
  readonly end: number;
}

/** The notes from the end to the beginning, in chunks. Throws SiteError where there is something else; `mayBeTorn`: but for a beginning of a note at the end. */
async function* readBackwards(file: FileHandle, size: number, path: string, mayBeTorn = false): AsyncGenerator<Chunk, void, undefined> {
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - chunkSize);
    const bytes = await readBytes(file, begin, end);
    // What stands in front of it ends a note that the next chunk has whole.
    const first = begin === 0 ? 0 : bytes.indexOf(`\n${start}`) + 1;
    const { notes, rest } = splitNotes(bytes.toString('utf8', first));
    const isTail = mayBeTorn && end === size;
    if ((begin > 0 && first === 0) || (rest !== '' && !(isTail && isTorn(rest)))) {
      throw new SiteError(
        `The file ${path} cannot be used by the audit witness: expected checkpoints of audit logs and nothing else, found other text; name another file.`,
      );
    }
    yield { notes, end: begin + first + notes.reduce((total, { note }) => total + Buffer.byteLength(note), 0) };
    end = begin === 0 ? 0 : begin + first;
  }
}

async function readBytes(file: FileHandle, begin: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - begin);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, begin + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

function splitNotes(text: string): { readonly notes: readonly KeptCheckpoint[]; readonly rest: string } {
  const notes: KeptCheckpoint[] = [];
  let end = 0;
  noteForm.lastIndex = 0;
  for (let match = noteForm.exec(text); match !== null; match = noteForm.exec(text)) {
    const checkpoint = readCheckpoint(match[0]);
    if (checkpoint === undefined) break;
    notes.push({ ...checkpoint, note: match[0] });
    end = noteForm.lastIndex;
  }
  return { notes, rest: text.slice(end) };
}

/** What a write leaves that was cut off: the beginning of a note, or zeros. */
function isTorn(rest: string): boolean {
  return rest.length < 400 && (rest.startsWith(start) || start.startsWith(rest) || /^\0+$/.test(rest));
}
