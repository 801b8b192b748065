/**
 * Owns a site for programs that embed the engine: what `npm start` would have made, without starting a server.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureEvaluation } from '../../server/evaluation.ts';
import { openStore } from '../../server/privacy/store/sqlite.ts';

export interface EvaluationSite extends Disposable {
  /** For a program's environment. */
  readonly environment: { readonly INWARD_SITE: string; readonly INWARD_API_KEY: string };
}

export async function createEvaluationSite(): Promise<EvaluationSite> {
  const top = mkdtempSync(join(tmpdir(), 'inward-embedded-'));
  const site = join(top, 'site');
  await using store = await openStore(join(site, 'inward.sqlite'), { create: true });
  const key = await ensureEvaluation(store, site, Date.now());
  return {
    environment: { INWARD_SITE: site, INWARD_API_KEY: key ?? '' },
    [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }),
  };
}
