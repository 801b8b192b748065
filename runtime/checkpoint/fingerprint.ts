/**
 * Owns what tells whether a model file is still the one that was opened, without reading all of it. Refuses to be proof
 * against somebody who makes a file to look the same.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Checkpoint } from './types.ts';

/** Bytes of each tensor that `hashModel` reads: other weights of the same shapes differ in most of them. */
const sampleSize = 4096;

/** SHA-256 of all before the first tensor: with the same header a tokenizer gives the same ids. */
export function hashHeader(checkpoint: Checkpoint): string {
  const hash = createHash('sha256');
  addHeader(hash, checkpoint);
  return hash.digest('hex');
}

/** SHA-256 of the header, of what each tensor is called and where it lies, and of its first bytes. */
export function hashModel(checkpoint: Checkpoint): string {
  const hash = createHash('sha256');
  addHeader(hash, checkpoint);
  for (const { name, storage, shape, offset, size } of checkpoint.tensors.values()) {
    hash.update(JSON.stringify([name, storage, shape, offset, size]));
    addBytes(hash, checkpoint, offset, offset + Math.min(size, sampleSize));
  }
  return hash.digest('hex');
}

function addHeader(hash: Hash, checkpoint: Checkpoint): void {
  const first = Array.from(checkpoint.tensors.values()).reduce((least, { offset }) => Math.min(least, offset), checkpoint.fileSize);
  addBytes(hash, checkpoint, 0, first);
}

function addBytes(hash: Hash, checkpoint: Checkpoint, start: number, end: number): void {
  const part = new Uint8Array(Math.min(1 << 20, end - start));
  for (let position = start; position < end; position += part.length) {
    const bytes = part.subarray(0, Math.min(part.length, end - position));
    checkpoint.read(position, bytes);
    hash.update(bytes);
  }
}
