/**
 * Owns signed checkpoints: the text of the size and root of a log (C2SP tlog-checkpoint), and the signature below it (C2SP
 * signed-note, Ed25519). Refuses a note of another form, another log or another key.
 */
import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { SiteError } from '../errors.ts';

export interface Checkpoint {
  /** Id of the log. */
  readonly log: string;
  /** Records. */
  readonly size: number;
  readonly root: Buffer;
}

/** Largest text of a checkpoint with its signature, in bytes. */
export const noteLimit = 1024;
const ed25519 = 1;
/** In front of the 32 bytes of a public Ed25519 key in its SPKI form, and of a private one in PKCS 8 (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
/** Of each base64 the one form that has no bits to spare. */
const noteForm =
  /^inward-audit\/([0-9a-f]{32})\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\n\n\u2014 inward-audit\/([0-9a-f]{32}) ([A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=)\n$/;

export function nameLog(log: string): string {
  return `inward-audit/${log}`;
}

/** The first 4 bytes of a hash over name and key. */
function hashKey(log: string, publicKey: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(`${nameLog(log)}\n`), Buffer.from([ed25519]), publicKey]), 'buffer').subarray(0, 4);
}

/** A public key as it is noted down: `<name>+<hash>+<key>`. */
export function formatKey(log: string, publicKey: Uint8Array): string {
  const encoded = Buffer.concat([Buffer.from([ed25519]), publicKey]).toString('base64');
  return `${nameLog(log)}+${hashKey(log, publicKey).toString('hex')}+${encoded}`;
}

/** The 32 bytes of a public key. */
export function exportPublicKey(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'der' }).subarray(spkiPrefix.length);
}

export function importPublicKey(bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, bytes]), format: 'der', type: 'spki' });
}

/** From its 32 bytes of seed. */
export function importPrivateKey(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([pkcs8Prefix, seed]);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

/** The text of a checkpoint with its signature. */
export function signCheckpoint({ log, size, root }: Checkpoint, privateKey: KeyObject, publicKey: Uint8Array): string {
  const text = formatText(log, size, root);
  const signature = Buffer.concat([hashKey(log, publicKey), sign(null, Buffer.from(text), privateKey)]);
  return `${text}\n\u2014 ${nameLog(log)} ${signature.toString('base64')}\n`;
}

/** What a note says; undefined where it is none. Its signature is not judged. */
export function readCheckpoint(note: string): Checkpoint | undefined {
  const [, log, size, root, signer] = noteForm.exec(note) ?? [];
  if (log === undefined || root === undefined || signer !== log || !Number.isSafeInteger(Number(size))) return undefined;
  return { log, size: Number(size), root: Buffer.from(root, 'base64') };
}

/** The checkpoint of a note that this key has signed. Throws SiteError; `name` is how the sentence calls it. */
export function verifyCheckpoint(note: string, publicKey: Uint8Array, name: string): Checkpoint {
  const checkpoint = readCheckpoint(note);
  if (checkpoint === undefined) throw new SiteError(`${name} is no checkpoint of an audit log.`);
  const { log, size, root } = checkpoint;
  const signature = Buffer.from(noteForm.exec(note)?.[5] ?? '', 'base64');
  const isOurs = signature.length === 68 && signature.subarray(0, 4).equals(hashKey(log, publicKey));
  if (isOurs && verify(null, Buffer.from(formatText(log, size, root)), importPublicKey(publicKey), signature.subarray(4))) return checkpoint;
  throw new SiteError(`${name} has no signature of the key that this part of the log is signed with: it was changed, or comes from another log.`);
}

function formatText(log: string, size: number, root: Uint8Array): string {
  return `${nameLog(log)}\n${size}\n${Buffer.from(root).toString('base64')}\n`;
}
