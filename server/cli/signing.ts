/**
 * Owns the signing of a record by a command: shows what is signed, asks, takes the private key and its passphrase, signs.
 * Refuses a private key that others can read, to sign without a yes, and what was not shown.
 */
import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type Envelope, envelopeLimit, hashRecord, readEnvelope, readPrivateKey, signEnvelope, writeEnvelope } from '../privacy/envelope.ts';
import { SiteError } from '../privacy/errors.ts';
import { readSecretFile, readSmallFile, replaceFile } from '../privacy/files.ts';
import type { World } from '../world.ts';
import { readPassphraseFile } from './agreement/passphrase.ts';
import { canAsk, openAsker } from './ask.ts';
import { type Flags, UsageError } from './options.ts';

const privateKeyLimit = 8192;

/** Adds what goes with --key. */
export function addSigningOptions(command: Command): Command {
  return command
    .option('--passphrase-file <file>', 'take the passphrase of the key from this file, which only you can read, in place of asking for it')
    .option('--yes', 'sign without asking');
}

export interface Signer {
  /** Shows what would be signed and asks; gives the private key. `shown`: lines that tell what the record says. Throws SiteError. */
  unlock(envelope: Envelope, shown: string): Promise<KeyObject>;
}

/** With the private key in --key. Throws at once for what would make signing impossible later. */
export function createSigner(flags: Flags, world: World): Signer {
  const key = openKeyFile(flags, world);
  const given = readPassphraseFile(flags, world);
  const needsPassphrase = key.isEncrypted && given === undefined;
  const isSure = flags['yes'] === true;
  if (!canAsk(world)) {
    const missing = [...(isSure ? [] : ['--yes']), ...(needsPassphrase ? ['--passphrase-file <file>'] : [])];
    if (missing.length > 0) throw new UsageError(`Without a terminal to ask on, these options must be there too: ${missing.join(', ')}`);
  }
  return {
    unlock: async (envelope, shown) => {
      world.out.write(`You sign:\n${shown}${describeSigners(envelope)}SHA-256 of the record: ${hashRecord(envelope)}\n`);
      using asker = isSure && !needsPassphrase ? undefined : openAsker(world);
      if (!isSure && (await asker?.confirm('Sign it?')) !== true) throw new SiteError('The record was not signed: that was not confirmed.');
      return key.open(needsPassphrase ? await asker?.passphrase('Passphrase of the private key') : given);
    },
  };
}

/** Adds a signature to a record in a file. `describe`: lines that tell what it says; throws for what must not be signed. Throws SiteError. */
export async function signFile(path: string, signer: Signer, describe: (envelope: Envelope) => string): Promise<Envelope> {
  const shown = readRecordFile(path);
  const privateKey = await signer.unlock(shown, describe(shown));
  // Somebody else may have signed meanwhile; what it says must be what was shown.
  const current = readRecordFile(path);
  if (hashRecord(current) !== hashRecord(shown)) throw new SiteError(`The file ${path} was changed while you read it; nothing was signed, look at it again.`);
  const signed = signEnvelope(current, privateKey);
  const text = writeEnvelope(signed);
  // What could not be read again must not take the place of what can.
  readEnvelope(Buffer.from(text), 'The signed record');
  replaceFile(path, text);
  return signed;
}

/** The record in a file, whose signatures are not judged. Throws SiteError. */
export function readRecordFile(path: string): Envelope {
  return readEnvelope(readSmallFile(path, envelopeLimit), `The file ${path}`);
}

/** What is said when a record has been signed. */
export function describeSigned({ signatures }: Envelope): string {
  return `Signed by ${signatures.at(-1)?.key}; the record has ${signatures.length === 1 ? 'one signature' : `${signatures.length} signatures`}.`;
}

interface KeyFile {
  readonly isEncrypted: boolean;
  open(passphrase: string | undefined): KeyObject;
}

function openKeyFile(flags: Flags, world: World): KeyFile {
  const path = resolve(world.folder, String(flags['key']));
  // Others may read that one, so that it must be told before modes are.
  if (readSmallFile(path, privateKeyLimit).includes('-----BEGIN PUBLIC KEY-----'))
    throw new SiteError(`The file ${path} is a public key, which signs nothing: expected the private one (as agreement keygen writes it, without .pub).`);
  const bytes = readSecretFile(path, privateKeyLimit);
  const pem = bytes.toString('latin1');
  bytes.fill(0);
  return {
    isEncrypted: /^-----BEGIN ENCRYPTED PRIVATE KEY-----/.test(pem),
    open: (passphrase) => readPrivateKey(pem, passphrase, `The file ${path}`),
  };
}

function describeSigners({ signatures }: Envelope): string {
  return signatures.length === 0 ? '' : `Signed already by ${signatures.map(({ key }) => key).join(', ')} (not checked here).\n`;
}
