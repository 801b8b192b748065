/** Reading a log while others write, rotate, purge and damage it. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listSegments, pathsOf } from '../../../../server/privacy/audit/folder.ts';
import { encodeFrame, magic } from '../../../../server/privacy/audit/frames.ts';
import { AuditLog } from '../../../../server/privacy/audit/log.ts';
import { Prover } from '../../../../server/privacy/audit/proof.ts';
import { LogReader } from '../../../../server/privacy/audit/reader.ts';
import { readSegmentEnd } from '../../../../server/privacy/audit/segments.ts';
import { openFolder, verifyLog, verifyProof } from '../../../../server/privacy/audit/verify.mjs';
import { SiteError } from '../../../../server/privacy/errors.ts';
import { pair, SampleLog, startTime, uuid } from './sample-log.ts';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'inward-audit-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const day = 86_400_000;
const minute = 60_000;
const segment = (number: number): string => pathsOf(join(folder, '1')).segment(number);
const seqs = (found: Iterable<{ readonly record: { readonly seq: number } }>): number[] => [...found].map(({ record }) => record.seq);
const count = (from: number, end: number): number[] => Array.from({ length: end - from }, (_, index) => from + index);

/** Three days, each a segment: records 0-5, 6-9, 10-13. */
function writeDays(): SampleLog {
  const log = new SampleLog(join(folder, '1'))
    .commit(...pair(1))
    .commit(...pair(2))
    .rotate();
  log.time = startTime + day;
  log
    .commit(...pair(3))
    .commit(pair(4)[0])
    .rotate();
  log.time = startTime + 2 * day;
  return log
    .commit(pair(4)[1])
    .commit(...pair(5))
    .commit({ event: 'stopped', kind: 'server' });
}

function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset]! ^= 1;
  writeFileSync(path, bytes);
}

test('of records that hold a text, newest first, and no other', () => {
  const log = writeDays();
  const reader = new LogReader(log.folder);
  const withText = (text: string): number[] => log.texts.flatMap((one, seq) => (one.includes(text) ? [seq] : [])).reverse();
  for (const text of ['"event":"intent"', '"event":"log_rotated"', `"request":"${uuid(4)}"`, '"seq":13,', '{', 'nothing'])
    expect(seqs(reader.recordsBack({}, text))).toEqual(withText(text));
  expect(seqs(reader.recordsBack({ end: 11 }, '"event":"outcome"'))).toEqual([10, 7, 4, 2]);
});

test('every record, forwards and backwards, as it was written', () => {
  const log = writeDays();
  const reader = new LogReader(log.folder);
  expect([...reader.records()].map(({ text }) => text)).toEqual(log.texts);
  expect([...reader.recordsBack()].map(({ text }) => text)).toEqual(log.texts.toReversed());
  const leaves = log.texts.map((text) => createHash('sha256').update(`\0${text}`).digest());
  expect([...reader.leaves(0)]).toEqual(leaves);
  expect([...reader.leaves(7)]).toEqual(leaves.slice(7));
  log.texts.forEach((text, seq) => void expect(reader.recordAt(seq)).toBe(text));
  expect(reader.recordAt(log.size)).toBeUndefined();
  expect(reader.state()).toMatchObject({ note: log.notes.at(-1), checkpoint: { log: log.id, size: 14 }, segment: 3 });
});

test('of a range: by seq, by time, and both', () => {
  const { folder: path } = writeDays();
  const reader = new LogReader(path);
  for (const [range, expected] of [
    [{ first: 5 }, count(5, 14)],
    [{ first: 6, end: 10 }, count(6, 10)],
    [{ end: 3 }, count(0, 3)],
    [{ first: 14 }, []],
    [{ from: startTime + 2 * minute }, count(2, 14)],
    [{ from: startTime + day + 1, to: startTime + 2 * day + minute }, count(7, 11)],
    [{ to: startTime }, []],
    [{ to: startTime + 1 }, [0]],
    [{ first: 3, to: startTime + 5 * minute }, [3, 4]],
    [{ from: startTime + 3 * day }, []],
  ] as const) {
    expect(seqs(reader.records(range))).toEqual(expected);
    expect(seqs(reader.recordsBack(range))).toEqual(expected.toReversed());
  }
});

test('segments that a time leaves out are not opened', () => {
  const { folder: path } = writeDays();
  const reader = new LogReader(path);
  // A day of tolerance on both sides: of three segments one is too far away.
  flip(segment(1), 700);
  expect(seqs(reader.records({ from: startTime + 2 * day + 30 * minute - minute }))).toEqual([]);
  expect(() => seqs(reader.records({ from: startTime + day }))).toThrow(SiteError);
});

test('a clock that was set back within the day hides nothing', () => {
  const log = new SampleLog(join(folder, '1')).commit(...pair(1));
  log.time = startTime + 10 * 3_600_000;
  log.commit(...pair(2));
  log.time = startTime + 3_600_000;
  log
    .commit(...pair(3))
    .rotate()
    .commit({ event: 'gate_closed' });
  expect(seqs(new LogReader(log.folder).records({ from: startTime + 9 * 3_600_000 }))).toEqual([3, 4]);
});

test('what no checkpoint stands behind has not happened yet', () => {
  const log = writeDays();
  log.add({ event: 'gate_closed' });
  const reader = new LogReader(log.folder);
  expect(seqs(reader.records())).toEqual(count(0, 14));
  expect(seqs(reader.recordsBack())[0]).toBe(13);
  expect(reader.recordAt(14)).toBeUndefined();
  appendFileSync(segment(3), encodeFrame('checkpoint', log.notes.at(-1) ?? '').bytes.subarray(0, 50));
  expect(seqs(reader.records())).toEqual(count(0, 14));
});

test('a rotation that has begun: the next segment is there, and this one is still written', () => {
  const log = writeDays().add({ event: 'gate_closed' });
  writeFileSync(segment(4), Buffer.concat([magic, Buffer.alloc(100)]), { mode: 0o600 });
  expect(seqs(new LogReader(log.folder).records())).toEqual(count(0, 14));
});

test('a log that is rotated and added to while it is read: what was there when its segment was opened', () => {
  const log = writeDays();
  const records = new LogReader(log.folder).records();
  expect(records.next().value?.record.seq).toBe(0);
  log
    .commit(...pair(6))
    .rotate()
    .commit(...pair(7));
  expect(seqs(records)).toEqual(count(1, 17));
  const late = new LogReader(log.folder).records({ first: 18 });
  expect(late.next().value?.record.seq).toBe(18);
  log.rotate().commit(...pair(8));
  expect(seqs(late)).toEqual([]);
});

test('purged segments are passed over, also while it is read', () => {
  const log = writeDays();
  const end = readSegmentEnd(segment(1));
  expect(end).toEqual({ record: log.texts[5], checkpoint: log.notes[3] });
  const reader = new LogReader(log.folder);
  const records = reader.records();
  log.purge(1, end.record, end.checkpoint);
  expect(records.next().value?.record.seq).toBe(6);
  expect(seqs(reader.recordsBack()).at(-1)).toBe(6);
  expect(reader.recordAt(3)).toBeUndefined();
  expect(listSegments(log.folder).map(({ isStub }) => isStub)).toEqual([true, false, false]);
  // Its stub ends as it did.
  expect(readSegmentEnd(segment(1))).toEqual(end);
});

test('no log, and one that has just been made', () => {
  expect(new LogReader(join(folder, '1')).state()).toBeUndefined();
  expect(seqs(new LogReader(join(folder, '1')).records())).toEqual([]);
  mkdirSync(join(folder, '1'));
  for (const bytes of [Buffer.alloc(0), magic, Buffer.concat([magic, Buffer.alloc(100)])]) {
    writeFileSync(segment(1), bytes);
    expect(new LogReader(join(folder, '1')).state()).toBeUndefined();
    expect(seqs(new LogReader(join(folder, '1')).records())).toEqual([]);
  }
});

test('right after a rotation the last checkpoint is that of the segment before', () => {
  const log = new SampleLog(join(folder, '1')).commit(...pair(1)).rotate();
  expect(new LogReader(log.folder).state()).toMatchObject({ note: log.notes.at(-1), segment: 1 });
});

test('a damaged beginning of a later segment is no end of the log, whatever is asked for', () => {
  const log = writeDays();
  flip(segment(3), 100);
  for (const range of [{ to: startTime + 3 * day }, { end: 12 }, {}]) expect(() => seqs(new LogReader(log.folder).records(range))).toThrow(/00000003\.log/);
});

describe('refused, with the file and the way on', () => {
  const read = (): number[] => seqs(new LogReader(join(folder, '1')).records());

  test.each<[string, () => unknown, RegExp]>([
    ['a changed bit in a record', () => flip(segment(1), 700), /00000001\.log: the check of record \d of this file, at byte \d+, does not hold/],
    [
      'a changed bit in a record of the newest segment',
      () => flip(segment(3), 100),
      /00000003\.log: the check of record 0 of this file, at byte 16, does not hold/,
    ],
    [
      'a changed length',
      () => flip(segment(1), 18),
      /00000001\.log: expected a checkpoint as its end, found that it breaks off at byte \d+, behind \d records/,
    ],
    ['a changed length in the newest segment', () => flip(segment(3), 18), /at least the 14 records that the file head tells of/],
    [
      'a changed checkpoint in the newest segment',
      () => flip(segment(3), readFileSync(segment(3)).lastIndexOf('inward-audit')),
      /at least the 14 records that the file head tells of/,
    ],
    ['a segment that was cut', () => truncateSync(segment(2), 700), /00000002\.log: expected a checkpoint as its end/],
    ['something behind the end', () => appendFileSync(segment(1), 'x'), /00000001\.log: expected a checkpoint as its end/],
    ['another beginning', () => flip(segment(1), 3), /00000001\.log: expected the beginning of a segment/],
    ['a segment that is missing', () => rmSync(segment(2)), /has no segment 2: it was taken away/],
    ['the newest one gone', () => rmSync(segment(3)), /found 10/],
    ['another segment in its place', () => writeFileSync(segment(2), readFileSync(segment(1))), /00000002\.log: expected the record 6 as its first, found 0/],
    ['a folder in its place', () => [renameSync(segment(1), `${segment(1)}x`), mkdirSync(segment(1))], /00000001\.log/],
    [
      'a record of another form',
      () => writeFileSync(segment(3), Buffer.concat([magic, encodeFrame('record', '{"seq":10}').bytes, encodeFrame('checkpoint', 'x').bytes])),
      /00000003\.log: a record is not in its form/,
    ],
  ])('%s', (_, harm, sentence) => {
    writeDays();
    expect(existsSync(segment(3))).toBe(true);
    harm();
    expect(read).toThrow(SiteError);
    expect(read).toThrow(sentence);
    expect(read).toThrow(/inward audit verify|cannot be read/);
  });
});

test('beside the writer itself, at every moment: a beginning of what was written, which is whole and can be proved', { timeout: 60_000 }, async () => {
  const path = join(folder, '1');
  let now = startTime;
  const machine = { boot: uuid(0), host: '0123456789abcdef' };
  const log = await AuditLog.open(path, { now: () => now, machine, segmentSize: 2000, roomSize: 4096 });
  const reader = new LogReader(path);
  let [looks, seen] = [0, 0];
  let isDone = false;
  const watch = async (): Promise<void> => {
    for (; !isDone; looks++) {
      const found = seqs(reader.records());
      expect(found).toEqual(count(0, found.length));
      expect(found.length).toBeGreaterThanOrEqual(seen);
      seen = found.length;
      using prover = new Prover(reader);
      const options = { keys: [key] };
      expect((await verifyProof(prover.include(seen - 1), options)).flaws).toEqual([]);
      expect((await verifyLog(await openFolder(path), options)).flaws).toEqual([]);
    }
  };
  const key = log?.key ?? '';
  const watching = watch();
  for (let number = 0; number < 60; number++) {
    now += minute;
    await Promise.all(pair(number).map((event) => log?.append(event)));
  }
  isDone = true;
  await watching;
  await log?.[Symbol.asyncDispose]();
  const all = [...reader.records()];
  expect(all.filter(({ record }) => record.event === 'outcome')).toHaveLength(60);
  expect(listSegments(path).length).toBeGreaterThan(5);
  expect(looks).toBeGreaterThan(5);
});
