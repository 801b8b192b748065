/**
 * Owns sites for tests: a store in memory, a signer, and agreements, keys and people in it as a test wants them.
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import type { Agreement } from '../../../server/privacy/agreement.ts';
import type { Manifest } from '../../../server/privacy/deployment/manifest.ts';
import { type Envelope, hashPublicKey, signEnvelope } from '../../../server/privacy/envelope.ts';
import type { AccessKey, Person, Scopes } from '../../../server/privacy/grants.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import type { Store } from '../../../server/privacy/store.ts';
import type { Role } from '../../../server/privacy/words.ts';

export const day = 86_400_000;
/** When the tests' agreements begin: a Wednesday, noon UTC. */
export const begin: number = Date.UTC(2026, 10, 25, 12);

export const formatTime = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`;

export interface TestSite {
  readonly store: Store;
  readonly privateKey: KeyObject;
  /** Adds an agreement that is in force from `begin` for 100 days; gives its id. */
  agree(changes?: Partial<Agreement>): Promise<string>;
  /** Adds a manifest that names an agreement. */
  deploy(agreement: string, changes?: Partial<Manifest>): Promise<void>;
  /** Adds a key; gives its secret and id. */
  key(changes?: Partial<Omit<AccessKey, 'scopes'>> & { readonly scopes?: Partial<Scopes> }): Promise<{ readonly text: string; readonly id: string }>;
  person(id: string, ...roles: Role[]): Promise<string>;
}

/** A site with the tenants `main` and `lab`, in region `us-east`; without agreement and keys. */
export async function createSite(store?: Store): Promise<TestSite> {
  const site = store ?? (await openStore(':memory:'));
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const by = { addedAt: begin, addedBy: 'test-setup' };
  await site.setPolicy({ site: 'test-site', region: 'us-east', signatures: 1 }, 'test-setup', begin);
  await site.addTrustedKey({ id: hashPublicKey(publicKey), pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(), ...by });
  for (const code of ['main', 'lab']) await site.addTenant({ code }, 'test-setup', begin);
  const add = (envelope: Envelope): Promise<void> => site.addRecord({ envelope: signEnvelope(envelope, privateKey), ...by });
  return {
    store: site,
    privateKey,
    agree: async (changes = {}) => {
      const record = { ...createAgreement(), ...changes };
      await add({ type: 'inward.agreement.v1', record, signatures: [] });
      return record.id;
    },
    deploy: (agreement, changes = {}) => add({ type: 'inward.manifest.v1', record: { ...createManifest(agreement), ...changes }, signatures: [] }),
    key: async ({ scopes, ...changes } = {}) => {
      const kind = changes.isSealed === true ? 'sealed' : (changes.data ?? 'phi');
      const { id, text, credential } = createSecret(kind);
      await site.addKey({ ...createKey(id), credential, ...changes, scopes: { ...standardScopes, ...scopes } });
      return { id, text };
    },
    person: async (id, ...roles) => {
      const { text, credential } = createSecret('person');
      const person: Person = { id, roles, credential, createdAt: begin, createdBy: 'test-setup' };
      await site.addPerson(person);
      return text;
    },
  };
}

const standardScopes: Scopes = { models: [], routes: ['chat', 'completions', 'models'], purposes: ['documentation'], networks: [], priority: 'interactive' };

function createKey(id: string): Omit<AccessKey, 'credential'> {
  return { id, label: 'test', tenant: 'main', data: 'phi', scopes: standardScopes, isSealed: false, createdAt: begin, createdBy: 'test-setup' };
}

/** Between a hospital and itself, for all its departments. */
export function createAgreement(): Agreement & Record<string, unknown> {
  return {
    id: `agr-${randomBytes(6).toString('hex')}`,
    kind: 'self-operated',
    coveredEntity: { name: 'Example Hospital', id: '12-3456789' },
    associates: [],
    subcontractors: [],
    signatories: [{ name: 'C. Officer', title: 'Compliance Officer', date: '2026-11-20' }],
    effective: formatTime(begin),
    expires: formatTime(begin + 100 * day),
    documentSha256: 'ab'.repeat(32),
    purposes: ['documentation', 'messaging'],
    tenants: [],
    regions: ['us-east'],
    hosts: [],
    clauses: [],
    breachReportHours: 24,
    termination: 'destroy',
    part2: false,
  };
}

const testHost: string = 'cd'.repeat(32);

function createManifest(agreement: string): Manifest & Record<string, unknown> {
  return {
    id: `mf-${randomBytes(6).toString('hex')}`,
    site: 'test-site',
    region: 'us-east',
    host: testHost,
    devices: [],
    software: 'ef'.repeat(32),
    weights: [],
    agreement,
    outbound: [],
    issued: formatTime(begin),
  };
}

/** A clock that a test turns: wall and monotonic time go together until the wall clock is set. */
export class TestClock {
  #wall: number;
  #monotonic = 1000;

  constructor(start: number = begin + 60_000) {
    this.#wall = start;
  }

  readonly wall = (): number => this.#wall;
  readonly monotonic = (): number => this.#monotonic;

  pass(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }

  /** Somebody sets the clock on the wall. */
  step(ms: number): void {
    this.#wall += ms;
  }
}
