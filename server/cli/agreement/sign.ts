/**
 * Owns `inward agreement sign`: shows what is signed, asks, and adds a signature to the file. Refuses a record that breaks a rule.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { readAgreement } from '../../privacy/agreement.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { addSigningOptions, createSigner, describeSigned, signFile } from '../signing.ts';
import { describeAgreement } from './words.ts';

export function createSignCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('sign')
    .description('Sign the record of an agreement with a compliance key, after showing what it says.')
    .argument('<file>', 'the record, as inward agreement new writes it')
    .requiredOption('--key <file>', 'the private key, in PEM form');
  return addSigningOptions(command)
    .addHelpText(
      'after',
      formatExamples([
        'inward agreement sign agreement.json --key compliance.pem',
        'inward agreement sign agreement.json --key compliance.pem --passphrase-file phrase.txt --yes',
      ]),
    )
    .action(async (file: string, flags: Flags) => onExit(await runSign(file, flags, world)));
}

async function runSign(file: string, flags: Flags, world: World): Promise<number> {
  const path = resolve(world.folder, file);
  const signed = await signFile(path, createSigner(flags, world), (envelope) => describeAgreement(readAgreement(envelope)));
  world.out.write(`${describeSigned(signed)} Next, on the site: inward agreement add ${path}\n`);
  return 0;
}
