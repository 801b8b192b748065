/** What may be purged, and a purge that is cut off between any two of its steps. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Disk, systemDisk } from '../../../../server/privacy/audit/disk.ts';
import { listSegments, pathsOf } from '../../../../server/privacy/audit/folder.ts';
import { readFrames } from '../../../../server/privacy/audit/frames.ts';
import { readCheckpoint } from '../../../../server/privacy/audit/note.ts';
import { Prover } from '../../../../server/privacy/audit/proof.ts';
import { endRetention, planPurge, purgeSegments } from '../../../../server/privacy/audit/purge.ts';
import { LogReader } from '../../../../server/privacy/audit/reader.ts';
import { pair, SampleLog } from './sample-log.ts';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'inward-purge-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const now = Date.parse('2033-01-10T12:00:00Z');

/** Segments that end in the years given; the newest one begins now. */
function writeYears(...ends: readonly string[]): SampleLog {
  const log = new SampleLog(join(folder, '1'));
  for (const [index, end] of ends.entries()) {
    log.time = Date.parse(end) - 2 * 60_000;
    log.commit(...pair(index)).rotate();
  }
  log.time = now;
  return log.commit({ event: 'gate_closed' });
}

const plan = (log: SampleLog, before?: number): ReturnType<typeof planPurge> => planPurge(new LogReader(log.folder), now, before);
const writer = (log: SampleLog) => ({ append: async (event: Parameters<SampleLog['commit']>[0]) => void log.commit(event) });
const rootAfter = (log: SampleLog, size: number): string | undefined =>
  log.notes
    .map((note) => readCheckpoint(note))
    .find((checkpoint) => checkpoint?.size === size)
    ?.root.toString('base64');

test.each([
  ['2026-01-10T00:00:00Z', '2032-01-10T00:00:00Z'],
  // There is no such day six years later: one day more.
  ['2028-02-29T00:00:00Z', '2034-03-01T00:00:00Z'],
  ['2026-02-28T12:00:00Z', '2032-02-28T12:00:00Z'],
])('what is recorded at %s is kept until %s', (time, end) => {
  expect(endRetention(Date.parse(time))).toBe(Date.parse(end));
});

test('whole segments from the oldest on, whose last record is six years old; records and root are those of their end', () => {
  const log = writeYears('2026-12-01T00:00:00Z', '2027-01-10T12:00:00Z', '2027-01-10T12:00:01Z', '2027-01-12T00:00:00Z');
  // 1 + 3 + 3 records: the first segment has log_created too.
  expect(plan(log)).toEqual({
    unfinished: [],
    purge: { first: 1, last: 2, records: 7, root: rootAfter(log, 7), until: Date.parse('2027-01-10T12:00:00Z') },
  });
  expect(plan(log, Date.parse('2027-01-01T00:00:00Z')).purge).toMatchObject({ first: 1, last: 1, records: 4 });
  expect(plan(log, Date.parse('2026-01-01T00:00:00Z')).purge).toBeUndefined();
  // A later time than six years ago asks for nothing more.
  expect(plan(log, now).purge?.last).toBe(2);
});

test('one that is younger keeps those behind it, and the newest one stays', () => {
  expect(plan(writeYears('2027-02-01T00:00:00Z', '2020-01-01T00:00:00Z')).purge).toBeUndefined();
  const log = new SampleLog(join(folder, '2')).commit(...pair(1));
  expect(planPurge(new LogReader(log.folder), now + 10 * 366 * 86_400_000).purge).toBeUndefined();
});

test('after a purge the stubs end as the segments did, proofs hold, and a second purge goes on behind it', async () => {
  const log = writeYears('2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z', '2027-01-12T00:00:00Z');
  const ends = [3, 6].map((seq) => [log.texts[seq], log.notes.find((note) => readCheckpoint(note)?.size === seq + 1)]);
  await purgeSegments(log.folder, plan(log), 'carl', writer(log), systemDisk);
  expect(listSegments(log.folder).map(({ isStub }) => isStub)).toEqual([true, true, false, false]);
  for (const [index, end] of ends.entries())
    expect([...readFrames(readFileSync(pathsOf(log.folder).stub(index + 1)))].map(({ body }) => body.toString())).toEqual(end);
  expect(JSON.parse(log.texts.at(-1) ?? '')).toMatchObject({ event: 'log_purged', first: 1, last: 2, records: 7, by: 'carl' });
  using prover = new Prover(new LogReader(log.folder));
  expect(prover.include(8).chain).toHaveLength(3);
  expect(plan(log)).toEqual({ unfinished: [], purge: undefined });
  const later = planPurge(new LogReader(log.folder), now + 3 * 86_400_000);
  expect(later).toMatchObject({ unfinished: [], purge: { first: 3, last: 3, records: 3, root: rootAfter(log, 10) } });
});

/** A disk that fails at its nth step. */
function createFailingDisk(steps: number): Disk {
  let left = steps;
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    if (left-- === 0) throw new Error('cut off');
    return await work();
  };
  return {
    create: (path) =>
      step(async () => {
        const file = await systemDisk.create(path);
        return { ...file, write: (bytes, position) => step(() => file.write(bytes, position)), sync: () => step(() => file.sync()) };
      }),
    open: (path) => systemDisk.open(path),
    rename: (from, to) => step(() => systemDisk.rename(from, to)),
    remove: (path) => step(() => systemDisk.remove(path)),
    syncFolder: (path) => step(() => systemDisk.syncFolder(path)),
  };
}

test('cut off before any step it can be finished, with one record', async () => {
  let cuts = 0;
  for (let steps = 0; ; steps++) {
    rmSync(join(folder, '1'), { recursive: true, force: true });
    const log = writeYears('2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z', '2027-01-12T00:00:00Z');
    const isWhole = await purgeSegments(log.folder, plan(log), 'carl', writer(log), createFailingDisk(steps)).then(
      () => true,
      () => false,
    );
    // Whatever happened, every segment or its stub is there.
    const names = listSegments(log.folder);
    expect(names).toHaveLength(4);
    if (isWhole) break;
    cuts++;
    const rest = plan(log);
    expect(rest.purge).toBeUndefined();
    expect(rest.unfinished).toEqual(names.filter(({ isStub, number }) => !isStub && number < 3).map(({ number }) => number));
    await purgeSegments(log.folder, rest, 'carl', writer(log), systemDisk);
    expect(readdirSync(log.folder).sort()).toEqual(['00000001.stub', '00000002.stub', '00000003.log', '00000004.log', 'hashes', 'head']);
    expect(log.texts.filter((text) => text.includes('"event":"log_purged"'))).toHaveLength(1);
  }
  expect(cuts).toBe(12);
});

test('where the record cannot be written, nothing goes', async () => {
  const log = writeYears('2026-12-01T00:00:00Z', '2027-01-12T00:00:00Z');
  const broken = { append: () => Promise.reject(new Error('the disk is full')) };
  await expect(purgeSegments(log.folder, plan(log), 'carl', broken, systemDisk)).rejects.toThrow('the disk is full');
  expect(existsSync(pathsOf(log.folder).segment(1))).toBe(true);
  expect(existsSync(pathsOf(log.folder).stub(1))).toBe(false);
});
