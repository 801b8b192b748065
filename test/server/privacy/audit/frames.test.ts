/** Frames against a second implementation, and against whatever bytes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bodyLimit, encodeFrame, findEnd, magic, readFrames } from '../../../../server/privacy/audit/frames.ts';
import { hashLeaf } from '../../../../server/privacy/audit/tree.ts';
import { fixtures, listFrames } from './logs.ts';
import { toHex, vectors } from './vectors.ts';

const { records, frames, checkpoints } = vectors.log;

test('frames are those of the second implementation, and the hash of a record is its leaf', () => {
  const [first] = checkpoints;
  const own = [...records.slice(0, 4).map((record) => encodeFrame('record', record)), encodeFrame('checkpoint', first!.text)];
  expect(own.map(({ bytes }) => toHex(bytes))).toEqual(frames);
  expect(own.slice(0, 4).map(({ hash }) => toHex(hash))).toEqual(records.slice(0, 4).map((record) => toHex(hashLeaf(Buffer.from(record)))));
});

test('all frames of its logs are read, with their places and bodies', () => {
  for (const name of ['mini', 'plain', 'gap']) {
    for (const file of readdirSync(join(fixtures, name)).filter((entry) => entry.endsWith('.log'))) {
      const bytes = readFileSync(join(fixtures, name, file));
      const found = [...readFrames(bytes)].map(({ type, offset, size, body }) => ({
        isRecord: type === 'record',
        offset,
        end: offset + size,
        body: toHex(body),
      }));
      const expected = listFrames(bytes).map((frame) => ({
        isRecord: frame.isRecord,
        offset: frame.offset,
        end: frame.end,
        body: toHex(frame.bytes.subarray(5, -8)),
      }));
      expect(found).toEqual(expected);
      expect(found.length).toBeGreaterThan(1);
    }
  }
});

const texts = fc.array(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).filter((text) => Buffer.from(text).toString() === text),
  { minLength: 1, maxLength: 8 },
);
const join2 = (bodies: readonly string[]): Buffer =>
  Buffer.concat([magic, ...bodies.map((body, index) => encodeFrame(index % 3 === 2 ? 'checkpoint' : 'record', body).bytes)]);
const bodiesOf = (bytes: Buffer): string[] => [...readFrames(bytes)].map(({ body }) => body.toString());

test('what is written is read, whatever stands behind it', () => {
  fc.assert(
    fc.property(texts, fc.uint8Array({ maxLength: 60 }), (bodies, rest) => {
      expect(bodiesOf(Buffer.concat([join2(bodies), Buffer.alloc(8), rest]))).toEqual(bodies);
      expect(bodiesOf(Buffer.concat([join2(bodies), rest])).slice(0, bodies.length)).toEqual(bodies);
    }),
    { numRuns: 300, seed: 1 },
  );
});

test('a segment that is cut anywhere has the frames that are whole', () => {
  fc.assert(
    fc.property(texts, (bodies) => {
      const bytes = join2(bodies);
      const ends = [...readFrames(bytes)].map(({ offset, size }) => offset + size);
      for (let length = magic.length; length <= bytes.length; length++) {
        expect(bodiesOf(bytes.subarray(0, length))).toEqual(bodies.slice(0, ends.filter((end) => end <= length).length));
      }
    }),
    { numRuns: 20, seed: 2 },
  );
});

test('whatever bit of a frame is flipped, reading ends before it', () => {
  const bytes = join2(['one', 'two', 'three']);
  const [, second] = readFrames(bytes);
  for (let bit = 0; bit < second!.size * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[second!.offset + (bit >> 3)]! ^= 1 << (bit & 7);
    expect(bodiesOf(flipped), `bit ${bit}`).toEqual(['one']);
  }
});

test('a body has 1 to 16,384 bytes', () => {
  expect(bodyLimit).toBe(16_384);
  const [largest] = readFrames(Buffer.concat([magic, encodeFrame('record', 'a'.repeat(bodyLimit)).bytes]));
  expect(largest?.body.length).toBe(bodyLimit);
  for (const body of ['', 'a'.repeat(bodyLimit + 1), '\u00e9'.repeat(bodyLimit / 2 + 1)]) expect(() => encodeFrame('record', body)).toThrow(RangeError);
});

test('the last byte that is not zero', () => {
  expect(findEnd(Buffer.from([1, 0, 2, 0, 0]), 0)).toBe(3);
  expect(findEnd(Buffer.from([1, 0, 2, 0, 0]), 3)).toBe(3);
  expect(findEnd(Buffer.from([0, 0]), 0)).toBe(0);
  expect(findEnd(Buffer.alloc(0), 0)).toBe(0);
});
