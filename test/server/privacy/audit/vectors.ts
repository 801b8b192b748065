/** Owns the golden vectors of the second implementation (test/fixtures/audit/make.py), by the names that they have there. */
import { readFixture } from './logs.ts';

export interface Vectors {
  readonly certificate_transparency: { readonly leaves: readonly string[]; readonly roots: readonly string[] };
  readonly tree: {
    readonly leaves: readonly string[];
    /** From size 0 on. */
    readonly roots: readonly string[];
    /** SHA-256 of the whole file. */
    readonly hashes: string;
    readonly inclusion: readonly { readonly index: number; readonly size: number; readonly path: readonly string[] }[];
    readonly consistency: readonly { readonly old: number; readonly size: number; readonly path: readonly string[] }[];
  };
  readonly log: {
    readonly id: string;
    readonly name: string;
    readonly keys: readonly { readonly segment: number; readonly seed: string; readonly public: string; readonly text: string }[];
    readonly checkpoints: readonly { readonly size: number; readonly segment: number; readonly text: string }[];
    readonly records: readonly string[];
    /** Of the first four records, and of the first checkpoint. */
    readonly frames: readonly string[];
  };
}

export const vectors: Vectors = JSON.parse(readFixture('vectors.json')) as Vectors;
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const fromHex = (text: string): Buffer => Buffer.from(text, 'hex');
