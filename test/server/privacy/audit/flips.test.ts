/** Every bit of small logs, changed one at a time: each change is found, in its file and at its frame. */
import { expect, test } from 'vitest';
import type { Flaw } from '../../../../server/privacy/audit/verify.mjs';
import { change, type Folder, flipBit, listFrames, readLog, trusted, verify } from './logs.ts';

/** Where a flaw may be said to be when a byte of a file was changed: [from, to). */
function findPlace(folder: Folder, name: string, byte: number): readonly [number, number] {
  if (name === 'head') return [0, 1];
  if (name === 'hashes') return [byte - (byte % 32), Number.POSITIVE_INFINITY];
  const frame = listFrames(folder.get(name)!).find(({ end }) => byte < end);
  return byte < 16 ? [byte, byte + 1] : frame === undefined ? [byte - 3, byte + 1] : [frame.offset, frame.end];
}

async function flipAll(name: string, step: number): Promise<string[]> {
  const log = readLog(name);
  const options = trusted(name);
  const wrong: string[] = [];
  for (const [file, bytes] of log) {
    for (let bit = 0; bit < bytes.length * 8; bit += step) {
      const { flaws } = await verify(change(log, file, flipBit(bytes, bit)), options);
      const [from, to] = findPlace(log, file, bit >> 3);
      const isPlaced = (flaw: Flaw): boolean => flaw.file === file && flaw.offset! >= from && flaw.offset! < to;
      if (!flaws.some(isPlaced)) wrong.push(`${file} bit ${bit}: ${JSON.stringify(flaws)}`);
    }
  }
  return wrong;
}

const isFull = process.env['INWARD_FULL'] !== undefined;

// The short suite takes one bit of seven.
test(`mini: ${isFull ? 'every bit' : 'a part of the bits'} of every file`, { timeout: 600_000 }, async () => {
  expect(await flipAll('mini', isFull ? 1 : 7)).toEqual([]);
});

// Steps that are prime to eight, so that all bits of bytes have their turn.
test.each([
  ['purged', 41],
  ['plain', 127],
  ['gap', 53],
])('%s: every %i. bit', { timeout: 600_000 }, async (name, step) => {
  expect(await flipAll(name, step)).toEqual([]);
});
