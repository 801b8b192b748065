/**
 * Owns what the server shows and trusts in TLS, read from files: certificate, private key, authorities of client
 * certificates. Refuses TLS before 1.2, renegotiation, resumption (a resumed session would outlive the client's certificate,
 * or an authority that was taken away), a pair that does not fit, and a certificate whose time is not now.
 */
import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Settings } from './config.ts';
import { FileError, type FileRules, readGuardedFile } from './privacy/watched.ts';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
  readonly minVersion: Settings['tlsMinVersion'];
}

export interface Identity {
  readonly context: SecureContextOptions;
  /** End of the certificate, in ms of the epoch. */
  readonly end: number;
}

const certificateRules: FileRules = { what: 'The certificate', limit: 2 ** 18 };
const keyRules: FileRules = { what: 'The private key', limit: 2 ** 16, isSecret: true };
const clientCaRules: FileRules = { what: 'The authority of client certificates', limit: 2 ** 20 };

/** What the server shows and trusts, from files that were all judged. Throws FileError. */
export function readIdentity({ cert, key, clientCa, minVersion }: TlsFiles, now: number): Identity {
  const chain = readGuardedFile(cert, certificateRules).toString('latin1');
  const [leaf] = readCertificates(chain, certificateRules, cert);
  const secret = readGuardedFile(key, keyRules);
  checkPair(leaf, cert, secret, key);
  checkDates(leaf, cert, now);
  const context: SecureContextOptions = {
    cert: chain,
    key: secret,
    minVersion: `TLSv${minVersion}`,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
    ...(clientCa === undefined ? {} : { ca: readAuthorities(clientCa) }),
  };
  try {
    createSecureContext(context);
  } catch {
    throw new FileError('form', certificateRules, cert, 'expected a key that OpenSSL takes for TLS (RSA of 2048 bits or more, ECDSA, Ed25519), found another');
  }
  return { context, end: leaf.validToDate.getTime() };
}

/** Up to their roots: OpenSSL takes no chain that ends before, and with one missing nobody would get in. */
function readAuthorities(path: string): string[] {
  const all = readCertificates(readGuardedFile(path, clientCaRules).toString('latin1'), clientCaRules, path);
  const refuse = (reason: string): FileError => new FileError('form', clientCaRules, path, reason);
  for (const [index, certificate] of all.entries()) {
    if (!certificate.ca) throw refuse(`expected certificates of authorities only, found that number ${index + 1} is none`);
    if (!all.some((other) => certificate.checkIssued(other)))
      throw refuse(`expected authorities up to the root, found number ${index + 1} without the one above it`);
  }
  return all.map(String);
}

function readCertificates(text: string, rules: FileRules, path: string): [X509Certificate, ...X509Certificate[]] {
  const refuse = (found: string): FileError => new FileError('form', rules, path, `expected certificates in PEM form and nothing else, found ${found}`);
  if (text.includes('PRIVATE KEY-----')) throw refuse('a private key, which belongs in a file of its own');
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  let first: X509Certificate | undefined;
  let rest: X509Certificate[];
  try {
    [first, ...rest] = blocks.map((block) => new X509Certificate(block));
  } catch {
    throw refuse('one that is broken');
  }
  if (first === undefined) throw refuse('none');
  return [first, ...rest];
}

function checkPair(leaf: X509Certificate, cert: string, secret: Buffer, key: string): void {
  let privateKey: KeyObject;
  try {
    // OpenSSL would ask the terminal for a passphrase that is not given.
    privateKey = createPrivateKey({ key: secret, format: 'pem', passphrase: '' });
  } catch {
    throw new FileError('form', keyRules, key, 'expected a private key in PEM form without a passphrase, found something else');
  }
  if (leaf.checkPrivateKey(privateKey)) return;
  throw new FileError('mismatch', certificateRules, cert, `expected the one of the private key ${key} as the first in the file, found another`);
}

function checkDates({ validFromDate: from, validToDate: to }: X509Certificate, cert: string, now: number): void {
  if (now >= from.getTime() && now <= to.getTime()) return;
  const found = now < from.getTime() ? `begins at ${from.toISOString()}` : `ended at ${to.toISOString()}`;
  throw new FileError('dates', certificateRules, cert, `expected one that is valid now, found one that ${found}; renew it, or set the clock right`);
}
