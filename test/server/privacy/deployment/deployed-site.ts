/** Owns a site for tests of deployments: trusted keys, and an agreement and a manifest that they have signed. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Agreement } from '../../../../server/privacy/agreement.ts';
import type { Manifest } from '../../../../server/privacy/deployment/manifest.ts';
import { type Envelope, hashPublicKey, signEnvelope } from '../../../../server/privacy/envelope.ts';
import type { Snapshot, StoredRecord, TrustedKey } from '../../../../server/privacy/store.ts';

export interface Signer {
  readonly privateKey: KeyObject;
  readonly trusted: TrustedKey;
}

export function createSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { privateKey, trusted: { id: hashPublicKey(publicKey), pem, addedAt: 1, addedBy: 'c.jones' } };
}

export function signRecord(type: Envelope['type'], record: object, ...signers: readonly Signer[]): StoredRecord {
  const unsigned: Envelope = { type, record: { ...record }, signatures: [] };
  return { envelope: signers.reduce((envelope, { privateKey }) => signEnvelope(envelope, privateKey), unsigned), addedAt: 1, addedBy: 'c.jones' };
}

/** In force through the year 2026. */
export function createAgreement(changes: Partial<Agreement> = {}): Agreement {
  return {
    id: 'agr-8w2n5c1x',
    kind: 'self-operated',
    coveredEntity: { name: 'North Hospital', id: '12-3456789' },
    associates: [],
    subcontractors: [],
    signatories: [{ name: 'J. Roe', title: 'Privacy Officer', date: '2025-12-20' }],
    effective: '2026-01-01T00:00:00Z',
    expires: '2027-01-01T00:00:00Z',
    purposes: ['documentation'],
    tenants: [],
    regions: ['us-east'],
    hosts: [],
    clauses: [],
    breachReportHours: 24,
    termination: 'destroy',
    part2: false,
    ...changes,
  };
}

/** What is in force at a site in us-east. */
export function createSnapshot(signer: Signer, manifest: Manifest | undefined, agreements: readonly Agreement[] = [createAgreement()]): Snapshot {
  return {
    version: 1,
    policy: { site: 'north-hospital', region: 'us-east', signatures: 1 },
    trustedKeys: [signer.trusted],
    agreements: agreements.map((agreement) => signRecord('inward.agreement.v1', agreement, signer)),
    manifest: manifest && signRecord('inward.manifest.v1', manifest, signer),
    tenants: [],
    keys: [],
    people: [],
    clock: 0,
  };
}
