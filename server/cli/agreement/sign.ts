/**
 * Owns `inward agreement sign`: shows what is signed, asks, and adds a signature to the file. Refuses to sign what was not
 * shown, a record that breaks a rule, and with a private key that others can read.
 */
import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { readAgreement } from '../../privacy/agreement.ts';
import { type Envelope, envelopeLimit, hashRecord, readEnvelope, readPrivateKey, signEnvelope, writeEnvelope } from '../../privacy/envelope.ts';
import { SiteError } from '../../privacy/errors.ts';
import { readSecretFile, readSmallFile, replaceFile } from '../../privacy/files.ts';
import type { World } from '../../world.ts';
import { canAsk, openAsker } from '../ask.ts';
import { type Flags, UsageError } from '../options.ts';
import { readPassphraseFile } from './passphrase.ts';
import { describeAgreement } from './words.ts';

const privateKeyLimit = 8192;

export function createSignCommand(world: World, onExit: (code: number) => void): Command {
  return new Command('sign')
    .description('Sign the record of an agreement with a compliance key, after showing what it says.')
    .argument('<file>', 'the record, as inward agreement new writes it')
    .requiredOption('--key <file>', 'the private key, in PEM form')
    .option('--passphrase-file <file>', 'take its passphrase from this file, which only you can read, in place of asking for it')
    .option('--yes', 'sign without asking')
    .addHelpText(
      'after',
      '\nExamples:\n  inward agreement sign agreement.json --key compliance.pem\n  inward agreement sign agreement.json --key compliance.pem --passphrase-file phrase.txt --yes',
    )
    .action(async (file: string, flags: Flags) => onExit(await runSign(file, flags, world)));
}

async function runSign(file: string, flags: Flags, world: World): Promise<number> {
  const path = resolve(world.folder, file);
  const shown = readRecord(path);
  const agreement = readAgreement(shown);
  const key = openKeyFile(flags, world);
  const passphrase = readPassphraseFile(flags, world);
  const needsPassphrase = key.isEncrypted && passphrase === undefined;
  if (!canAsk(world)) checkSilent(flags, needsPassphrase);
  world.out.write(`You sign:\n${describeAgreement(agreement)}${describeSigners(shown)}\nSHA-256 of the record: ${hashRecord(shown)}\n`);
  using asker = canAsk(world) && (flags['yes'] !== true || needsPassphrase) ? openAsker(world) : undefined;
  if (flags['yes'] !== true && (await asker?.confirm('Sign it?')) !== true) throw new SiteError('The record was not signed: that was not confirmed.');
  const privateKey = key.open(needsPassphrase ? await asker?.passphrase('Passphrase of the private key') : passphrase);
  const signed = addSignature(path, shown, privateKey);
  const by = signed.signatures.at(-1)?.key;
  world.out.write(`Signed by ${by}; the record has ${countOf(signed)}. Next, on the site: inward agreement add ${path}\n`);
  return 0;
}

function readRecord(path: string): Envelope {
  return readEnvelope(readSmallFile(path, envelopeLimit), `The file ${path}`);
}

interface KeyFile {
  readonly isEncrypted: boolean;
  open(passphrase: string | undefined): KeyObject;
}

function openKeyFile(flags: Flags, world: World): KeyFile {
  const path = resolve(world.folder, String(flags['key']));
  const bytes = readSecretFile(path, privateKeyLimit);
  const pem = bytes.toString('latin1');
  bytes.fill(0);
  return {
    isEncrypted: /^-----BEGIN ENCRYPTED PRIVATE KEY-----/.test(pem),
    open: (passphrase) => readPrivateKey(pem, passphrase, `The file ${path}`),
  };
}

function checkSilent(flags: Flags, needsPassphrase: boolean): void {
  const missing = [...(flags['yes'] === true ? [] : ['--yes']), ...(needsPassphrase ? ['--passphrase-file <file>'] : [])];
  if (missing.length > 0) throw new UsageError(`Without a terminal to ask on, these options must be there too: ${missing.join(', ')}`);
}

/** Another officer may have signed meanwhile; what the record says must be what was shown. */
function addSignature(path: string, shown: Envelope, privateKey: KeyObject): Envelope {
  const current = readRecord(path);
  if (hashRecord(current) !== hashRecord(shown)) throw new SiteError(`The file ${path} was changed while you read it; nothing was signed.`);
  const signed = signEnvelope(current, privateKey);
  const text = writeEnvelope(signed);
  // What could not be read again must not take the place of what can.
  readEnvelope(Buffer.from(text), 'The signed record');
  replaceFile(path, text);
  return signed;
}

function describeSigners({ signatures }: Envelope): string {
  return signatures.length === 0 ? '' : `Signed already by ${signatures.map(({ key }) => key).join(', ')} (not checked here).\n`;
}

function countOf({ signatures }: Envelope): string {
  return signatures.length === 1 ? 'one signature' : `${signatures.length} signatures`;
}
