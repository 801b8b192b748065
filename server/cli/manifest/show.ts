/**
 * Owns `inward manifest show`: the manifest in force, or one in a file that may not be signed yet.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { readManifest } from '../../privacy/deployment/manifest.ts';
import { type Envelope, hashRecord } from '../../privacy/envelope.ts';
import { SiteError } from '../../privacy/errors.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { readRecordFile } from '../signing.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { describeManifest } from './common.ts';

export function createManifestShowCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('show')
    .description('Show the manifest in force, or one in a file.')
    .argument('[file]', 'a record, signed or not; its signatures are not checked')
    .option('--json', 'print it as JSON');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward manifest show', 'inward manifest show manifest.json --json']))
    .action(async (file: string | undefined, flags: Flags) => onExit(await runShow(file, flags, world)));
}

async function runShow(file: string | undefined, flags: Flags, world: World): Promise<number> {
  const shown = file === undefined ? await readStored(flags, world) : { envelope: readRecordFile(resolve(world.folder, file)) };
  const { envelope, ...added } = shown;
  const [manifest, sha256] = [readManifest(envelope), hashRecord(envelope)];
  const signers = envelope.signatures.map(({ key }) => key);
  if (flags['json'] === true) world.out.write(`${JSON.stringify({ manifest, sha256, signers, ...added }, undefined, 2)}\n`);
  else world.out.write(`${describeManifest(manifest)}  ${'signed by'.padEnd(11)}${signers.join(', ') || 'nobody yet'}\n  ${'SHA-256'.padEnd(11)}${sha256}\n`);
  return 0;
}

async function readStored(flags: Flags, world: World): Promise<{ readonly envelope: Envelope; readonly addedAt: string; readonly addedBy: string }> {
  await using site = await openSite(flags, world, 'status.read');
  const { manifest } = site.snapshot;
  if (manifest === undefined)
    throw new SiteError('This site has no manifest in force: expected one, found none; make it (inward manifest new --key FILE --add).');
  return { envelope: manifest.envelope, addedAt: new Date(manifest.addedAt).toISOString(), addedBy: manifest.addedBy };
}
