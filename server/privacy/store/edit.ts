/**
 * Owns the writing of rows in one transaction: the digest and the number of the generation follow every change. Refuses an id
 * that is there already, and one that is not.
 */
import type { StatementSync } from 'node:sqlite';
import { SiteError } from '../errors.ts';
import { Digest, type Row } from './digest.ts';
import type { Fields } from './rows.ts';

/** Tables of which the digest is kept, with the column that names a row, and what a row is called. */
const tables = {
  policy: { id: 'one', word: 'policy' },
  trustedKeys: { id: 'id', word: 'trusted key' },
  records: { id: 'id', word: 'record' },
  tenants: { id: 'code', word: 'tenant' },
  keys: { id: 'id', word: 'key' },
  people: { id: 'id', word: 'person' },
} as const;
export type TableName = keyof typeof tables;

/** One change of the store; what it holds counts once `close` has been called in the same transaction. */
export class Edit {
  readonly #prepare: (sql: string) => StatementSync;
  readonly #meta: Row;
  readonly #digest: Digest;
  readonly #changed: Record<string, number> = {};
  #siteId: string | null;

  constructor(prepare: (sql: string) => StatementSync) {
    this.#prepare = prepare;
    this.#meta = prepare('SELECT * FROM meta').get() ?? {};
    this.#siteId = typeof this.#meta['siteId'] === 'string' ? this.#meta['siteId'] : null;
    this.#digest = new Digest(String(this.#meta['digest']));
    this.#digest.toggle('meta', this.#meta);
  }

  find(table: TableName, id: string | number): Row | undefined {
    return this.#prepare(`SELECT * FROM ${table} WHERE ${tables[table].id} = ?`).get(id);
  }

  get(table: TableName, id: string): Row {
    const row = this.find(table, id);
    if (row === undefined) throw new SiteError(`There is no ${tables[table].word} ${quote(id)} in this store.`);
    return row;
  }

  insert(table: TableName, fields: Fields): void {
    const { id, word } = tables[table];
    const name = fields[id] as string | number;
    if (this.find(table, name) !== undefined) throw new SiteError(`There is a ${word} ${quote(name)} in this store already: ids are never used twice.`);
    const columns = Object.keys(fields);
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
    this.#prepare(sql).run(...columns.map((column) => fields[column] ?? null));
    this.#digest.toggle(table, this.find(table, name) ?? {});
  }

  update(table: TableName, id: string | number, fields: Fields): void {
    const columns = Object.keys(fields);
    this.#digest.toggle(table, this.find(table, id) ?? {});
    const sql = `UPDATE ${table} SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE ${tables[table].id} = ?`;
    this.#prepare(sql).run(...columns.map((column) => fields[column] ?? null), id);
    this.#digest.toggle(table, this.find(table, id) ?? {});
  }

  clear(): void {
    for (const table of Object.keys(tables) as TableName[]) {
      for (const row of this.#prepare(`SELECT * FROM ${table}`).all()) this.#digest.toggle(table, row);
      this.#prepare(`DELETE FROM ${table}`).run();
    }
  }

  readMeta(column: 'generation' | 'clock' | 'nextTenant'): number {
    return this.#changed[column] ?? Number(this.#meta[column]);
  }

  writeMeta(column: 'generation' | 'clock' | 'nextTenant', value: number): void {
    this.#changed[column] = value;
  }

  /** Gives the site an id, if it has none: that of a site never changes. */
  identifySite(id: string): void {
    this.#siteId ??= id;
  }

  close(): void {
    const meta = { ...this.#meta, ...this.#changed, siteId: this.#siteId };
    this.#digest.toggle('meta', meta);
    const sql = 'UPDATE meta SET generation = ?, clock = ?, nextTenant = ?, siteId = ?, digest = ?';
    this.#prepare(sql).run(this.readMeta('generation'), this.readMeta('clock'), this.readMeta('nextTenant'), this.#siteId, this.#digest.toString());
  }
}

/** An id that somebody gave may be anything. */
function quote(id: string | number): string {
  return /^[a-z0-9._-]{1,48}$/.test(String(id)) ? String(id) : 'of that id';
}
