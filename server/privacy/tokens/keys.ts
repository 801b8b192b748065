/**
 * Owns the set of public keys that an identity provider signs tokens with (JWKS, RFC 7517), read from a file. Refuses the
 * whole file for a key that has a private part, is weak or of a kind that is not taken here, or whose name is missing or
 * there twice. Keys for something else than signatures are left out.
 */
import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { SiteError } from '../errors.ts';
import { readStrictJson } from '../json.ts';
import { FileError, type FileRules, readGuardedFile } from '../watched.ts';
import { forms } from '../words.ts';

/** Signatures that are taken: none without a key, none with a shared secret. */
export const tokenAlgorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const;
export type TokenAlgorithm = (typeof tokenAlgorithms)[number];

export interface TokenKey {
  readonly key: KeyObject;
  readonly algorithms: readonly TokenAlgorithm[];
}

/** By the name that tokens call them (`kid`). */
export type TokenKeys = ReadonlyMap<string, TokenKey>;

const rules: FileRules = { what: 'The file of token keys', limit: 2 ** 18 };

const fileSchema = z.looseObject({ keys: z.array(z.looseObject({})).min(1).max(64) });

const base64url = z
  .string()
  .max(2048)
  .regex(/^[A-Za-z0-9_-]+$/);
const named = { kid: z.string().regex(forms.claim), alg: z.enum(tokenAlgorithms).optional() };
const keySchema = z.discriminatedUnion('kty', [
  z.object({ ...named, kty: z.literal('RSA'), n: base64url, e: base64url }),
  z.object({ ...named, kty: z.literal('EC'), crv: z.enum(['P-256', 'P-384']), x: base64url, y: base64url }),
  z.object({ ...named, kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: base64url }),
]);
type PublicJwk = z.infer<typeof keySchema>;

/** Members that only private and shared keys have (RFC 7518, 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const smallestModulus = 2048;
const largestModulus = 8192;

/** Throws FileError. */
export function readTokenKeys(path: string): TokenKeys {
  const refuse = (reason: string): FileError => new FileError('form', rules, path, reason);
  const keys = new Map<string, TokenKey>();
  for (const [index, entry] of readEntries(path, refuse).entries()) {
    const place = `key number ${index + 1}`;
    if (privateMembers.some((member) => Object.hasOwn(entry, member))) throw refuse(`expected public keys only, found a private part in ${place}`);
    if (!isForSignatures(entry)) continue;
    const { success, data: jwk } = keySchema.safeParse(entry);
    if (!success) throw refuse(`expected RSA, EC (P-256, P-384) and Ed25519 keys with a kid, found that ${place} is none`);
    if (keys.has(jwk.kid)) throw refuse(`expected that each kid is there once, found that of ${place} twice`);
    keys.set(jwk.kid, readKey(jwk, place, refuse));
  }
  if (keys.size === 0) throw refuse('expected a key for signatures, found none');
  return keys;
}

function readEntries(path: string, refuse: (reason: string) => FileError): readonly Readonly<Record<string, unknown>>[] {
  const bytes = readGuardedFile(path, rules);
  let content: unknown;
  try {
    content = readStrictJson(bytes, path);
  } catch (error) {
    if (error instanceof SiteError) throw refuse('expected JSON in UTF-8 without a field twice, found something else, or a file that was cut');
    throw error;
  }
  const { success, data } = fileSchema.safeParse(content);
  if (!success) throw refuse('expected a JSON object with 1 to 64 keys in "keys", found something else');
  return data.keys;
}

function isForSignatures({ use, key_ops: operations }: Readonly<Record<string, unknown>>): boolean {
  return (use === undefined || use === 'sig') && (operations === undefined || (Array.isArray(operations) && operations.includes('verify')));
}

function readKey(jwk: PublicJwk, place: string, refuse: (reason: string) => FileError): TokenKey {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' });
  } catch {
    throw refuse(`expected valid keys, found that ${place} is none`);
  }
  const { modulusLength: length = smallestModulus, publicExponent: exponent = 65_537n } = key.asymmetricKeyDetails ?? {};
  if (length < smallestModulus || length > largestModulus || exponent < 65_537n) {
    throw refuse(`expected RSA keys of ${smallestModulus} to ${largestModulus} bits with an exponent from 65537 on, found another in ${place}`);
  }
  const possible = listAlgorithms(jwk);
  const algorithms = possible.filter((name) => jwk.alg === undefined || jwk.alg === name);
  if (algorithms.length === 0) throw refuse(`expected an alg that fits the key (${possible.join(', ')}), found another in ${place}`);
  return { key, algorithms };
}

function listAlgorithms(jwk: PublicJwk): readonly TokenAlgorithm[] {
  if (jwk.kty === 'RSA') return ['RS256', 'PS256'];
  if (jwk.kty === 'EC') return jwk.crv === 'P-256' ? ['ES256'] : ['ES384'];
  return ['EdDSA'];
}
