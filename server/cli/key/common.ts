/**
 * Owns what new keys have in common: their options, the rules that every one keeps, and how a secret reaches its holder.
 * Refuses to show a secret that went to a file, or one that the site did not keep.
 */
import { resolve } from 'node:path';
import { Option } from 'commander';
import { SiteError } from '../../privacy/errors.ts';
import type { AccessKey, Credential } from '../../privacy/grants.ts';
import { createSecret } from '../../privacy/keys.ts';
import { checkUnused } from '../../privacy/people.ts';
import { describeKey } from '../../privacy/review.ts';
import { checkDataClass } from '../../privacy/states.ts';
import { type RouteScope, routeScopes } from '../../privacy/words.ts';
import type { World } from '../../world.ts';
import { type Flags, parser } from '../options.ts';
import { type Site, withSecretFiles } from '../site.ts';
import { code, end, formatTime, listOf, models } from '../values.ts';

/** Longest life of a key, in days; also what it gets when nobody says how long. */
export const longestDays = 365;

export interface DeliveryFlags extends Flags {
  readonly expires?: number;
  readonly out?: string;
  readonly json?: true;
}

export interface KeyFlags extends DeliveryFlags {
  readonly label: string;
  readonly tenant: string;
  readonly models?: readonly string[];
  readonly routes: readonly RouteScope[];
}

/** What every key is given. */
export function keyOptions(): Option[] {
  return [
    new Option('--label <code>', 'what it is for, as scribe').argParser(parser(code)).makeOptionMandatory(),
    new Option('--tenant <code>', 'department that it belongs to').argParser(parser(code)).default('main'),
    new Option('--models <list>', 'models that it may use (default: every one of the server)').argParser(parser(models)),
    new Option('--routes <list>', `what it may ask for, of ${routeScopes.join(', ')}`)
      .argParser(parser(listOf(routeScopes)))
      .default(['chat', 'completions', 'models'], 'chat,completions,models'),
    ...deliveryOptions(`default: ${longestDays} days`),
  ];
}

/** How long it lasts and where its secret goes; `standard` is how long it lasts when nothing is said. */
export function deliveryOptions(standard: string): Option[] {
  return [
    new Option('--expires <end>', `how long it lasts, as 90d, or until when, as 2027-01-31; at most ${longestDays} days (${standard})`).argParser((text) =>
      parser(end(Date.now(), longestDays))(text),
    ),
    new Option('--out <file>', 'write the secret to this new file, which only you can read, in place of showing it'),
    new Option('--json', 'print the key as JSON, with its secret unless that goes to a file'),
  ];
}

export type Draft = Pick<AccessKey, 'label' | 'tenant' | 'data' | 'scopes' | 'isSealed' | 'expiresAt' | 'replaces'> & {
  /** Undefined: it gets a secret. */
  readonly credential?: Credential | undefined;
};

export interface IssuedKey {
  readonly key: AccessKey;
  readonly secret: string | undefined;
}

/** A key that keeps the rules of this site; nothing is stored yet. Throws SiteError. */
export function issueKey(draft: Draft, { snapshot, person }: Site, now: number): IssuedKey {
  const { credential: given, ...granted } = draft;
  if (!snapshot.tenants.some(({ code }) => code === draft.tenant)) {
    const known = snapshot.tenants.map(({ code }) => code).join(', ') || 'none';
    throw new SiteError(`There is no tenant ${draft.tenant}; expected one of: ${known}; add it first (inward tenant add ${draft.tenant}).`);
  }
  const { region } = draft.scopes;
  if (region !== undefined && region !== snapshot.policy?.region) {
    throw new SiteError(`A key for region ${region} would never be taken here: this site is in ${snapshot.policy?.region}.`);
  }
  checkDataClass(draft.data, snapshot, now);
  if (given !== undefined) checkUnused(given, snapshot);
  const { id, text, credential } = createSecret(draft.isSealed ? 'sealed' : draft.data);
  return { key: { ...granted, id, credential: given ?? credential, createdAt: now, createdBy: person }, secret: given === undefined ? text : undefined };
}

/** Lets a key count, and hands its secret out this one time. `keep` stores it. Throws SiteError. */
export async function deliverKey({ key, secret }: IssuedKey, flags: DeliveryFlags, advice: string, keep: () => Promise<void>, world: World): Promise<void> {
  const file = flags.out === undefined || secret === undefined ? undefined : resolve(world.folder, flags.out);
  await withSecretFiles(file === undefined || secret === undefined ? [] : [{ path: file, text: secret }], keep);
  if (flags.json) {
    const whereabouts = file === undefined ? { secret } : { file };
    world.out.write(`${JSON.stringify({ ...describeKey(key, key.createdAt), ...whereabouts }, undefined, 2)}\n`);
    return;
  }
  world.out.write(`The key ${key.id} (${key.label}) of tenant ${key.tenant} is made; it ends at ${formatTime(key.expiresAt)}.\n`);
  if (secret === undefined) world.out.write(`Its holder is known by the ${key.credential.type}; there is no secret.\n`);
  else if (file !== undefined) world.out.write(`Its secret is in ${file}, which only you can read. ${advice}\n`);
  else world.out.write(`Its secret is shown this once and kept nowhere. ${advice}\n\n${secret}\n`);
}
