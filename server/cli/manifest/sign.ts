/**
 * Owns `inward manifest sign`: shows what is signed, asks, and adds a signature to the file.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { readManifest } from '../../privacy/deployment/manifest.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { addSigningOptions, createSigner, describeSigned, signFile } from '../signing.ts';
import { describeManifest } from './common.ts';

export function createManifestSignCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('sign')
    .description('Sign a manifest with a compliance key, after showing what it says.')
    .argument('<file>', 'the record, as inward manifest new writes it')
    .requiredOption('--key <file>', 'the private key, in PEM form');
  return addSigningOptions(command)
    .addHelpText('after', formatExamples(['inward manifest sign manifest.json --key compliance.pem']))
    .action(async (file: string, flags: Flags) => onExit(await runSign(file, flags, world)));
}

async function runSign(file: string, flags: Flags, world: World): Promise<number> {
  const path = resolve(world.folder, file);
  const signed = await signFile(path, createSigner(flags, world), (envelope) => describeManifest(readManifest(envelope)));
  world.out.write(`${describeSigned(signed)} Next, on the site: inward manifest add ${path}\n`);
  return 0;
}
