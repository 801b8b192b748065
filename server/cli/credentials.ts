/**
 * Owns how a new holder will be known: options for a token of the identity provider or a client certificate, in place of a
 * secret. Refuses a half of them, both, and a certificate that no connection could come with.
 */
import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { SiteError } from '../privacy/errors.ts';
import { readSmallFile } from '../privacy/files.ts';
import type { Credential } from '../privacy/grants.ts';
import type { World } from '../world.ts';
import { parser, UsageError } from './options.ts';
import { claim } from './values.ts';

export interface CredentialFlags {
  readonly tokenIssuer?: string;
  readonly tokenSubject?: string;
  readonly certificate?: string;
  readonly out?: string;
}

const certificateLimit = 65_536;

/** `instead`: what those who are known otherwise do not get. */
export function addCredentialOptions(command: Command, instead: string): Command {
  return command
    .addOption(new Option('--token-issuer <url>', `known by a token of this identity provider, ${instead}`).argParser(parser(claim)))
    .addOption(new Option('--token-subject <name>', 'the subject that those tokens name').argParser(parser(claim)))
    .addOption(new Option('--certificate <file>', `known by this client certificate (PEM), ${instead}`).conflicts(['tokenIssuer', 'tokenSubject', 'out']));
}

/** The credential that the options name; undefined: a secret is to be made. Throws UsageError and SiteError. */
export function readCredential({ tokenIssuer: issuer, tokenSubject: subject, certificate, out }: CredentialFlags, world: World): Credential | undefined {
  if (certificate !== undefined) return { type: 'certificate', fingerprint: readFingerprint(resolve(world.folder, certificate)) };
  if (issuer === undefined && subject === undefined) return undefined;
  if (issuer === undefined || subject === undefined) throw new UsageError('--token-issuer and --token-subject go together; found one of them.');
  if (out !== undefined) throw new UsageError('--out is for a secret, and whoever is known by a token gets none.');
  return { type: 'token', issuer, subject };
}

/** SHA-256 of the certificate, as a connection will be compared with it. */
function readFingerprint(path: string): string {
  const bytes = readSmallFile(path, certificateLimit);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(bytes);
  } catch {
    throw new SiteError(`The file ${path} is no certificate: expected one in PEM form, as the client will present it.`);
  }
  if (certificate.ca) throw new SiteError(`The file ${path} is the certificate of an authority; expected that of the client itself.`);
  if (certificate.validToDate.getTime() <= Date.now())
    throw new SiteError(`The certificate in ${path} expired on ${certificate.validToDate.toISOString()}; expected a valid one.`);
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}
