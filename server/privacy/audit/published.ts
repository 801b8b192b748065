/**
 * Owns what follows from the log and is written when a group is durable: the nodes of its tree in `hashes`, and the checkpoint in
 * `head`. Neither is synced before a segment ends: what a crash of the machine takes from them is made anew from that. Refuses to
 * leave a hole: what could not be written stays in memory and comes first.
 */
import { codeOf } from '../files.ts';
import type { Disk, DiskFile } from './disk.ts';
import type { LogPaths } from './folder.ts';
import { hashSize } from './tree.ts';

export class Published implements AsyncDisposable {
  readonly #disk: Disk;
  readonly #paths: LogPaths;
  #hashes: DiskFile;
  #head: DiskFile;
  /** Of the first node that waits. */
  #place: number;
  #nodes: Uint8Array[] = [];
  #note: string | undefined;

  /** `place`: nodes that `hashes` has. */
  static async open(disk: Disk, paths: LogPaths, place: number): Promise<Published> {
    const hashes = await disk.open(paths.hashes);
    try {
      return new Published(disk, paths, place, hashes, await openHead(disk, paths));
    } catch (error) {
      await hashes.close();
      throw error;
    }
  }

  private constructor(disk: Disk, paths: LogPaths, place: number, hashes: DiskFile, head: DiskFile) {
    this.#disk = disk;
    this.#paths = paths;
    this.#place = place;
    this.#hashes = hashes;
    this.#head = head;
  }

  get isBehind(): boolean {
    return this.#note !== undefined;
  }

  add(nodes: readonly Uint8Array[], note: string): void {
    for (const node of nodes) this.#nodes.push(node);
    this.#note = note;
  }

  async write(): Promise<void> {
    if (this.#note === undefined) return;
    await this.#hashes.write(Buffer.concat(this.#nodes), hashSize * this.#place);
    this.#place += this.#nodes.length;
    this.#nodes = [];
    await this.#head.write(Buffer.from(this.#note), 0);
    this.#note = undefined;
  }

  /** All nodes so far are durable when it resolves. */
  async sync(): Promise<void> {
    await this.write();
    await this.#hashes.sync();
  }

  /** As of a segment. */
  async reopen(): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#hashes = await this.#disk.open(this.#paths.hashes);
    this.#head = await openHead(this.#disk, this.#paths);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of [this.#hashes, this.#head]) await file.close().catch(() => undefined);
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
