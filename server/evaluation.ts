/**
 * Owns what `npm start` sets up so that a first look needs no paper: a synthetic agreement of 30 days and one key for synthetic
 * data, on a site that has no real agreement. The signing key exists for that one signature. Refuses to touch a site that
 * has been set up for PHI.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Agreement, endOf } from './privacy/agreement.ts';
import { type Envelope, hashPublicKey, signEnvelope } from './privacy/envelope.ts';
import { readSecretFile, writeNewFile } from './privacy/files.ts';
import type { AccessKey } from './privacy/grants.ts';
import { createSecret, parseSecret } from './privacy/keys.ts';
import type { Snapshot, Store } from './privacy/store.ts';
import { evaluationRegion } from './privacy/view.ts';

/** Days that a synthetic agreement lasts. */
const evaluationDays = 30;
const dayMs = 86_400_000;
const tenantCode = 'main';
/** Who did it, where the program did. */
const author = 'setup';
const keyFile = 'evaluation.key';

/** Makes what is missing. Gives the key; undefined where the site is one for PHI and nothing was made. Throws SiteError. */
export async function ensureEvaluation(store: Store, folder: string, now: number): Promise<string | undefined> {
  const snapshot = await store.load();
  if (snapshot.keys.some(({ data, revokedAt }) => data === 'phi' && revokedAt === undefined)) return undefined;
  if (snapshot.policy !== undefined || snapshot.agreements.some(({ envelope }) => envelope.record['kind'] !== 'synthetic')) return undefined;
  if (!hasAgreement(snapshot, now)) await addAgreement(store, snapshot, now);
  if (!snapshot.tenants.some(({ code }) => code === tenantCode)) await store.addTenant({ code: tenantCode }, author, now);
  return readKey(snapshot, folder, now) ?? (await addKey(store, folder, now));
}

function hasAgreement({ agreements }: Snapshot, now: number): boolean {
  return agreements.some(({ envelope, revokedAt }) => revokedAt === undefined && endOf(envelope.record as unknown as Agreement) > now);
}

async function addAgreement(store: Store, { agreements }: Snapshot, now: number): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const party = { name: 'Evaluation', id: 'none' };
  const agreement: Agreement = {
    id: `agr-${randomBytes(8).toString('hex')}`,
    kind: 'synthetic',
    coveredEntity: party,
    associates: [],
    subcontractors: [],
    signatories: [{ name: 'Evaluation', title: 'none', date: formatTime(now).slice(0, 10) }],
    effective: formatTime(now),
    expires: formatTime(now + evaluationDays * dayMs),
    purposes: ['evaluation'],
    tenants: [],
    regions: [evaluationRegion],
    hosts: [],
    clauses: [],
    breachReportHours: 24,
    termination: 'destroy',
    part2: false,
  };
  const envelope: Envelope = { type: 'inward.agreement.v1', record: { ...agreement }, signatures: [] };
  for (const { envelope: old, revokedAt } of agreements) if (revokedAt === undefined) await store.revokeAgreement(String(old.record['id']), author, now);
  await store.addTrustedKey({
    id: hashPublicKey(publicKey),
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    addedAt: now,
    addedBy: author,
  });
  await store.addRecord({ envelope: signEnvelope(envelope, privateKey), addedAt: now, addedBy: author });
}

/** The key of an earlier start, if it is good still. */
function readKey({ keys }: Snapshot, folder: string, now: number): string | undefined {
  const path = join(folder, keyFile);
  if (!existsSync(path)) return undefined;
  const text = readSecretFile(path, 200).toString('latin1').trim();
  const id = parseSecret(text)?.id;
  return keys.some((key) => key.id === id && key.revokedAt === undefined && (key.expiresAt ?? 0) > now) ? text : undefined;
}

async function addKey(store: Store, folder: string, now: number): Promise<string> {
  const { id, text, credential } = createSecret('synthetic');
  const key: AccessKey = {
    id,
    label: 'evaluation',
    tenant: tenantCode,
    data: 'synthetic',
    credential,
    scopes: {
      models: [],
      routes: ['chat', 'completions', 'models', 'metrics'],
      purposes: ['evaluation'],
      networks: ['127.0.0.0/8', '::1'],
      priority: 'interactive',
    },
    isSealed: false,
    createdAt: now,
    createdBy: author,
    expiresAt: now + 10 * 365 * dayMs,
  };
  await store.addKey(key);
  const path = join(folder, keyFile);
  rmSync(path, { force: true });
  writeNewFile(path, `${text}\n`, 0o600);
  return text;
}

/** UTC to the second. */
function formatTime(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
