/** The first and last records of a segment, read without the rest. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { segmentLimit } from '../../../../server/privacy/audit/folder.ts';
import { bodyLimit, encodeFrame, magic } from '../../../../server/privacy/audit/frames.ts';
import { readContent, readFirstRecord, readSegmentEnd } from '../../../../server/privacy/audit/segments.ts';

let path = '';
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-segment-'));
  path = join(folder, '00000001.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const record = (body: string): Buffer => encodeFrame('record', body).bytes;
const checkpoint = (body: string): Buffer => encodeFrame('checkpoint', body).bytes;
const write = (...parts: readonly Buffer[]): void => writeFileSync(path, Buffer.concat([magic, ...parts]));

/** A text whose frame ends with so many zeros: its check is a hash, so one of some thousands does. */
function findZeros(prefix: string, zeros: number): string {
  for (let number = 0; ; number++) {
    const { bytes } = encodeFrame('checkpoint', `${prefix}${number}`);
    if (bytes.subarray(-zeros).every((byte) => byte === 0)) return `${prefix}${number}`;
  }
}

test('the largest bodies at both ends', () => {
  const [first, last, note] = ['a'.repeat(bodyLimit), 'b'.repeat(bodyLimit), 'c'.repeat(bodyLimit)];
  write(record(first), checkpoint('1'), record('middle'), record(last), checkpoint(note));
  expect(readFirstRecord(path)).toBe(first);
  expect(readSegmentEnd(path)).toEqual({ record: last, checkpoint: note });
});

test('a check that ends with zeros is not taken for the room behind it', () => {
  for (const zeros of [1, 2]) {
    const note = findZeros('note ', zeros);
    write(record('first'), record('last'), checkpoint(note));
    expect(readSegmentEnd(path)).toEqual({ record: 'last', checkpoint: note });
    expect(readContent(path, true)).toMatchObject({ checkpoint: note, count: 2 });
    write(record('first'), record('last'), checkpoint(note), Buffer.alloc(100));
    expect(readSegmentEnd(path)).toEqual({ record: 'last', checkpoint: note });
  }
});

test('what has no such end is refused, also where a body looks like a frame', () => {
  const inner = checkpoint('inner').toString('latin1');
  for (const parts of [[], [record('a')], [checkpoint('a')], [record('a'), checkpoint('b'), record('c')], [record('a'), checkpoint('b'), Buffer.from('x')]]) {
    write(...parts);
    expect(() => readSegmentEnd(path)).toThrow(/expected a record and a checkpoint as its end, found something else; inward audit verify says more\.$/);
  }
  write(record('a'), record(inner), checkpoint('b'));
  expect(readSegmentEnd(path)).toEqual({ record: inner, checkpoint: 'b' });
});

test('a frame of an unknown type ends what is read', () => {
  const strange = encodeFrame('record', 'strange').bytes;
  strange[4] = 1;
  write(record('a'), checkpoint('b'), strange, checkpoint('c'));
  expect(readContent(path, false)).toMatchObject({ checkpoint: 'b', count: 1 });
  expect(() => readContent(path, true)).toThrow(/found that it breaks off at byte \d+, behind 1 records/);
});

test('a segment that went on far beyond its size, because the next one could not be made, is read', () => {
  write(record('a'), checkpoint('b'));
  truncateSync(path, segmentLimit / 2);
  expect(readContent(path, true)).toMatchObject({ checkpoint: 'b', count: 1 });
  truncateSync(path, segmentLimit + 1);
  expect(() => readContent(path, true)).toThrow(`expected at most ${segmentLimit} bytes, found more`);
});
