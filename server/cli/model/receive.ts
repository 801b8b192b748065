/**
 * Owns the way of one file from a source to the disk. What an earlier try has left is used again, never believed: it is held against the
 * source's hash of the whole file, or byte by byte against the source. Refuses to leave a file that is not what the source says.
 */
import { createHash, type Hash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { SiteError } from '../../privacy/errors.ts';
import { codeOf } from '../../privacy/files.ts';
import type { Disk, DiskFile } from './disk.ts';
import type { Source, SourceFile } from './source.ts';

const chunkSize = 2 ** 20;

export interface Delivery {
  readonly source: Source;
  readonly disk: Disk;
  /** Bytes of this file that are done. */
  readonly onProgress: (done: number) => void;
}

/** The file as `path`, on the disk for good; gives its SHA-256. Throws SiteError. */
export async function receiveFile(file: SourceFile, path: string, delivery: Delivery): Promise<string> {
  await using target = await guard(path, () => delivery.disk.open(path));
  for (;;) {
    const { sha256, digest, kept } = await fill(file, path, target, delivery);
    if (file.digest === undefined || file.digest.value === digest) {
      await guard(path, () => target.sync());
      return sha256;
    }
    await guard(path, () => target.truncate(0));
    // Else it may have been what an earlier try left.
    if (kept > 0) continue;
    throw new SiteError(
      `The file ${file.path} of ${delivery.source.label} is not what it should be: expected the hash ${file.digest.value.slice(0, 12)}, found ${digest.slice(0, 12)}; fetch it anew, or use another copy.`,
    );
  }
}

interface Filled {
  readonly sha256: string;
  /** As the source counts it. */
  readonly digest: string;
  /** Bytes of an earlier try that were used. */
  readonly kept: number;
}

async function fill(file: SourceFile, path: string, target: DiskFile, { source, onProgress }: Delivery): Promise<Filled> {
  const hashes = new Hashes(file);
  let kept = Math.min(await guard(path, () => target.size()), file.size);
  let position = 0;
  const step = (bytes: Uint8Array): void => {
    hashes.update(bytes);
    onProgress((position += bytes.length));
  };
  if (file.digest !== undefined) for await (const bytes of readKept(path, target, kept)) step(bytes);
  const rest = position < file.size ? source.read(file, position) : [];
  for await (const bytes of rest) {
    if (position + bytes.length > file.size) throw changed(file, source, 'more');
    if (position >= kept || !(await isSame(path, target, bytes, position))) {
      kept = Math.min(kept, position);
      await guard(path, () => target.write(bytes, position));
    }
    step(bytes);
  }
  if (position < file.size) throw changed(file, source, `${position}`);
  await guard(path, () => target.truncate(file.size));
  return { ...hashes.end(), kept };
}

class Hashes {
  readonly #sha256 = createHash('sha256');
  readonly #git: Hash | undefined;

  constructor({ digest, size }: SourceFile) {
    this.#git = digest?.algorithm === 'git-blob' ? createHash('sha1').update(`blob ${size}\0`) : undefined;
  }

  update(bytes: Uint8Array): void {
    this.#sha256.update(bytes);
    this.#git?.update(bytes);
  }

  end(): Pick<Filled, 'sha256' | 'digest'> {
    const sha256 = this.#sha256.digest('hex');
    return { sha256, digest: this.#git?.digest('hex') ?? sha256 };
  }
}

async function* readKept(path: string, target: DiskFile, size: number): AsyncIterable<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(chunkSize);
  for (let position = 0; position < size; ) {
    const count = await guard(path, () => target.read(buffer.subarray(0, Math.min(chunkSize, size - position)), position));
    if (count === 0) return;
    yield buffer.subarray(0, count);
    position += count;
  }
}

async function isSame(path: string, target: DiskFile, bytes: Uint8Array, position: number): Promise<boolean> {
  const there = Buffer.allocUnsafe(bytes.length);
  const count = await guard(path, () => target.read(there, position));
  return count === bytes.length && there.equals(bytes);
}

function changed({ path, size }: SourceFile, { label }: Source, found: string): SiteError {
  return new SiteError(`The file ${path} of ${label} changed while it was read: expected ${size} bytes, found ${found}; give the same command again.`);
}

/** What the disk says no with, as a sentence. */
async function guard<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw new SiteError(
      `The file ${basename(path)} cannot be written into ${dirname(path)}: expected a disk that takes it, found ${codeOf(error)}; make room or mend it, and give the same command again: it goes on there.`,
    );
  }
}
