/**
 * Owns the key that a segment's checkpoints are signed with: made for the segment, overwritten when the next one begins, so that
 * who breaks in later cannot sign for days that are over. Refuses a key that is not the one the log names.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { SiteError } from '../errors.ts';
import { readSecretFile } from '../files.ts';
import { type Disk, writeWhole } from './disk.ts';
import type { LogPaths } from './folder.ts';
import { type Checkpoint, exportPublicKey, importPrivateKey, signCheckpoint } from './note.ts';

const seedSize = 32;

export class Signer {
  readonly #privateKey: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Buffer;

  constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.publicKey = exportPublicKey(privateKey);
  }

  sign(checkpoint: Checkpoint): string {
    return signCheckpoint(checkpoint, this.#privateKey, this.publicKey);
  }
}

/** Makes a key and keeps it in a new file, durable. */
export async function createSigner(disk: Disk, path: string): Promise<Signer> {
  const { privateKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  });
  await disk.remove(path);
  try {
    await writeWhole(disk, path, privateKey.subarray(-seedSize));
    return new Signer(createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' }));
  } finally {
    privateKey.fill(0);
  }
}

/** The key of the segment that is being written. A crash may have come between the new segment and the new name of its key. Throws SiteError. */
export async function openSigner(disk: Disk, paths: LogPaths, publicKey: Uint8Array): Promise<Signer> {
  const present = readSigner(paths.key);
  if (present?.publicKey.equals(publicKey)) {
    await disk.remove(paths.nextKey);
    return present;
  }
  const next = readSigner(paths.nextKey);
  if (next?.publicKey.equals(publicKey)) {
    await renewSigner(disk, paths);
    return next;
  }
  throw new SiteError(
    `${paths.key} is not the key that the audit log in ${paths.folder} goes on with: it was changed or taken away. Keep the folder as it is for whoever looks into that, and move it to another name: a new log begins then.`,
  );
}

/** The next key takes the place of the present one, which is overwritten first. Where it has that place already, it is made to last. */
export async function renewSigner(disk: Disk, paths: LogPaths): Promise<void> {
  if (!existsSync(paths.nextKey)) return disk.syncFolder(paths.folder);
  if (existsSync(paths.key)) {
    const old = await disk.open(paths.key);
    try {
      await old.write(new Uint8Array(seedSize), 0);
      await old.sync();
    } finally {
      await old.close();
    }
  }
  await disk.rename(paths.nextKey, paths.key);
}

function readSigner(path: string): Signer | undefined {
  if (!existsSync(path)) return undefined;
  const seed = readSecretFile(path, seedSize);
  try {
    return seed.length === seedSize ? new Signer(importPrivateKey(seed)) : undefined;
  } finally {
    seed.fill(0);
  }
}
