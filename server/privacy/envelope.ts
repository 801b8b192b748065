/**
 * Owns signed records: the canonical form of JSON (RFC 8785), Ed25519 signatures over it (RFC 8032), and the envelope that
 * holds record and signatures. Refuses what is not strict JSON (a key twice, other bytes than UTF-8, fractions), an unknown
 * field, a signature of a key that is not trusted, and the same key twice.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { SiteError } from './errors.ts';
import { readStrictJson } from './json.ts';
import { forms } from './words.ts';

/** Records that a site keeps. */
export const recordTypes: readonly ['inward.agreement.v1', 'inward.manifest.v1'] = ['inward.agreement.v1', 'inward.manifest.v1'];
/** What a record is; part of what is signed, so that one kind can never pass for another. */
export type RecordType = (typeof recordTypes)[number] | 'inward.prove.v1';
const envelopeTypes: readonly RecordType[] = [...recordTypes, 'inward.prove.v1'];

export interface Signature {
  /** `ck-` and the beginning of the public key's hash. */
  readonly key: string;
  /** 64 bytes in base64. */
  readonly value: string;
}

export interface Envelope {
  readonly type: RecordType;
  /** Judged by the schema of its type. */
  readonly record: Readonly<Record<string, unknown>>;
  readonly signatures: readonly Signature[];
}

/** Largest file of a record, in bytes. */
export const envelopeLimit: number = 2 ** 18;
/** 64 bytes; base64 could write the last two characters in other ways, and a signature must have one form only. */
const signatureForm = /^[A-Za-z0-9+/]{85}[AQgw]==$/;

const envelopeSchema: z.ZodType<Envelope> = z.strictObject({
  type: z.enum(envelopeTypes),
  record: z.record(z.string(), z.unknown()),
  signatures: z.array(z.strictObject({ key: z.string().regex(forms.publicKeyId), value: z.string().regex(signatureForm) })).max(8),
});

/** The envelope that these bytes hold; its signatures are not judged yet. Throws SiteError; `name` is how the sentence calls the file. */
export function readEnvelope(bytes: Uint8Array, name: string): Envelope {
  if (bytes.length > envelopeLimit) throw new SiteError(`${name} is no record: expected at most ${envelopeLimit} bytes, found ${bytes.length}.`);
  const result = envelopeSchema.safeParse(readStrictJson(bytes, name));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new SiteError(`${name} is no signed record: the field "${issue?.path.join('.') || 'record'}" is missing, unknown or of another form.`);
}

/** The text of an envelope's file. */
export function writeEnvelope(envelope: Envelope): string {
  return `${JSON.stringify(envelope, undefined, 2)}\n`;
}

/** SHA-256 in hexadecimal of what is signed: names a record by what it says. */
export function hashRecord({ type, record }: Pick<Envelope, 'type' | 'record'>): string {
  return createHash('sha256').update(signedBytes({ type, record })).digest('hex');
}

/** The envelope with one signature more; one that this key has made before is replaced. */
export function signEnvelope(envelope: Envelope, privateKey: KeyObject): Envelope {
  const key = hashPublicKey(createPublicKey(privateKey));
  const value = sign(null, signedBytes(envelope), privateKey).toString('base64');
  return { ...envelope, signatures: [...envelope.signatures.filter((signature) => signature.key !== key), { key, value }] };
}

/**
 * Checks that an envelope has valid signatures of so many different trusted keys, and no other. `trusted`: id -> SPKI in PEM.
 * Throws SiteError.
 */
export function verifyEnvelope(envelope: Envelope, trusted: ReadonlyMap<string, string>, needed: number, name: string): void {
  const seen = new Set<string>();
  const bytes = signedBytes(envelope);
  for (const { key, value } of envelope.signatures) {
    const pem = trusted.get(key);
    if (pem === undefined) throw new SiteError(`${name} is signed by ${key}, which is not a trusted key of this site (inward agreement trust).`);
    if (seen.has(key)) throw new SiteError(`${name} is signed by ${key} twice; each signer counts once.`);
    if (!verify(null, bytes, pem, Buffer.from(value, 'base64'))) {
      throw new SiteError(`${name} has a signature of ${key} that does not fit: it was changed after it was signed, or signed with another key.`);
    }
    seen.add(key);
  }
  if (seen.size < needed) throw new SiteError(`${name} needs ${needed} ${needed === 1 ? 'signature' : 'signatures of different keys'}; found ${seen.size}.`);
}

/** A public Ed25519 key in PEM (SPKI), and its id. Throws SiteError. */
export function readPublicKey(pem: string, name: string): { readonly id: string; readonly pem: string } {
  let key: KeyObject;
  try {
    // Node would also take the public half of a private key, which does not belong here.
    if (!pem.startsWith('-----BEGIN PUBLIC KEY-----')) throw new Error('something else');
    key = createPublicKey(pem);
  } catch {
    throw new SiteError(`${name} is no public key: expected an Ed25519 key in PEM form.`);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new SiteError(`${name} is a key of type ${key.asymmetricKeyType}; expected Ed25519.`);
  return { id: hashPublicKey(key), pem: key.export({ type: 'spki', format: 'pem' }).toString() };
}

/** A private Ed25519 key in PEM (PKCS 8), opened with its passphrase if it has one. Throws SiteError. */
export function readPrivateKey(pem: string, passphrase: string | undefined, name: string): KeyObject {
  let key: KeyObject;
  try {
    // OpenSSL would ask the terminal for a passphrase that is not given.
    key = createPrivateKey({ key: pem, format: 'pem', passphrase: passphrase ?? '' });
  } catch {
    throw new SiteError(`${name} cannot be opened: expected an Ed25519 private key in PEM form, and its passphrase.`);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new SiteError(`${name} is a key of type ${key.asymmetricKeyType}; expected Ed25519.`);
  return key;
}

export function hashPublicKey(key: KeyObject): string {
  return `ck-${createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16)}`;
}

function signedBytes({ type, record }: Pick<Envelope, 'type' | 'record'>): Buffer {
  return Buffer.from(`${type}\n${canonicalize(record)}`);
}

/** RFC 8785 for what records hold: objects, arrays, strings, booleans and whole numbers. */
export function canonicalize(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalize).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
    // By UTF-16 code units, as JavaScript compares.
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, entry]) => `${canonicalize(key)}:${canonicalize(entry)}`).join(',')}}`;
  }
  if (typeof value === 'string' ? value.isWellFormed() : typeof value === 'boolean' || Number.isSafeInteger(value)) return JSON.stringify(value);
  throw new SiteError('A record holds a value that cannot be signed: expected text, whole numbers, true, false, lists or objects.');
}
