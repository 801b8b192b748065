/**
 * Owns where a site keeps its agreements, keys and manifest.
 */
import { join } from 'node:path';
import { SiteError } from './errors.ts';

/** The store within the folder. */
export const storeFile = 'inward.sqlite';

/** `--site`, else inward in the state folder of this user. Throws SiteError where neither is known. */
export function findSiteFolder(given: string | undefined, environment: Readonly<Record<string, string | undefined>>): string {
  if (given !== undefined) return given;
  const { XDG_STATE_HOME: state, HOME: home, USERPROFILE: profile } = environment;
  if (state !== undefined && state !== '') return join(state, 'inward');
  const base = home || profile;
  if (!base) throw new SiteError('There is no home folder to keep agreements and keys in: name one with --site.');
  return join(base, '.local', 'state', 'inward');
}
