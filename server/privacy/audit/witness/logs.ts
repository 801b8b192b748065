/**
 * Owns what a witness knows of logs: the keys that it was given. Refuses a key of another form. A log signs with another key every
 * day and its old ones are erased, while a witness does not see the records that certify the new ones; so a signature by a key that
 * was not given counts as `new`, and what stands for it is the proof that the log goes on from a checkpoint that a given key has signed.
 */
import { SiteError } from '../../errors.ts';
import { formatKey, verifyCheckpoint } from '../note.ts';

export interface LogKey {
  readonly log: string;
  /** The first 4 bytes of the hash over name and key, in hexadecimal. */
  readonly hash: string;
  readonly bytes: Buffer;
}

/** Undefined where the text is no key as `formatKey` writes it. */
export function parseLogKey(text: string): LogKey | undefined {
  const [, log = '', hash = '', encoded = ''] = /^inward-audit\/([0-9a-f]{32})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded, 'base64').subarray(1);
  return bytes.length === 32 && formatKey(log, bytes) === text ? { log, hash, bytes } : undefined;
}

/** `unknown`: no key of that log was given. `false`: not signed by the key that it names. */
export function judgeSignature(note: string, log: string, keys: readonly LogKey[]): 'good' | 'new' | 'false' | 'unknown' {
  const ours = keys.filter((key) => key.log === log);
  if (ours.length === 0) return 'unknown';
  const named = ours.filter(({ hash }) => hash === readKeyHash(note));
  if (named.length === 0) return 'new';
  return named.some(({ bytes }) => hasSigned(note, bytes)) ? 'good' : 'false';
}

/** Which key a checkpoint says that it is signed by. */
export function readKeyHash(note: string): string {
  const [, signature = ''] = / ([A-Za-z0-9+/]+=*)\n$/.exec(note) ?? [];
  return Buffer.from(signature, 'base64').subarray(0, 4).toString('hex');
}

function hasSigned(note: string, key: Uint8Array): boolean {
  try {
    verifyCheckpoint(note, key, 'It');
    return true;
  } catch (error) {
    if (error instanceof SiteError) return false;
    throw error;
  }
}
