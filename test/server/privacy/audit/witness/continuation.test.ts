/** Proofs of consistency against the vectors that the implementations of Certificate Transparency share (RFC 6962, 8 leaves). */
import { describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../../../../server/privacy/audit/note.ts';
import { checkContinuation } from '../../../../../server/privacy/audit/witness/continuation.ts';
import { SmallLog, treeHash } from './small-log.ts';

const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((hex) => Buffer.from(hex, 'hex'));
const roots: Readonly<Record<number, string>> = {
  0: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  1: '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  2: 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  5: '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  6: '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  8: '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
};
const vectors: readonly (readonly [old: number, size: number, proof: readonly string[]])[] = [
  [1, 1, []],
  [
    1,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    6,
    8,
    [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [2, 5, ['5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e', 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b']],
];
const at = (size: number): Checkpoint => ({ log: '0'.repeat(32), size, root: Buffer.from(roots[size] ?? '', 'hex') });
const code = (last: Checkpoint | undefined, next: Checkpoint, proof: readonly Uint8Array[]): unknown => {
  try {
    checkContinuation(last, next, proof);
    return 'good';
  } catch (error) {
    return (error as { readonly code: unknown }).code;
  }
};

test('the trees of the tests are those of the vectors', () => {
  for (const [size, root] of Object.entries(roots)) expect(treeHash(leaves.slice(0, Number(size))).toString('hex')).toBe(root);
});

describe.each(vectors)('from %i to %i', (old, size, texts) => {
  const proof = texts.map((hex) => Buffer.from(hex, 'hex'));

  test('is taken', () => expect(code(at(old), at(size), proof)).toBe('good'));

  test('is refused with any bit of it changed, too short, too long, or of other roots', () => {
    for (const [index, hash] of proof.entries()) {
      for (const bit of [0, 100, 255]) {
        const changed = Buffer.from(hash);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(code(at(old), at(size), proof.with(index, changed))).toBe('forked');
      }
    }
    expect(code(at(old), at(size), [...proof, Buffer.alloc(32)])).toBe('forked');
    if (proof.length > 0) expect(code(at(old), at(size), proof.slice(0, -1))).toBe('forked');
    if (proof.length > 0) expect(code(at(old), at(size), proof.slice(1))).toBe('forked');
    expect(code({ ...at(old), root: Buffer.alloc(32) }, at(size), proof)).toBe('forked');
    expect(code(at(old), { ...at(size), root: Buffer.alloc(32) }, proof)).toBe('forked');
  });
});

test('what is smaller was set back; nothing is the beginning of everything', () => {
  expect(code(at(6), at(5), [])).toBe('rolled_back');
  expect(code(undefined, at(5), [])).toBe('good');
  expect(code(undefined, at(5), [Buffer.alloc(32)])).toBe('forked');
  expect(code(at(0), at(5), [])).toBe('good');
  expect(code(at(0), { ...at(0), root: Buffer.alloc(32) }, [])).toBe('forked');
});

test('every pair of sizes up to 40, and no pair of two histories that part', () => {
  const log = new SmallLog();
  log.grow(20);
  const twin = log.fork();
  log.grow(20);
  twin.grow(20, 'another');
  const read = ({ note, size }: { readonly note: string; readonly size: number }): Checkpoint => ({
    ...at(size),
    root: Buffer.from(note.split('\n')[2] ?? '', 'base64'),
  });
  for (let old = 1; old <= 40; old++) {
    for (let size = old; size <= 40; size++) {
      const next = log.at(size);
      expect(code(read(log.at(old)), read(next), next.proveFrom(old))).toBe('good');
      expect(code(read(twin.at(old)), read(next), next.proveFrom(old))).toBe(old <= 20 ? 'good' : 'forked');
    }
  }
});
