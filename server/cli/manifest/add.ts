/**
 * Owns `inward manifest add`.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { readRecordFile } from '../signing.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { addManifest, describeAdded } from './common.ts';

export function createManifestAddCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('add')
    .description('Put a signed manifest in force; it takes the place of the one before.')
    .argument('<file>', 'the record, signed by as many trusted keys as the site demands');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward manifest add manifest.json']))
    .action(async (file: string, flags: Flags) => onExit(await runAdd(file, flags, world)));
}

async function runAdd(file: string, flags: Flags, world: World): Promise<number> {
  const path = resolve(world.folder, file);
  await using site = await openSite(flags, world, 'manifest.write');
  const envelope = readRecordFile(path);
  await addManifest(envelope, site, `The manifest in ${path}`);
  world.out.write(describeAdded(envelope));
  return 0;
}
