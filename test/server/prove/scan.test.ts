import { expect, test } from 'vitest';
import { pieceSize, Scan } from '../../../server/prove/scan.ts';

/** Reads these bytes one piece of a size after the other, as a file would give them. */
function scanAll(scan: Scan, bytes: Buffer, size: number): void {
  let at = 0;
  const read = (buffer: Buffer, offset: number): number => {
    const copied = bytes.copy(buffer, offset, at, Math.min(bytes.length, at + size));
    at += copied;
    return copied;
  };
  while (scan.next(read) > 0);
}

test('each is counted once, wherever a piece ends, also where one needle is shorter than another', () => {
  const bytes = Buffer.from('ab--longer--ab-longerab');
  for (let size = 1; size <= bytes.length; size++) {
    const scan = new Scan([Buffer.from('ab'), Buffer.from('longer'), Buffer.from('none')]);
    scanAll(scan, bytes, size);
    expect(scan, `pieces of ${size}`).toMatchObject({ counts: [3, 2, 0], total: 5, size: bytes.length });
  }
});

test('what is read somewhere else makes no word with what came before', () => {
  const scan = new Scan([Buffer.from('ab')]);
  scanAll(scan, Buffer.from('--a'), pieceSize);
  scan.breakOff();
  scanAll(scan, Buffer.from('b--'), pieceSize);
  expect(scan.total).toBe(0);
});
