/**
 * Owns the site of a proof: what an evaluation has, and a person who may see metrics and state. It is made for one proof and thrown away.
 */
import { join } from 'node:path';
import { ensureEvaluation } from '../evaluation.ts';
import { SiteError } from '../privacy/errors.ts';
import { storeFile } from '../privacy/folder.ts';
import { createSecret } from '../privacy/keys.ts';
import { openStore } from '../privacy/store/sqlite.ts';

export interface ProofSite {
  /** Bearer tokens: of a program, and of the person. */
  readonly key: string;
  readonly auditor: string;
}

export async function prepareSite(folder: string): Promise<ProofSite> {
  await using store = await openStore(join(folder, storeFile), { create: true });
  const now = Date.now();
  const key = await ensureEvaluation(store, folder, now);
  if (key === undefined) throw new SiteError('The site of the proof has no key: expected a new folder, found one in use.');
  const { text, credential } = createSecret('person');
  await store.addPerson({ id: 'prover', roles: ['auditor'], credential, createdAt: now, createdBy: 'setup' });
  return { key, auditor: text };
}
