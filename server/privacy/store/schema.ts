/**
 * Owns the tables of the store and how an older file becomes one of today: numbered migrations, each one transaction.
 * Every column has a check of length and form, with what any SQLite can evaluate; refuses by them whatever could be a sentence.
 */
import type { DatabaseSync } from 'node:sqlite';
import { envelopeLimit, recordTypes } from '../envelope.ts';
import { SiteError } from '../errors.ts';
import { codeLimit, dataClasses } from '../words.ts';
import { digestRows } from './digest.ts';
import { DamagedError } from './errors.ts';

/** `inwd`: tells a store from the databases of other programs. */
const applicationId: number = 0x696e7764;
/** Bytes of the event of a change. */
const eventLimit = 600;

/** Text of ASCII characters of a set. The other checks see a text up to its first NUL only, so its bytes are counted too. */
function text(column: string, min: number, max: number, set: string, form = '*'): string {
  return `${column} TEXT CHECK (length(${column}) BETWEEN ${min} AND ${max} AND length(CAST(${column} AS BLOB)) = length(${column})
    AND ${column} NOT GLOB '*[^${set}]*' AND ${column} GLOB '${form}')`;
}

const code = (column: string): string => text(column, 1, codeLimit, 'a-z0-9-', '[a-z]*');
const region = (column: string): string => text(column, 2, 60, 'a-z0-9-', '[a-z]*');
const keyId = (column: string): string => text(column, 10, 10, '0-9a-hjkmnp-tv-z');
const personId = (column: string): string => text(column, 2, 48, 'a-z0-9._-', '[a-z0-9]*');
const hex = (column: string, length: number): string => text(column, length, length, '0-9a-f');
const claim = (column: string): string => text(column, 1, 200, '!-~');
const whole = (column: string, min: number, max: number): string => `${column} INTEGER CHECK (${column} BETWEEN ${min} AND ${max})`;
const time = (column: string): string => whole(column, 0, 253_402_300_799_999);
const tokens = (column: string): string => whole(column, 1, 1e12);
const oneOf = (column: string, values: readonly string[]): string => `${column} TEXT CHECK (${column} IN (${values.map((value) => `'${value}'`).join(', ')}))`;
const needed = (column: string): string => `${column} NOT NULL`;

const revocation: readonly string[] = [time('revokedAt'), personId('revokedBy')];
const revocationRule = 'CHECK ((revokedAt IS NULL) = (revokedBy IS NULL))';

/** What keys and people have in common: how the holder is known, from when and until when. */
const granted: readonly string[] = [
  needed(oneOf('credential', ['secret', 'token', 'certificate'])),
  hex('salt', 32),
  hex('hash', 64),
  claim('issuer'),
  claim('subject'),
  hex('fingerprint', 64),
  needed(time('createdAt')),
  needed(personId('createdBy')),
  time('expiresAt'),
  ...revocation,
];
const grantedRules: readonly string[] = [
  revocationRule,
  `CHECK ((credential = 'secret') = (salt IS NOT NULL) AND (credential = 'secret') = (hash IS NOT NULL))`,
  `CHECK ((credential = 'token') = (issuer IS NOT NULL) AND (credential = 'token') = (subject IS NOT NULL))`,
  `CHECK ((credential = 'certificate') = (fingerprint IS NOT NULL))`,
];

const table = (name: string, lines: readonly string[]): string => `CREATE TABLE ${name} (\n  ${lines.join(',\n  ')}\n) STRICT;\n`;

/** The SPKI form of every Ed25519 key in PEM, with 43 letters that differ. */
const pemForm = `pem GLOB '-----BEGIN PUBLIC KEY-----' || char(10) || 'MCowBQYDK2VwAyEA*=' || char(10) || '-----END PUBLIC KEY-----' || char(10)`;

const first: string = [
  table('meta', [
    'one INTEGER PRIMARY KEY CHECK (one = 1)',
    needed(whole('generation', 0, 1e15)),
    needed(time('clock')),
    needed(whole('nextTenant', 1, 4_294_967_296)),
    hex('siteId', 32),
    needed(hex('digest', 64)),
  ]),
  table('policy', ['one INTEGER PRIMARY KEY CHECK (one = 1)', needed(code('site')), needed(region('region')), needed(whole('signatures', 1, 2))]),
  table('trustedKeys', [
    `${needed(text('id', 19, 19, 'ck0-9a-f-', 'ck-*'))} PRIMARY KEY`,
    `pem TEXT NOT NULL UNIQUE CHECK (length(pem) = 113 AND length(CAST(pem AS BLOB)) = 113 AND substr(pem, 28, 60) NOT GLOB '*[^A-Za-z0-9+/=]*' AND ${pemForm})`,
    needed(time('addedAt')),
    needed(personId('addedBy')),
  ]),
  table('records', [
    'place INTEGER PRIMARY KEY CHECK (place BETWEEN 1 AND 1000000000)',
    needed(oneOf('type', recordTypes)),
    `${needed(text('id', 1, codeLimit, 'a-z0-9-', '[a-z]*'))} UNIQUE`,
    `${needed(hex('hash', 64))} UNIQUE`,
    `envelope TEXT NOT NULL CHECK (length(CAST(envelope AS BLOB)) BETWEEN 2 AND ${envelopeLimit} AND instr(envelope, char(0)) = 0
    AND envelope GLOB '{"record":{*},"signatures":[[]*],"type":"inward.*.v1"}' AND json_valid(envelope))`,
    needed(time('addedAt')),
    needed(personId('addedBy')),
    ...revocation,
    revocationRule,
    `CHECK (json_extract(envelope, '$.type') = type AND json_extract(envelope, '$.record.id') = id)`,
  ]),
  table('tenants', [
    `${needed(code('code'))} PRIMARY KEY`,
    `${needed(whole('number', 0, 4_294_967_295))} UNIQUE`,
    tokens('tokensPerMinute'),
    tokens('tokensPerDay'),
  ]),
  table('keys', [
    `${needed(keyId('id'))} PRIMARY KEY`,
    needed(code('label')),
    `${needed(code('tenant'))} REFERENCES tenants (code) DEFERRABLE INITIALLY DEFERRED`,
    needed(oneOf('data', dataClasses)),
    `${needed(text('scopes', 2, 16384, ']A-Za-z0-9{}",:._/+[-', '{"*}'))} CHECK (json_valid(scopes))`,
    needed(whole('isSealed', 0, 1)),
    `${time('openedAt')} CHECK (openedAt IS NULL OR isSealed = 1)`,
    `${keyId('replaces')} REFERENCES keys (id) DEFERRABLE INITIALLY DEFERRED`,
    ...granted,
    ...grantedRules,
  ]),
  table('people', [
    `${needed(personId('id'))} PRIMARY KEY`,
    `${needed(text('roles', 2, 100, ']a-z",[', '[[]"*"]'))} CHECK (json_valid(roles))`,
    ...granted,
    ...grantedRules,
  ]),
  table('usage', [
    needed(whole('day', 0, 2_932_896)),
    needed(oneOf('scope', ['key', 'tenant'])),
    needed(text('id', 1, codeLimit, 'a-z0-9-')),
    needed(whole('tokens', 0, 1e15)),
    'PRIMARY KEY (day, scope, id)',
  ]),
  `INSERT INTO meta VALUES (1, 1, 0, 1, NULL, '${'0'.repeat(64)}');`,
].join('');

/** Events of changes until an audit log has them. Their numbers go on from `nextChange`, so that none comes twice. */
const second: string = [
  `ALTER TABLE meta ADD COLUMN ${needed(whole('nextChange', 1, 1e15))} DEFAULT 1;\n`,
  table('changes', [
    'place INTEGER PRIMARY KEY CHECK (place BETWEEN 1 AND 1000000000000000)',
    `${needed(text('event', 2, eventLimit, 'A-Za-z0-9{}",:._-', '{"*}'))} CHECK (json_valid(event))`,
  ]),
].join('');

/** One for each version: the first makes version 1 of an empty file. */
export const migrations: readonly string[] = [first, second];

/** The version of a file; 0: nothing is in it yet. Throws SiteError on one that a newer program wrote, and on one of another program. */
export function readSchemaVersion(database: DatabaseSync, name: string, newest: number = migrations.length): number {
  // One statement, since another process may be making the store right now.
  const row = database.prepare(`SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) AS count
    FROM pragma_application_id, pragma_user_version`);
  const [id, version, count] = Object.values(row.get() ?? {}).map(Number);
  if (version === undefined) throw new DamagedError(name, 'its version is missing');
  if (id === 0 && version === 0 && count === 0) return 0;
  if (id !== applicationId) throw new SiteError(`${name} is the database of another program: expected a store of inward.`);
  if (version > newest) throw new SiteError(`${name} was written by a newer version of inward (${version}; this one knows ${newest}): use that version.`);
  if (version < 1) throw new DamagedError(name, 'its version is wrong');
  return version;
}

/** Brings a file to the newest version. Rows are judged before they are touched, and sealed by a new digest after. */
export function migrate(database: DatabaseSync, name: string, steps: readonly string[] = migrations): void {
  for (let version = readSchemaVersion(database, name, steps.length); version < steps.length; version++) {
    database.exec('BEGIN IMMEDIATE');
    // Another process may have been faster.
    if (readSchemaVersion(database, name, steps.length) === version) {
      if (version > 0) checkDigest(database, name);
      database.exec(steps[version] ?? '');
      database.prepare('UPDATE meta SET digest = ?').run(digestRows(database));
      database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version + 1}`);
    }
    database.exec('COMMIT');
  }
}

/** SQLite keeps no checksum of its pages: one changed bit could take a revocation away. */
export function checkDigest(database: DatabaseSync, name: string): void {
  if (database.prepare('SELECT digest FROM meta').get()?.['digest'] !== digestRows(database)) throw new DamagedError(name, 'its rows do not fit its digest');
}

/** The definitions of a file as text, so that a table, a check or a trigger that differs is seen. */
export function readDefinitions(database: DatabaseSync): string {
  return JSON.stringify(database.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').all());
}
