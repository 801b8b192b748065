/**
 * Owns `inward agreement keygen` and `trust`: the compliance key that signs agreements, and whose signatures count on a site.
 * Refuses to write over a file, a private key where a public one is wanted, and two keys of one person where two people must sign.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { hashPublicKey, readPublicKey } from '../../privacy/envelope.ts';
import { SiteError } from '../../privacy/errors.ts';
import { readSmallFile, writeNewFile } from '../../privacy/files.ts';
import type { Snapshot } from '../../privacy/store.ts';
import type { World } from '../../world.ts';
import { canAsk, openAsker } from '../ask.ts';
import { type Flags, UsageError } from '../options.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { askNewPassphrase, judgePassphrase, readPassphraseFile } from './passphrase.ts';

const publicKeyLimit = 4096;

export function createKeygenCommand(world: World, onExit: (code: number) => void): Command {
  return new Command('keygen')
    .description('Make a compliance key (Ed25519): a private file that signs, and a public one beside it (.pub) that a site is told to trust.')
    .requiredOption('--out <file>', 'new file for the private key')
    .option('--passphrase-file <file>', 'take the passphrase from this file, which only you can read, in place of asking for it')
    .addOption(new Option('--no-passphrase', 'leave the private key without one').conflicts('passphraseFile'))
    .addHelpText(
      'after',
      '\nExamples:\n  inward agreement keygen --out compliance.pem\n  inward agreement keygen --out compliance.pem --passphrase-file phrase.txt',
    )
    .action(async (flags: Flags) => onExit(await runKeygen(flags, world)));
}

async function runKeygen(flags: Flags, world: World): Promise<number> {
  const path = resolve(world.folder, String(flags['out']));
  const publicPath = `${path}.pub`;
  for (const file of [path, publicPath]) {
    if (existsSync(file)) throw new SiteError(`The file ${file} is there already and is not overwritten; name another one.`);
  }
  const passphrase = await choosePassphrase(flags, world);
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  writeNewFile(path, exportPrivate(privateKey, passphrase), 0o600);
  try {
    writeNewFile(publicPath, publicKey.export({ type: 'spki', format: 'pem' }).toString(), 0o644);
  } catch (error) {
    rmSync(path);
    throw error;
  }
  world.out.write(
    `The compliance key ${hashPublicKey(publicKey)} is made.
  private  ${path}
  public   ${publicPath}
The private file belongs to the compliance officer: take it off this machine, and keep a copy in a safe.
The public one goes to the site: inward agreement trust ${publicPath}
`,
  );
  return 0;
}

/** Undefined: none is wanted. */
async function choosePassphrase(flags: Flags, world: World): Promise<string | undefined> {
  if (flags['passphrase'] === false) return undefined;
  const given = readPassphraseFile(flags, world);
  if (given === undefined) {
    if (!canAsk(world)) throw new UsageError('Without a terminal to ask on, this needs --passphrase-file or --no-passphrase.');
    using asker = openAsker(world);
    return await askNewPassphrase(asker, world);
  }
  const flaw = judgePassphrase(given);
  if (flaw !== undefined) throw new SiteError(`The passphrase cannot be used: expected ${flaw}.`);
  return given;
}

function exportPrivate(key: KeyObject, passphrase: string | undefined): string {
  const form = { type: 'pkcs8', format: 'pem' } as const;
  return key.export(passphrase === undefined ? form : { ...form, cipher: 'aes-256-cbc', passphrase }).toString();
}

export function createTrustCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('trust')
    .description('Let the signatures of a compliance key count on this site.')
    .argument('<file>', 'the public key, in PEM form');
  return addSiteOptions(command)
    .addHelpText('after', '\nExamples:\n  inward agreement trust compliance.pem.pub')
    .action(async (file: string, flags: Flags) => onExit(await runTrust(file, flags, world)));
}

/** The public key in a file, and its id. Throws SiteError. */
export function readTrustedFile(path: string): ReturnType<typeof readPublicKey> {
  return readPublicKey(readSmallFile(path, publicKeyLimit).toString('latin1'), `The file ${path}`);
}

async function runTrust(file: string, flags: Flags, world: World): Promise<number> {
  const { id, pem } = readTrustedFile(resolve(world.folder, file));
  await using site = await openSite(flags, world, 'agreement.write');
  const snapshot = await site.store.load();
  checkOneEach(site.person, snapshot);
  await site.store.addTrustedKey({ id, pem, addedAt: Date.now(), addedBy: site.person }, snapshot.version);
  world.out.write(`Signatures of ${id} count on this site from now on.\n`);
  return 0;
}

/** Where two must sign, nobody lets two keys count: one person could hold both. */
function checkOneEach(person: string, { policy, trustedKeys }: Snapshot): void {
  const known = trustedKeys.find(({ addedBy }) => addedBy === person);
  if (policy?.signatures !== 2 || known === undefined) return;
  throw new SiteError(
    `This site needs the signatures of two people, and ${person} has let ${known.id} count already: expected another compliance person to trust the second key.`,
  );
}
