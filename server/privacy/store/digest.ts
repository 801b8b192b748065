/**
 * Owns the digest of the store: the exclusive or of a hash of each row, so that a write changes it by its own rows only. It
 * finds damage (a changed bit, a lost row); whoever can write the file could write a fitting one. Usage is left out:
 * it changes all the time, and grants nothing.
 */
import { createHash } from 'node:crypto';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** What is not in the digest: a table, and the column that holds it. */
const leftOut = { table: 'usage', column: 'digest' };

export class Digest {
  readonly #bytes: Buffer;

  constructor(text: string = '0'.repeat(64)) {
    this.#bytes = Buffer.from(text, 'hex');
  }

  /** Adds a row that is not in it, takes out one that is. Gives the hash of the row. */
  toggle(table: string, row: Row): string {
    const columns = Object.entries(row).filter(([column]) => column !== leftOut.column);
    const hash = createHash('sha256')
      .update(JSON.stringify([table, columns]))
      .digest();
    for (let i = 0; i < hash.length; i++) this.#bytes[i] = (this.#bytes[i] ?? 0) ^ (hash[i] ?? 0);
    return hash.toString('latin1');
  }

  toString(): string {
    return this.#bytes.toString('hex');
  }
}

/** The digest of all rows of a file. */
export function digestRows(database: DatabaseSync): string {
  const digest = new Digest();
  for (const table of listTables(database)) {
    if (table === leftOut.table) continue;
    for (const row of database.prepare(`SELECT * FROM ${table}`).iterate()) digest.toggle(table, row);
  }
  return digest.toString();
}

function listTables(database: DatabaseSync): readonly string[] {
  return database
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`)
    .all()
    .map(({ name }) => String(name));
}
