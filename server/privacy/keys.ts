/**
 * Owns the form of secrets: how one is made, told from other text, and checked. A secret is shown once; what is kept is a
 * salted hash. Refuses to tell by time which part of a presented secret is wrong.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Credential } from './grants.ts';

/** What a secret opens; its first letters say so, for people and for scanners that look for secrets in files. */
export const secretKinds = { phi: 'inw_phi_', synthetic: 'inw_eval_', sealed: 'inw_glass_', person: 'inw_person_' } as const;
export type SecretKind = keyof typeof secretKinds;

/** Crockford's base 32, in lower case: no letter that looks like another. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const idLength = 10;
/** 256 bits. */
const secretLength = 52;
const checkLength = 6;
const form = /^inw_(phi|eval|glass|person)_([0-9a-hjkmnp-tv-z]{10})([0-9a-hjkmnp-tv-z]{52})([0-9a-hjkmnp-tv-z]{6})$/;

export interface NewSecret {
  /** Also the id of the key that it is for. */
  readonly id: string;
  /** The text that its holder gets, once. */
  readonly text: string;
  readonly credential: Extract<Credential, { type: 'secret' }>;
}

/** A secret of 256 random bits. `id`: where it takes the place of another one of the same holder. */
export function createSecret(kind: SecretKind, id: string = randomLetters(idLength)): NewSecret {
  const secret = randomLetters(secretLength);
  const head = `${secretKinds[kind]}${id}${secret}`;
  const salt = randomBytes(16);
  return { id, text: `${head}${checkLetters(head)}`, credential: { type: 'secret', salt: salt.toString('hex'), hash: hash(salt, secret).toString('hex') } };
}

export interface PresentedSecret {
  readonly kind: SecretKind;
  readonly id: string;
  readonly secret: string;
}

/** The parts of a text that has the form of a secret; undefined for any other, also for one with a letter mistyped. */
export function parseSecret(text: string): PresentedSecret | undefined {
  const [, word, id, secret, check] = form.exec(text) ?? [];
  if (word === undefined || id === undefined || secret === undefined) return undefined;
  if (checkLetters(text.slice(0, -checkLength)) !== check) return undefined;
  const kind = (Object.keys(secretKinds) as SecretKind[]).find((name) => secretKinds[name] === `inw_${word}_`);
  return kind === undefined ? undefined : { kind, id, secret };
}

/** Stands in where there is no such key, so that looking up an unknown id takes as long as checking a known one. */
const nobody: Extract<Credential, { type: 'secret' }> = { type: 'secret', salt: '00'.repeat(16), hash: 'ff'.repeat(32) };

/** Whether this is the secret behind a credential; takes the same time whatever differs, also without a credential. */
export function isSecretOf(presented: PresentedSecret, credential: Credential | undefined): boolean {
  const kept = credential?.type === 'secret' ? credential : nobody;
  const isEqual = timingSafeEqual(hash(Buffer.from(kept.salt, 'hex'), presented.secret), Buffer.from(kept.hash, 'hex'));
  return isEqual && kept !== nobody;
}

/** A fast hash is enough: nobody can try 2^256 secrets, and each request pays for it. */
function hash(salt: Uint8Array, secret: string): Buffer {
  return createHash('sha256').update(salt).update(secret).digest();
}

function randomLetters(count: number): string {
  return Array.from(randomBytes(count), (byte) => alphabet[byte & 31]).join('');
}

/** What stands behind the secret, from what stands before: 30 of the 32 bits of CRC-32, which find every mistyped letter. */
export function checkLetters(text: string): string {
  let rest = crc32(text);
  let letters = '';
  for (let i = 0; i < checkLength; i++) {
    letters += alphabet[rest & 31];
    rest >>>= 5;
  }
  return letters;
}
