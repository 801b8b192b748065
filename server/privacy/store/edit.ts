/**
 * Owns the writing of rows in one transaction: the digest follows every change, and the event of the change lies beside it. Refuses
 * an id that is there already, and one that is not.
 */
import type { StatementSync } from 'node:sqlite';
import type { AdministrationEvent } from '../audit/events.ts';
import { SiteError } from '../errors.ts';
import { checkRoom, toChangeFields } from './changes.ts';
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
  changes: { id: 'place', word: 'change' },
} as const;
export type TableName = keyof typeof tables;
type MetaColumn = 'generation' | 'clock' | 'nextTenant' | 'nextChange';

/** One change of the store; what it holds counts once `close` has been called in the same transaction. */
export class Edit {
  readonly #prepare: (sql: string) => StatementSync;
  readonly #meta: Row;
  readonly #digest: Digest;
  readonly #changed: Record<string, number> = {};
  #siteId: string | null;
  #isTouched = false;
  #hasNoted = false;

  constructor(prepare: (sql: string) => StatementSync) {
    this.#prepare = prepare;
    this.#meta = prepare('SELECT * FROM meta').get() ?? {};
    this.#siteId = typeof this.#meta['siteId'] === 'string' ? this.#meta['siteId'] : null;
    this.#digest = new Digest(String(this.#meta['digest']));
    this.#digest.toggle('meta', this.#meta);
  }

  /** Something was written that has no event. */
  get isSilent(): boolean {
    return this.#isTouched && !this.#hasNoted;
  }

  get hasNoted(): boolean {
    return this.#hasNoted;
  }

  /** Leaves the event of this change for the audit trail. Throws SiteError where it does not fit, and where too many wait. */
  note(event: AdministrationEvent): void {
    const place = this.readMeta('nextChange');
    checkRoom(event, Number(this.#prepare('SELECT count(*) AS count FROM changes').get()?.['count']));
    this.insert('changes', toChangeFields({ place, event }));
    this.writeMeta('nextChange', place + 1);
    this.#hasNoted = true;
  }

  /** Takes events out that an audit log has, up to and with this place. */
  drop(upTo: number): void {
    for (const row of this.#prepare('SELECT * FROM changes WHERE place <= ?').all(upTo)) this.#digest.toggle('changes', row);
    this.#prepare('DELETE FROM changes WHERE place <= ?').run(upTo);
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
    this.#isTouched = true;
  }

  update(table: TableName, id: string | number, fields: Fields): void {
    const columns = Object.keys(fields);
    this.#digest.toggle(table, this.find(table, id) ?? {});
    const sql = `UPDATE ${table} SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE ${tables[table].id} = ?`;
    this.#prepare(sql).run(...columns.map((column) => fields[column] ?? null), id);
    this.#digest.toggle(table, this.find(table, id) ?? {});
    this.#isTouched = true;
  }

  clear(): void {
    for (const table of Object.keys(tables) as TableName[]) {
      for (const row of this.#prepare(`SELECT * FROM ${table}`).all()) this.#digest.toggle(table, row);
      this.#prepare(`DELETE FROM ${table}`).run();
    }
    this.#isTouched = true;
  }

  readMeta(column: MetaColumn): number {
    return this.#changed[column] ?? Number(this.#meta[column]);
  }

  writeMeta(column: MetaColumn, value: number): void {
    this.#changed[column] = value;
    this.#isTouched = true;
  }

  /** Gives the site an id, if it has none: that of a site never changes. */
  identifySite(id: string): void {
    this.#siteId ??= id;
  }

  close(): void {
    const meta = { ...this.#meta, ...this.#changed, siteId: this.#siteId };
    this.#digest.toggle('meta', meta);
    const columns: readonly MetaColumn[] = ['generation', 'clock', 'nextTenant', 'nextChange'];
    const sql = `UPDATE meta SET ${columns.map((column) => `${column} = ?`).join(', ')}, siteId = ?, digest = ?`;
    this.#prepare(sql).run(...columns.map((column) => this.readMeta(column)), this.#siteId, this.#digest.toString());
  }
}

/** An id that somebody gave may be anything. */
function quote(id: string | number): string {
  return /^[a-z0-9._-]{1,48}$/.test(String(id)) ? String(id) : 'of that id';
}
