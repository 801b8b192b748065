/**
 * Owns what tests of the store share: a fresh folder for a site, and keys, people and records as an administrator would make them.
 */
import { spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Manifest } from '../../../server/privacy/deployment/manifest.ts';
import { type Envelope, readPublicKey, signEnvelope } from '../../../server/privacy/envelope.ts';
import { SiteError } from '../../../server/privacy/errors.ts';
import type { AccessKey, Person, Scopes } from '../../../server/privacy/grants.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import { digestRows } from '../../../server/privacy/store/digest.ts';
import { migrate, migrations } from '../../../server/privacy/store/schema.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import type { Change, Snapshot, Store, StoredRecord, TrustedKey } from '../../../server/privacy/store.ts';
import { selfOperated } from './records.ts';

/** 2026-11-24T10:00:00Z */
export const now = 1_795_514_400_000;

export interface Folder extends Disposable {
  readonly folder: string;
  /** Of the store, in a folder of its own that is not there yet. */
  readonly path: string;
}

export function createFolder(): Folder {
  const folder = mkdtempSync(join(tmpdir(), 'inward-store-'));
  return { folder, path: join(folder, 'site', 'inward.sqlite'), [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

const scopes: Scopes = { models: [], routes: ['chat'], purposes: ['documentation'], networks: [], priority: 'interactive' };
const wide: Scopes = {
  ...scopes,
  models: ['llama-3.1-8b', 'org/model:q4_0'],
  networks: ['10.0.0.0/8', '2001:db8::1'],
  hours: { days: [1, 2], from: '07:00', to: '24:00', timeZone: 'America/Chicago' },
  region: 'us-east',
};

export function createKey(changes: Partial<AccessKey> = {}): AccessKey {
  const { id, credential } = createSecret('phi');
  return { id, label: 'notes', tenant: 'cardiology', data: 'phi', scopes, isSealed: false, credential, createdAt: now, createdBy: 'setup', ...changes };
}

export function createPerson(id: string, changes: Partial<Person> = {}): Person {
  return { id, roles: ['admin'], credential: createSecret('person').credential, createdAt: now, createdBy: 'setup', ...changes };
}

export interface Signer {
  readonly trusted: TrustedKey;
  readonly privateKey: KeyObject;
}

export function createSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const known = readPublicKey(publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'the key');
  return { trusted: { ...known, addedAt: now, addedBy: 'setup' }, privateKey };
}

const manifest: Omit<Manifest, 'id'> = {
  ...{ site: 'general', region: 'us-east', host: 'cd'.repeat(32), devices: [], software: 'ef'.repeat(32), weights: [], outbound: [] },
  ...{ agreement: 'agr-00000002', issued: '2026-11-24T10:00:00Z' },
};

/** A record that the gate takes, signed by all of them. */
export function createRecord(signer: Signer, id: string, changes: Partial<StoredRecord> = {}, ...others: readonly Signer[]): StoredRecord {
  const isAgreement = id.startsWith('agr-');
  const record = isAgreement ? { ...selfOperated, id, coveredEntity: { name: 'Spitäler Süd', id: 'DE-1' } } : { ...manifest, id };
  const unsigned: Envelope = { type: isAgreement ? 'inward.agreement.v1' : 'inward.manifest.v1', record, signatures: [] };
  const envelope = [signer, ...others].reduce((signed, { privateKey }) => signEnvelope(signed, privateKey), unsigned);
  return { envelope, addedAt: now, addedBy: 'setup', ...changes };
}

/** One of everything, some of it revoked. */
export async function fillStore(store: Store, count = 3): Promise<void> {
  const [signer, other] = [createSigner(), createSigner()];
  await store.setPolicy({ site: 'general', region: 'us-east', signatures: 2 }, 'setup', now);
  for (const { trusted } of [signer, other]) await store.addTrustedKey(trusted);
  await store.addTenant({ code: 'cardiology', tokensPerDay: 100_000, tokensPerMinute: 1000 }, 'setup', now);
  for (const id of ['agr-00000001', 'agr-00000002', 'mf-00000001']) await store.addRecord(createRecord(signer, id, {}, other));
  await store.revokeAgreement('agr-00000001', 'setup', now + 1);
  await store.addPerson(createPerson('a.nurse'));
  await store.addPerson(
    createPerson('b.nurse', { roles: ['auditor', 'viewer'], credential: { type: 'token', issuer: 'https://idp.example', subject: 'b' }, expiresAt: now * 2 }),
  );
  await store.addPerson(createPerson('c.nurse', { credential: { type: 'certificate', fingerprint: 'cd'.repeat(32) } }));
  await store.revokePerson('b.nurse', 'a.nurse', now + 2);
  for (let i = 0; i < count; i++) {
    const key = createKey({ isSealed: i % 3 === 2 });
    await store.addKey(key);
    if (i % 2 === 0) await store.revokeKey(key.id, 'a.nurse', now + 3 + i);
  }
  const sealed = createKey({ isSealed: true, expiresAt: now * 2, credential: { type: 'certificate', fingerprint: 'ab'.repeat(32) } });
  await store.addKey(sealed);
  await store.openKey(sealed.id, now + 3);
  await store.replaceKey(
    createKey({ replaces: sealed.id, scopes: wide, credential: { type: 'token', issuer: 'https://idp.example', subject: 'k' } }),
    'a.nurse',
    now + 4,
  );
  await store.addUsage(20_000, [{ scope: 'tenant', id: 'cardiology', tokens: 5 }]);
  await store.keepClock(now + 4);
}

export interface Closed extends Folder {
  readonly before: Snapshot;
  readonly changes: readonly Change[];
}

/** A store that is closed, and what is in it. */
export async function createClosed(count?: number): Promise<Closed> {
  const folder = createFolder();
  await using store = await openStore(folder.path, { create: true });
  await fillStore(store, count);
  return { ...folder, [Symbol.dispose]: folder[Symbol.dispose], before: await store.load(), changes: await store.listChanges() };
}

export async function loadStore(path: string): Promise<Snapshot> {
  await using store = await openStore(path);
  return await store.load();
}

export async function listChanges(path: string): Promise<readonly Change[]> {
  await using store = await openStore(path);
  return await store.listChanges();
}

/** What a store holds, as version 1 of its file. */
export function writeFirstVersion(source: string, target: string): void {
  writeFileSync(target, '', { mode: 0o600, flag: 'wx' });
  using database = new DatabaseSync(target);
  migrate(database, target, migrations.slice(0, 1));
  database.prepare('ATTACH ? AS new').run(source);
  database.exec('BEGIN; PRAGMA defer_foreign_keys = ON; DELETE FROM meta');
  for (const { name } of database.prepare(`SELECT name FROM main.sqlite_schema WHERE type = 'table'`).all()) {
    const columns = database.prepare(`SELECT name FROM pragma_table_info('${name}', 'main')`).all();
    const list = columns.map((column) => column['name']).join(', ');
    database.exec(`INSERT INTO main.${name} (${list}) SELECT ${list} FROM new.${name}`);
  }
  database.prepare('UPDATE main.meta SET digest = ?').run(digestRows(database));
  database.exec('COMMIT');
}

export async function refuseStore(path: string, sentence: RegExp, create = false): Promise<void> {
  const error = await openStore(path, { create }).then(
    (store) => store[Symbol.asyncDispose](),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SiteError);
  expect(String(error)).toMatch(sentence);
}

export interface Writer extends Disposable {
  /** Ids that the process has said to be revoked, as they come. */
  readonly revoked: string[];
  /** Resolves when so many more lines have come. */
  wait(count: number): Promise<void>;
  kill(): Promise<void>;
}

/** Another process that writes to the store at `path`. */
export function startWriter(path: string): Writer {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./write-store.ts', import.meta.url)), path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const exit = once(child, 'exit');
  const revoked: string[] = [];
  lines.on('line', (line) => revoked.push(...line.split(' ')));
  const wait = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left--) {
      const [line] = await Promise.race([once(lines, 'line'), exit.then(() => [])]);
      if (line === undefined) throw new Error('the writing process has ended');
    }
  };
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exit;
  };
  return { revoked, wait, kill, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}
