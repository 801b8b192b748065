/** Checkpoints and keys against a second implementation, and every bit of a note. */
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  exportPublicKey,
  formatKey,
  importPrivateKey,
  importPublicKey,
  nameLog,
  readCheckpoint,
  signCheckpoint,
  verifyCheckpoint,
} from '../../../../server/privacy/audit/note.ts';
import { SiteError } from '../../../../server/privacy/errors.ts';
import { fromHex, toHex, vectors } from './vectors.ts';

const { log } = vectors;
const keyOf = (segment: number): { readonly seed: Buffer; readonly publicKey: Buffer; readonly text: string } => {
  const found = log.keys.find((key) => key.segment === segment)!;
  return { seed: fromHex(found.seed), publicKey: fromHex(found.public), text: found.text };
};

test('keys are those of their seeds, and are noted as the second implementation does it', () => {
  expect(nameLog(log.id)).toBe(log.name);
  for (const { segment } of log.keys) {
    const { seed, publicKey, text } = keyOf(segment);
    const privateKey = importPrivateKey(seed);
    expect(toHex(exportPublicKey(privateKey))).toBe(toHex(publicKey));
    expect(toHex(exportPublicKey(createPublicKey(privateKey)))).toBe(toHex(publicKey));
    expect(formatKey(log.id, publicKey)).toBe(text);
  }
});

test('checkpoints of the second implementation are read, found signed, and signed to the same bytes', () => {
  for (const { size, segment, text } of log.checkpoints) {
    const { seed, publicKey } = keyOf(segment);
    const checkpoint = readCheckpoint(text)!;
    expect(checkpoint).toMatchObject({ log: log.id, size });
    expect(verifyCheckpoint(text, publicKey, 'It')).toEqual(checkpoint);
    expect(signCheckpoint(checkpoint, importPrivateKey(seed), publicKey)).toBe(text);
  }
});

test('a signature is one of Ed25519 over the first three lines', () => {
  const { text, segment } = log.checkpoints[0]!;
  const signed = text.slice(0, text.indexOf('\n\n') + 1);
  const signature = Buffer.from(text.trimEnd().split(' ').at(-1)!, 'base64').subarray(4);
  expect(verify(null, Buffer.from(signed), importPublicKey(keyOf(segment).publicKey), signature)).toBe(true);
});

test('the key of another segment, of another log, and any other key is refused', () => {
  const { text } = log.checkpoints[0]!;
  const { publicKey } = generateKeyPairSync('ed25519');
  for (const other of [keyOf(2).publicKey, exportPublicKey(publicKey)]) {
    expect(() => verifyCheckpoint(text, other, 'The note')).toThrow(/^The note has no signature of the key that this part of the log is signed with/);
  }
  const renamed = text.replaceAll(log.id, 'ab'.repeat(16));
  expect(() => verifyCheckpoint(renamed, keyOf(1).publicKey, 'The note')).toThrow(SiteError);
});

test('whatever bit of a note is flipped, it is refused', () => {
  const { text, segment } = log.checkpoints[3]!;
  const { publicKey } = keyOf(segment);
  const bytes = Buffer.from(text);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => verifyCheckpoint(flipped.toString('latin1'), publicKey, 'It'), `bit ${bit}`).toThrow(SiteError);
    expect(() => verifyCheckpoint(flipped.toString(), publicKey, 'It'), `bit ${bit}`).toThrow(SiteError);
  }
});

test('what is no note is none', () => {
  const { text } = log.checkpoints[0]!;
  const bad = [
    ...['', '\n', text.trimEnd(), `${text}\n`, ` ${text}`, text.replaceAll('\n', '\r\n'), text.replace('\n1\n', '\n01\n'), text.replace('\n1\n', '\n-1\n')],
    ...[text.replace('\n1\n', '\n9007199254740993\n'), text.replace('\u2014', '-'), text + text, text.replace('inward-audit/', 'inward-audit/x')],
  ];
  for (const note of bad) expect(readCheckpoint(note), JSON.stringify(note)).toBeUndefined();
});
