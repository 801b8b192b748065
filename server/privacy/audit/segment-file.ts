/**
 * Owns the file of the segment that is being written: frames, and behind them zeros that are really on the disk, so that a disk that
 * becomes full does not come between the last records. Refuses to count on anything that was not made durable.
 */
import { type Disk, type DiskFile, isFull } from './disk.ts';
import type { LogPaths } from './folder.ts';
import { magic } from './frames.ts';

interface State {
  /** Of the last durable frame. */
  readonly end: number;
  /** Where something of a group that failed, or that a crash has cut, may end. */
  readonly soiled: number;
  /** With the zeros. */
  readonly size: number;
}

export class SegmentFile implements AsyncDisposable {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #unit: number;
  #file: DiskFile;
  #end: number;
  #soiled: number;
  #size: number;

  /** `unit`: zeros that are written at once, in bytes. */
  static async open(disk: Disk, path: string, unit: number, state: State): Promise<SegmentFile> {
    return new SegmentFile(disk, path, unit, state, await disk.open(path));
  }

  /** A new one with its zeros, durable. Takes away what a try before has left. */
  static async create(disk: Disk, paths: LogPaths, number: number, unit: number): Promise<SegmentFile> {
    const path = paths.segment(number);
    await disk.remove(path);
    const file = await disk.create(path);
    try {
      await file.write(Buffer.concat([magic, Buffer.alloc(unit)]), 0);
      await file.sync();
      await disk.syncFolder(paths.folder);
      return new SegmentFile(disk, path, unit, { end: magic.length, soiled: magic.length, size: magic.length + unit }, file);
    } catch (error) {
      await file.close();
      await disk.remove(path);
      throw error;
    }
  }

  private constructor(disk: Disk, path: string, unit: number, { end, soiled, size }: State, file: DiskFile) {
    this.#disk = disk;
    this.#path = path;
    this.#unit = unit;
    this.#file = file;
    this.#end = end;
    this.#soiled = soiled;
    this.#size = size;
  }

  get end(): number {
    return this.#end;
  }

  /** Makes zeros for so many bytes, beside those that stay as they are. False: the disk is full, and of those some are needed. Throws where `size` does not fit. */
  async makeRoom(size: number, kept: number): Promise<boolean> {
    const left = this.#size - this.#end - size;
    if (left >= kept) return true;
    const from = Math.max(this.#size, this.#soiled);
    const zeros = new Uint8Array(this.#unit * Math.ceil((size + kept) / this.#unit));
    try {
      await this.#file.write(zeros, from);
      await this.#file.sync();
    } catch (error) {
      if (isFull(error) && left >= 0) return false;
      throw error;
    }
    this.#size = from + zeros.length;
    return true;
  }

  /** Into the room that was made. Durable when it resolves; where it rejects, the same place is written again. */
  async write(bytes: Buffer): Promise<void> {
    const end = this.#end + bytes.length;
    const rest = Buffer.alloc(Math.max(0, this.#soiled - end));
    this.#soiled = Math.max(this.#soiled, end);
    await this.#file.write(Buffer.concat([bytes, rest]), this.#end);
    await this.#file.sync();
    this.#end = end;
    this.#soiled = end;
  }

  /** Takes the zeros away, durably. */
  async trim(): Promise<void> {
    await this.#file.truncate(this.#end);
    await this.#file.sync();
    this.#soiled = this.#end;
    this.#size = this.#end;
  }

  /** What failed once may have failed because it was closed. Its number may go to the next file that is opened: it is closed first. */
  async reopen(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    this.#file = await this.#disk.open(this.#path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }
}
