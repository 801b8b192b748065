/**
 * Owns records for tests: agreements of each kind that break no rule, compliance keys, and snapshots of a site with them.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type Agreement, clauses } from '../../../server/privacy/agreement.ts';
import { type Envelope, hashPublicKey, signEnvelope } from '../../../server/privacy/envelope.ts';
import type { AccessKey } from '../../../server/privacy/grants.ts';
import type { Snapshot, StoredRecord, TrustedKey } from '../../../server/privacy/store.ts';

export const dayMs = 86_400_000;

export const selfOperated: Agreement = {
  id: 'agr-00000001',
  kind: 'self-operated',
  coveredEntity: { name: "St. Mary's Hospital, Inc.", id: '12-3456789' },
  associates: [],
  subcontractors: [],
  signatories: [{ name: 'Jane Roe', title: 'Privacy Officer', date: '2026-11-20' }],
  effective: '2026-11-24T00:00:00Z',
  expires: '2027-11-24T00:00:00Z',
  purposes: ['documentation', 'messaging'],
  tenants: [],
  regions: ['us-east'],
  hosts: [],
  clauses: [],
  breachReportHours: 24,
  termination: 'destroy',
  part2: false,
};

export const baa: Agreement = {
  ...selfOperated,
  id: 'agr-00000002',
  kind: 'baa',
  associates: [{ name: 'Müller Hosting GmbH & Co', id: 'HRB 1234', role: 'host' }],
  subcontractors: [{ name: 'Night Shift (Support)', id: '77-1', agreement: 'agr-99999999' }],
  signatories: [...selfOperated.signatories, { name: 'John Doe', title: 'Chief Executive', date: '2026-11-21' }],
  documentSha256: 'ab'.repeat(32),
  clauses: [...clauses],
  termination: 'return-or-destroy',
};

export const synthetic: Agreement = {
  ...selfOperated,
  id: 'agr-00000003',
  kind: 'synthetic',
  signatories: [],
  expires: '2026-12-24T00:00:00Z',
  purposes: ['evaluation'],
};

export interface Signer {
  readonly privateKey: KeyObject;
  readonly trusted: TrustedKey;
}

export function createSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { privateKey, trusted: { id: hashPublicKey(publicKey), pem, addedAt: 0, addedBy: 'c.officer' } };
}

export function wrap(record: object, type: Envelope['type'] = 'inward.agreement.v1'): Envelope {
  return { type, record: { ...record }, signatures: [] };
}

export function signed(record: object, ...signers: readonly Signer[]): Envelope {
  return signers.reduce((envelope, { privateKey }) => signEnvelope(envelope, privateKey), wrap(record));
}

export function stored(envelope: Envelope, revokedAt?: number): StoredRecord {
  return { envelope, addedAt: 1, addedBy: 'c.officer', ...(revokedAt === undefined ? {} : { revokedAt, revokedBy: 'c.officer' }) };
}

export function accessKey(data: AccessKey['data'], revokedAt?: number): AccessKey {
  return {
    id: '0123456789',
    label: 'scribe',
    tenant: 'main',
    data,
    credential: { type: 'secret', salt: '00'.repeat(16), hash: '11'.repeat(32) },
    scopes: { models: [], routes: ['chat'], purposes: ['documentation'], networks: [], priority: 'batch' },
    isSealed: false,
    createdAt: 1,
    createdBy: 'a.admin',
    revokedAt,
  };
}

/** A site in us-east that wants one signature and has nothing yet. */
export function snapshotOf(parts: Partial<Snapshot> = {}): Snapshot {
  return {
    version: 1,
    policy: { site: 'main-campus', region: 'us-east', signatures: 1 },
    trustedKeys: [],
    agreements: [],
    manifest: undefined,
    tenants: [],
    keys: [],
    people: [],
    clock: 0,
    ...parts,
  };
}
