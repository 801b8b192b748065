/**
 * Owns how a command gets the passphrase of a private key: from a file that only its owner can read, or asked for without
 * being shown. Never from an option, which everybody on the machine could read.
 */
import { resolve } from 'node:path';
import { SiteError } from '../../privacy/errors.ts';
import { readSecretFile } from '../../privacy/files.ts';
import type { World } from '../../world.ts';
import type { Asker } from '../ask.ts';
import type { Flags } from '../options.ts';

/** The form of encrypted keys tries guesses fast, so that a short one would be found. */
const shortest = 12;
const limit = 512;

/** The passphrase in the file of --passphrase-file; undefined without that option. Throws SiteError. */
export function readPassphraseFile(flags: Flags, world: World): string | undefined {
  const file = flags['passphraseFile'];
  if (typeof file !== 'string') return undefined;
  const path = resolve(world.folder, file);
  const bytes = readSecretFile(path, limit);
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  bytes.fill(0);
  if (text === '' || /[\r\n\ufffd]/.test(text)) throw new SiteError(`The file ${path} has no passphrase: expected one line of text in UTF-8.`);
  return text;
}

/** Why a passphrase is not good enough for a new key; undefined: it is. */
export function judgePassphrase(text: string): string | undefined {
  const { length } = [...text];
  return length < shortest || Buffer.byteLength(text) >= limit ? `at least ${shortest} characters, and less than ${limit} bytes; found ${length}` : undefined;
}

/** Asks twice for a new one. */
export async function askNewPassphrase(asker: Asker, world: World): Promise<string> {
  for (;;) {
    const text = await asker.passphrase(`Passphrase for the private key, at least ${shortest} characters`);
    const flaw = judgePassphrase(text);
    if (flaw === undefined && (await asker.passphrase('The same again')) === text) return text;
    world.out.write(flaw === undefined ? 'The two are not the same.\n' : `Expected ${flaw}.\n`);
  }
}
