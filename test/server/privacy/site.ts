/**
 * Owns what tests of the store share: a fresh folder for a site, and keys, people and records as an administrator would make them.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPublicKey, signEnvelope } from '../../../server/privacy/envelope.ts';
import type { AccessKey, Person, Scopes } from '../../../server/privacy/grants.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import type { Store, StoredRecord, TrustedKey } from '../../../server/privacy/store.ts';

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

/** A signed record; the store does not judge what it says, only its form. */
export function createRecord({ privateKey }: Signer, id: string, changes: Partial<StoredRecord> = {}): StoredRecord {
  const type = id.startsWith('agr-') ? 'inward.agreement.v1' : 'inward.manifest.v1';
  const envelope = signEnvelope(
    { type, record: { id, coveredEntity: { name: 'Spitäler Süd', id: 'DE-1' }, breachReportHours: 24 }, signatures: [] },
    privateKey,
  );
  return { envelope, addedAt: now, addedBy: 'setup', ...changes };
}

/** One of everything, some of it revoked. */
export async function fillStore(store: Store, count = 3): Promise<void> {
  const signer = createSigner();
  await store.setPolicy({ site: 'general', region: 'us-east', signatures: 2 });
  await store.addTrustedKey(signer.trusted);
  await store.addTenant({ code: 'cardiology', tokensPerDay: 100_000 });
  await store.addRecord(createRecord(signer, 'agr-00000001'));
  await store.addRecord(createRecord(signer, 'agr-00000002'));
  await store.addRecord(createRecord(signer, 'man-00000001'));
  await store.revokeAgreement('agr-00000001', 'setup', now + 1);
  await store.addPerson(createPerson('a.nurse'));
  await store.addPerson(createPerson('b.nurse', { roles: ['auditor', 'viewer'], credential: { type: 'token', issuer: 'https://idp.example', subject: 'b' } }));
  await store.revokePerson('b.nurse', 'a.nurse', now + 2);
  for (let i = 0; i < count; i++) {
    const key = createKey({ isSealed: i % 3 === 2 });
    await store.addKey(key);
    if (i % 2 === 0) await store.revokeKey(key.id, 'a.nurse', now + 3 + i);
  }
  await store.addUsage(20_000, [{ scope: 'tenant', id: 'cardiology', tokens: 5 }]);
  await store.keepClock(now + 4);
}
