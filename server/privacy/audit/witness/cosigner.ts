/**
 * Owns the key of a witness and its signature below a checkpoint (C2SP tlog-cosignature, Ed25519). Refuses a key file that others
 * may read.
 */
import { hash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { existsSync } from 'node:fs';
import { SiteError } from '../../errors.ts';
import { readSecretFile, writeNewFile } from '../../files.ts';
import { exportPublicKey, importPrivateKey } from '../note.ts';

const timestamped = 4;

export class Cosigner {
  readonly #privateKey: KeyObject;
  readonly #keyHash: Buffer;
  readonly name: string;
  /** As clients note it down: `<name>+<hash>+<key>`. */
  readonly key: string;

  /** `seed`: the 32 bytes of an Ed25519 key. The name follows from it. */
  constructor(seed: Uint8Array) {
    this.#privateKey = importPrivateKey(seed);
    const encoded = Buffer.concat([Buffer.from([timestamped]), exportPublicKey(this.#privateKey)]);
    this.name = `inward-witness/${hash('sha256', encoded.subarray(1), 'hex').slice(0, 32)}`;
    this.#keyHash = hash('sha256', Buffer.concat([Buffer.from(`${this.name}\n`), encoded]), 'buffer').subarray(0, 4);
    this.key = `${this.name}+${this.#keyHash.toString('hex')}+${encoded.toString('base64')}`;
  }

  /** The line for a checkpoint. `time`: ms of the epoch. */
  cosign(note: string, time: number): string {
    const seconds = Math.floor(time / 1000);
    const text = note.slice(0, note.indexOf('\n\n') + 1);
    const stamp = Buffer.alloc(8);
    stamp.writeBigUInt64BE(BigInt(seconds));
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), this.#privateKey);
    return `\u2014 ${this.name} ${Buffer.concat([this.#keyHash, stamp, signature]).toString('base64')}\n`;
  }
}

/** The key of a file, which is made where it is missing. Throws SiteError. */
export function openCosigner(path: string): Cosigner {
  if (!existsSync(path)) writeNewFile(path, `${randomBytes(32).toString('hex')}\n`, 0o600);
  const [, seed] = /^([0-9a-f]{64})\n$/.exec(readSecretFile(path, 256).toString('latin1')) ?? [];
  if (seed === undefined) throw new SiteError(`The key file ${path} cannot be used: expected 64 hexadecimal digits, found something else.`);
  return new Cosigner(Buffer.from(seed, 'hex'));
}
