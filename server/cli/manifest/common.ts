/**
 * Owns what the commands of the manifest share: what would be served here, how a manifest is shown, and how it
 * gets into the store. Refuses a manifest of another site, of an agreement that the site does not have, and one older than that in force.
 */
import { resolve } from 'node:path';
import type { DeviceName } from '../../../runtime/index.ts';
import { needPolicy, verifyManifest } from '../../privacy/deployment/deployment.ts';
import { type Manifest, readManifest } from '../../privacy/deployment/manifest.ts';
import { type Envelope, hashRecord } from '../../privacy/envelope.ts';
import { SiteError } from '../../privacy/errors.ts';
import type { World } from '../../world.ts';
import { type Flags, findModel, readSettings } from '../options.ts';
import { createBar } from '../progress.ts';
import { readTime, type Site } from '../site.ts';

/** What a server with these settings would use. */
export interface Target {
  readonly deviceName: DeviceName;
  readonly modelPath: string;
  readonly root: string | undefined;
  readonly onProgress: (done: number, total: number) => void;
}

/** Fetches what is missing, as a start does. `model` takes the place of the one in the settings. */
export async function findTarget(flags: Flags, model: string | undefined, world: World): Promise<Target> {
  const settings = readSettings({ ...flags, model }, world);
  const { name } = await world.ensureDevice(settings.device);
  const draw = createBar(world.err);
  return {
    deviceName: name,
    modelPath: resolve(world.folder, await findModel(settings, world)),
    root: world.hostRoot,
    onProgress: (done, total) => draw('Hashing weights', done, total),
  };
}

/** Lines for people. */
export function describeManifest({ id, site, region, host, devices, software, weights, agreement, outbound, issued }: Manifest): string {
  const rows: readonly (readonly [string, string])[] = [
    ['manifest', `${id}, of ${issued}`],
    ['site', `${site} in ${region}`],
    ['agreement', agreement],
    ['host', host],
    ...devices.map(({ address, vendor, model, serial = '' }): [string, string] => ['device', `${address} ${vendor}:${model} ${serial}`.trimEnd()]),
    ...(devices.length === 0 ? [['device', 'none'] as const] : []),
    ['program', software],
    ...weights.map(({ name, sha256 }): [string, string] => ['weights', `${sha256} ${name}`]),
    ['outbound', outbound.join(', ') || 'none'],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(11)}${value}\n`).join('');
}

/** Puts a signed manifest in force. Throws SiteError. */
export async function addManifest(envelope: Envelope, { store, snapshot, person }: Site, name: string): Promise<void> {
  const { site, region } = needPolicy(snapshot);
  const manifest = readManifest(envelope);
  verifyManifest(envelope, snapshot, name);
  if (manifest.site !== site || manifest.region !== region) {
    throw new SiteError(`${name} is for ${manifest.site} in ${manifest.region}: expected one for ${site} in ${region}; make it there (inward manifest new).`);
  }
  const agreement = snapshot.agreements.find((stored) => stored.envelope.record['id'] === manifest.agreement);
  if (agreement === undefined)
    throw new SiteError(`${name} names the agreement ${manifest.agreement}, which this site does not have: add that first (inward agreement add).`);
  if (agreement.revokedAt !== undefined)
    throw new SiteError(`${name} names the agreement ${manifest.agreement}, which was revoked: make one for an agreement in force (inward manifest new).`);
  const present = snapshot.manifest?.envelope.record['issued'];
  // One that was signed long ago, with other weights or another program, must not come back. The one form of a time sorts as text.
  if (manifest.issued < String(present ?? ''))
    throw new SiteError(`${name} is of ${manifest.issued}, and the one in force of ${present}: expected a later one; make it anew (inward manifest new).`);
  await store.addRecord({ envelope, addedAt: readTime(snapshot), addedBy: person }, snapshot.version);
}

/** What is said when a manifest has been put in force. */
export function describeAdded(envelope: Envelope): string {
  return `The manifest ${readManifest(envelope).id} is in force, SHA-256 ${hashRecord(envelope)}; a server that runs is held to it from its next start on.\n`;
}
