/** Owns a log for the tests of the witness: records in memory, keys, signed checkpoints of any size, with hashes by the definition of RFC 6962. */
import { hash, type KeyObject, randomBytes } from 'node:crypto';
import { exportPublicKey, formatKey, importPrivateKey, signCheckpoint } from '../../../../../server/privacy/audit/note.ts';
import { proveConsistency } from '../../../../../server/privacy/audit/tree.ts';
import type { Witnessed } from '../../../../../server/privacy/audit/witness.ts';

const sha256 = (...parts: Uint8Array[]): Buffer => hash('sha256', Buffer.concat(parts), 'buffer');

/** Section 2.1, word for word. */
export function treeHash(records: readonly Uint8Array[]): Buffer {
  const [first] = records;
  if (first === undefined) return sha256();
  if (records.length === 1) return sha256(Buffer.of(0), first);
  let split = 1;
  while (split * 2 < records.length) split *= 2;
  return sha256(Buffer.of(1), treeHash(records.slice(0, split)), treeHash(records.slice(split)));
}

export class SmallLog {
  readonly id: string;
  readonly #records: Buffer[];
  #key: KeyObject = importPrivateKey(randomBytes(32));

  constructor(id: string = randomBytes(16).toString('hex'), records: readonly string[] = []) {
    this.id = id;
    this.#records = records.map((record) => Buffer.from(record));
  }

  /** As a site notes it down. */
  get key(): string {
    return formatKey(this.id, exportPublicKey(this.#key));
  }

  /** The same records and key, from which another history can begin. */
  fork(): SmallLog {
    const twin = new SmallLog(this.id);
    twin.#records.push(...this.#records);
    twin.#key = this.#key;
    return twin;
  }

  /** The next segment has another key. */
  rotate(): void {
    this.#key = importPrivateKey(randomBytes(32));
  }

  /** Grows, and gives the checkpoint. */
  grow(count: number, name = 'record'): Witnessed {
    for (let added = 0; added < count; added++) this.#records.push(Buffer.from(`${name} ${this.#records.length}`));
    return this.at(this.#records.length);
  }

  /** The checkpoint of its first records. */
  at(size: number): Witnessed {
    const records = this.#records.slice(0, size);
    const node = (level: number, index: number): Buffer => treeHash(records.slice(index * 2 ** level, (index + 1) * 2 ** level));
    return {
      size,
      note: signCheckpoint({ log: this.id, size, root: treeHash(records) }, this.#key, exportPublicKey(this.#key)),
      proveFrom: (old) => proveConsistency({ node }, old, size),
    };
  }
}

/** The code that an attempt is refused with. */
export async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'none';
  } catch (error) {
    return String((error as { readonly code?: unknown }).code);
  }
}
