/** Parts of files in host memory: every read gives the files' bytes, what was read last is not read again, and no more is held than was given. */
import { expect, test } from 'vitest';
import { random } from '../../../kernels/random.ref.ts';
import { KeptParts } from '../../../runtime/checkpoint/kept.ts';

const partSize = 2 ** 18;

function createFile(size: number) {
  const next = random(size);
  const bytes = Uint8Array.from({ length: size }, () => next() * 256);
  return {
    bytes,
    fileSize: size,
    read(position: number, into: Uint8Array): void {
      if (position + into.length > size) throw new Error('past the end');
      into.set(bytes.subarray(position, position + into.length));
    },
  };
}

test.each([0, partSize - 1, partSize, 3 * partSize + 5, 100 * partSize])('with room for %i bytes reads of any place give what the files have', (room) => {
  const file = createFile(10 * partSize + 777);
  const kept = new KeptParts(file, room);
  const next = random(room + 1);
  for (let i = 0; i < 60; i++) {
    const position = Math.floor(next() * file.fileSize);
    const into = new Uint8Array(Math.floor(next() ** 3 * (file.fileSize - position)));
    kept.read(position, into);
    expect(Buffer.compare(into, file.bytes.subarray(position, position + into.length))).toBe(0);
  }
  if (room >= file.fileSize) expect(kept.readSize).toBeLessThanOrEqual(file.fileSize);
});

test('what was used last stays, and the rest is read anew', () => {
  const file = createFile(5 * partSize + 10);
  const kept = new KeptParts(file, 2 * partSize);
  const reads = (number: number, size = 10): number => {
    const before = kept.readSize;
    kept.read(number * partSize, new Uint8Array(size));
    return kept.readSize - before;
  };
  expect([0, 1, 0, 2, 0, 1, 2].map((number) => reads(number))).toEqual([partSize, partSize, 0, partSize, 0, partSize, partSize]);
  // The last part is shorter.
  expect(reads(5)).toBe(10);
  expect(() => reads(5, 11)).toThrow('past the end');
});

test('after a read that failed nothing of another part is given for it', () => {
  const file = createFile(4 * partSize);
  let isBroken = false;
  const kept = new KeptParts(
    {
      fileSize: file.fileSize,
      read(position, into) {
        if (isBroken) throw new Error('gone');
        file.read(position, into);
      },
    },
    2 * partSize,
  );
  const check = (number: number): void => {
    const into = new Uint8Array(100);
    kept.read(number * partSize, into);
    expect([...into]).toEqual([...file.bytes.subarray(number * partSize, number * partSize + 100)]);
  };
  check(0);
  check(1);
  isBroken = true;
  expect(() => check(2)).toThrow('gone');
  expect(() => check(3)).toThrow('gone');
  isBroken = false;
  for (const number of [2, 1, 3, 0, 1, 2]) check(number);
});
