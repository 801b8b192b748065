/** The writer of the audit log: order, groups, segments, keys, and what is found when a log is opened again. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { type AuditEvent, EventError } from '../../../../server/privacy/audit/events.ts';
import { pathsOf } from '../../../../server/privacy/audit/folder.ts';
import { encodeFrame } from '../../../../server/privacy/audit/frames.ts';
import { AuditLog } from '../../../../server/privacy/audit/log.ts';
import { SiteError } from '../../../../server/privacy/errors.ts';
import {
  appendAll,
  begin,
  createLogFolder,
  createOptions,
  dayMs,
  expectIntact,
  finish,
  intend,
  LogClock,
  type LogFolder,
  listEvents,
  listMarks,
  mark,
  openSmall,
  readEntries,
  requestId,
  waitFor,
  watchDisk,
} from './log-site.ts';
import { flipBit, listFrames } from './logs.ts';
import { appendUnknown } from './newer-log.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** A closed log with some records; `days` segments. */
async function createClosed(days = 1): Promise<LogFolder> {
  const folder = createLogFolder();
  const clock = new LogClock();
  await using log = await openSmall(folder, { now: clock.now });
  for (const day of range(0, days)) {
    clock.time = begin + day * dayMs;
    await appendAll(
      log,
      range(0, 5).map((number) => mark(day * 5 + number)),
    );
  }
  return folder;
}

const refuse = (folder: LogFolder, sentence: RegExp): Promise<void> => expect(openSmall(folder)).rejects.toThrow(sentence);

test('records stand in the order in which they came, and what comes in one turn has one checkpoint and one sync', async () => {
  using folder = createLogFolder();
  let syncs = 0;
  const disk = watchDisk(({ operation, name }) => void (operation === 'sync' && name.endsWith('.log') && syncs++));
  await using log = await openSmall(folder, { disk });
  await log.append(mark(0));
  const before = [syncs, (await expectIntact(folder.path)).checkpoints];
  await appendAll(log, range(1, 1000).map(mark));
  // More than the room that was there: zeros are one sync, records another.
  expect(syncs - before[0]!).toBe(2);
  expect((await expectIntact(folder.path)).checkpoints - before[1]!).toBe(1);
  expect(listMarks(folder.path)).toEqual(range(0, 1000));
  expect(log.checkpoint.size).toBe(1001);
  expect(readFileSync(join(folder.path, 'head'), 'utf8')).toBe(log.checkpoint.note);
});

test('more than a group takes is several groups, in order', async () => {
  using folder = createLogFolder();
  await using log = await openSmall(folder, { roomSize: 2 ** 20 });
  await appendAll(log, range(0, 5000).map(mark));
  expect(listMarks(folder.path)).toEqual(range(0, 5000));
  // log_created, and groups of 2,048.
  expect((await expectIntact(folder.path)).checkpoints).toBe(4);
});

test('a record is durable before its promise resolves', async () => {
  using folder = createLogFolder();
  let release: () => void = () => undefined;
  let isHeld = false;
  const disk = watchDisk(({ operation }) => (operation === 'sync' && isHeld ? new Promise<void>((resolve) => (release = resolve)) : undefined));
  await using log = await openSmall(folder, { disk });
  await log.append(mark(0));
  isHeld = true;
  const durable = vi.fn();
  const appended = log.append(mark(1)).then(durable);
  await waitFor(() => expect(listMarks(folder.path)).toEqual([0, 1]));
  expect(durable).not.toHaveBeenCalled();
  expect(log.checkpoint.size).toBe(2);
  isHeld = false;
  release();
  await appended;
  expect(log.checkpoint.size).toBe(3);
});

test('a log goes on where it ended, with the requests that had no end closed as crashed', async () => {
  using folder = createLogFolder();
  let key = '';
  for (const start of [0, 1]) {
    await using log = await openSmall(folder);
    key ||= log.key;
    expect(log.key).toBe(key);
    expect([...log.openRequests]).toEqual([]);
    await log.append(mark(start));
    await appendAll(log, [intend(2 * start), intend(2 * start + 1), finish(2 * start)]);
    expect([...log.openRequests]).toEqual([requestId(2 * start + 1)]);
  }
  const entries = readEntries(folder.path);
  expect(entries.map(({ event }) => event)).toEqual([
    ...['log_created', 'agreement_ending', 'intent', 'intent', 'outcome'],
    ...['outcome', 'agreement_ending', 'intent', 'intent', 'outcome'],
  ]);
  expect(entries[5]).toMatchObject({ seq: 5, request: requestId(1), ending: 'crashed' });
  expect((await expectIntact(folder.path, [key])).open).toBe(1);
});

test('one process writes a log at a time: a second one gets nothing, and gets it when the first one has closed it', async () => {
  using folder = createLogFolder();
  {
    await using log = await openSmall(folder);
    expect(await AuditLog.open(folder.path, createOptions())).toBeUndefined();
    await log.append(mark(0));
  }
  await using again = await openSmall(folder);
  await again.append(mark(1));
  expect(listMarks(folder.path)).toEqual([0, 1]);
});

/** A process that writes from a number on. */
function startWriter(folder: LogFolder, first: number): ChildProcessByStdio<null, Readable, null> {
  const path = fileURLToPath(new URL('write-log.ts', import.meta.url));
  return spawn(process.execPath, [path, folder.path, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
}

test('another process gets nothing either, and the lock is free when it was killed', async () => {
  using folder = createLogFolder();
  const child = startWriter(folder, 0);
  await once(child.stdout, 'data');
  expect(await AuditLog.open(folder.path, createOptions())).toBeUndefined();
  child.kill('SIGKILL');
  await once(child, 'exit');
  await using log = await openSmall(folder);
  await log.append(mark(1_000_000));
  expect(listMarks(folder.path).at(-1)).toBe(1_000_000);
});

// A hundred starts of Node in full.
test('killed at any moment, again and again: what was acknowledged is there, once and in order, and the log goes on', { timeout: 600_000 }, async () => {
  using folder = createLogFolder();
  const acknowledged: number[] = [];
  for (const turn of range(0, process.env['INWARD_FULL'] ? 100 : 5)) {
    const child = startWriter(folder, turn * 100_000);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, (turn * 37) % 150));
    child.kill('SIGKILL');
    await once(child, 'close');
    // The last line may be cut.
    acknowledged.push(...text.split('\n').slice(0, -1).map(Number));
  }
  await (await openSmall(folder))[Symbol.asyncDispose]();
  const marks = listMarks(folder.path) as number[];
  expect(marks).toEqual([...new Set(marks)].sort((a, b) => a - b));
  const own = new Set(marks);
  expect(acknowledged.filter((number) => !own.has(number))).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(30);
  await expectIntact(folder.path);
});

test('a day ends a segment; the next one has another key, and the old one is in no file', async () => {
  using folder = createLogFolder();
  const clock = new LogClock();
  await using log = await openSmall(folder, { now: clock.now });
  const first = readFileSync(join(folder.path, 'key'));
  const keys = [log.key];
  await appendAll(log, [mark(0), intend(1)]);
  clock.time = begin + 14 * 3_600_000 - 1;
  await log.append(mark(1));
  expect(keys).toEqual([log.key]);
  clock.time += 1;
  await log.append(mark(2));
  keys.push(log.key);
  expect(new Set(keys).size).toBe(2);
  expect(readdirSync(folder.path).sort()).toEqual(['00000001.log', '00000002.log', 'hashes', 'head', 'key', 'lock']);
  for (const name of readdirSync(folder.path)) expect(readFileSync(join(folder.path, name)).includes(first), name).toBe(false);
  expect(readEntries(folder.path).find(({ event }) => event === 'log_rotated')).toMatchObject({ segment: 2, open: 1, time: clock.time });
  await expectIntact(folder.path, [keys[0]!]);
});

test('the old key is overwritten where it lies before its name is given to the new one', async () => {
  using folder = createLogFolder();
  const clock = new LogClock();
  const seen: unknown[] = [];
  const disk = watchDisk(({ operation, name, bytes }) => {
    if (name.startsWith('key')) seen.push([operation, name, ...(bytes === undefined ? [] : [bytes.every((byte) => byte === 0)])]);
  });
  await using log = await openSmall(folder, { now: clock.now, disk });
  seen.length = 0;
  clock.time += dayMs;
  await log.append(mark(0));
  expect(seen).toEqual([
    ...[
      ['remove', 'key.next'],
      ['create', 'key.next'],
      ['write', 'key.next', false],
      ['sync', 'key.next'],
    ],
    ...[
      ['open', 'key'],
      ['write', 'key', true],
      ['sync', 'key'],
      ['rename', 'key.next'],
    ],
  ]);
});

test('a segment ends with its size', async () => {
  using folder = createLogFolder();
  await using log = await openSmall(folder, { segmentSize: 10_000 });
  for (const number of range(0, 120)) await log.append(mark(number));
  const names = readdirSync(folder.path).filter((name) => name.endsWith('.log'));
  expect(names.length).toBeGreaterThan(3);
  // One group and the end of the segment beyond it.
  for (const name of names.slice(0, -1)) expect(statSync(join(folder.path, name)).size).toBeLessThan(12_000);
  expect(listMarks(folder.path)).toEqual(range(0, 120));
  await expectIntact(folder.path);
});

test('a request that was open over days is closed when the log is opened again', async () => {
  using folder = createLogFolder();
  const clock = new LogClock();
  {
    await using log = await openSmall(folder, { now: clock.now });
    await appendAll(log, [intend(1), intend(2)]);
    for (const day of range(1, 4)) {
      clock.time = begin + day * dayMs;
      await log.append(day === 2 ? finish(2) : mark(day));
    }
  }
  await (await openSmall(folder, { now: clock.now }))[Symbol.asyncDispose]();
  expect(readEntries(folder.path).at(-1)).toMatchObject({ event: 'outcome', request: requestId(1), ending: 'crashed' });
  expect((await expectIntact(folder.path)).open).toBe(0);
});

test('a clock that was ahead and is put back, while nothing runs or while it does: a gap says so, a new segment begins, and the time that is right is known', async () => {
  using folder = createLogFolder();
  const clock = new LogClock();
  clock.time = begin + 400 * dayMs;
  {
    await using log = await openSmall(folder, { now: clock.now });
    await log.append(intend(0));
  }
  clock.time = begin;
  {
    await using log = await openSmall(folder, { now: clock.now });
    expect(log.recovered.latest).toBe(begin + 400 * dayMs);
    await log.append({ event: 'clock_reset', by: 'admin', at: begin, change: 1 });
    clock.time = begin + 200 * dayMs;
    await log.append(mark(1));
    clock.time = begin + dayMs;
    await log.append(mark(2));
    // Time servers correct by less.
    clock.time -= 5000;
    await log.append(mark(3));
  }
  await using log = await openSmall(folder, { now: clock.now });
  expect(log.recovered.latest).toBe(begin + dayMs);
  const entries = readEntries(folder.path).filter(({ event }) => event !== 'log_rotated');
  expect(entries.map(({ event, cause, time }) => [event, cause, (Number(time) - begin) / dayMs])).toEqual([
    ['log_created', undefined, 400],
    ['intent', undefined, 400],
    ['gap', 'clock', 0],
    ['outcome', undefined, 0],
    ['clock_reset', undefined, 0],
    ['agreement_ending', undefined, 200],
    ['gap', 'clock', 1],
    ['agreement_ending', undefined, 1],
    ['agreement_ending', undefined, 1 - 5000 / dayMs],
  ]);
  await expectIntact(folder.path);
});

test('who looks at the time of the last record before anything is written can end the opening', async () => {
  using folder = createLogFolder();
  {
    await using log = await openSmall(folder);
    await log.append(intend(0));
  }
  const before = readFileSync(join(folder.path, '00000001.log'));
  const check = vi.fn(() => {
    throw new SiteError('The clock is behind.');
  });
  await expect(openSmall(folder, { check })).rejects.toThrow('The clock is behind.');
  expect(check).toHaveBeenCalledExactlyOnceWith(begin);
  expect(readFileSync(join(folder.path, '00000001.log')).equals(before)).toBe(true);
  await (await openSmall(folder))[Symbol.asyncDispose]();
});

test('changes of the store and the last profile are known when a log is opened again', async () => {
  using folder = createLogFolder();
  const change = { event: 'tenant_added', by: 'admin', at: begin, tenant: 'cardiology', change: 7 } as const;
  const profile = 'ab'.repeat(32);
  {
    await using log = await openSmall(folder);
    await appendAll(log, [{ event: 'started', kind: 'server', mode: 'phi', version: '1.2.3', profile }, change]);
  }
  await using log = await openSmall(folder);
  expect(log.recovered.profile).toBe(profile);
  expect([...log.recovered.changes].map((text) => Object.fromEntries(JSON.parse(text) as [string, unknown][]))).toEqual([change]);
});

test('an event that was changed after it was handed over is recorded as it was', async () => {
  using folder = createLogFolder();
  await using log = await openSmall(folder);
  const event = { ...mark(1) } as { days: unknown };
  const appended = log.append(event as AuditEvent);
  event.days = 'a marker';
  await appended;
  expect(listMarks(folder.path)).toEqual([1]);
});

test('an event that is none is refused at once, and nothing of it is written', async () => {
  using folder = createLogFolder();
  await using log = await openSmall(folder);
  expect(() => log.append({ ...mark(1), note: 'a marker' } as AuditEvent)).toThrow(EventError);
  await log.append(mark(2));
  expect(listEvents(folder.path)).toEqual(['log_created', 'agreement_ending']);
});

test('who is told of checkpoints and throws stops the trail, and nothing is written twice', async () => {
  using folder = createLogFolder();
  let isBroken = false;
  await using log = await openSmall(folder);
  log.onCheckpoint(() => {
    if (isBroken) throw new Error('test');
  });
  isBroken = true;
  await log.append(mark(1));
  await waitFor(() => expect(log.fault).toBe('witness'));
  isBroken = false;
  log.setFault('witness', false);
  await log.append(mark(2));
  expect(listEvents(folder.path)).toEqual(['log_created', 'agreement_ending', 'audit_stopped', 'audit_resumed', 'agreement_ending']);
  await expectIntact(folder.path);
});

test('a log that is closed takes nothing more, and can be closed twice', async () => {
  using folder = createLogFolder();
  const log = await openSmall(folder);
  const last = log.append(mark(0));
  await Promise.all([log[Symbol.asyncDispose](), log[Symbol.asyncDispose]()]);
  await last;
  await log[Symbol.asyncDispose]();
  await expect(log.append(mark(1))).rejects.toThrow('cannot be written');
  expect(listMarks(folder.path)).toEqual([0]);
});

// What is found when a log is opened.

test.each(['head', 'hashes'])('%s that is missing, empty or something else is made right', async (name) => {
  for (const content of [undefined, '', 'something else']) {
    using folder = await createClosed(3);
    const path = join(folder.path, name);
    const before = readFileSync(path);
    rmSync(path);
    if (content !== undefined) writeFileSync(path, content, { mode: 0o600 });
    {
      await using log = await openSmall(folder, { now: () => begin + 3 * dayMs });
      await log.append(mark(15));
    }
    const gaps = readEntries(folder.path).filter(({ event }) => event === 'gap');
    expect(gaps).toMatchObject(name === 'head' ? [{ cause: 'head', bytes: 0, records: 0 }] : []);
    if (name === 'hashes') expect(readFileSync(path).subarray(0, before.length).equals(before)).toBe(true);
    await expectIntact(folder.path);
  }
});

test('a log that ends before `head` is refused, and not written to', async () => {
  using folder = await createClosed();
  const path = join(folder.path, '00000001.log');
  const bytes = readFileSync(path);
  const frames = listFrames(bytes);
  // The last group is gone, as in an older copy.
  truncateSync(path, frames.filter(({ isRecord }) => !isRecord).at(-2)!.end);
  const names = readdirSync(folder.path);
  const before = names.map((name) => readFileSync(join(folder.path, name)));
  await refuse(folder, /cannot be gone on with: record 5 was acknowledged, and the 1 that are there do not go on from that\./);
  expect(names.map((name) => readFileSync(join(folder.path, name)))).toEqual(before);
  writeFileSync(path, bytes);
  await (await openSmall(folder))[Symbol.asyncDispose]();
});

test('records in front of others that are signed were changed, not torn: refused, also without `head`', async () => {
  using folder = createLogFolder();
  {
    await using log = await openSmall(folder);
    for (const number of range(0, 4)) await log.append(mark(number));
  }
  const path = join(folder.path, '00000001.log');
  const bytes = readFileSync(path);
  const [, , second] = listFrames(bytes);
  writeFileSync(path, flipBit(bytes, (second!.offset + 20) * 8));
  await refuse(folder, /there is more that was signed behind record 0/);
  rmSync(join(folder.path, 'head'));
  await refuse(folder, /there is more that was signed behind record 0/);
});

test('what a crash has left behind the last checkpoint is taken away, and a gap says so', async () => {
  using folder = await createClosed();
  const path = join(folder.path, '00000001.log');
  const bytes = readFileSync(path);
  const frames = listFrames(bytes);
  const end = frames.at(-1)!.end;
  // A record without a checkpoint, and half of one.
  const { bytes: whole } = encodeFrame('record', JSON.stringify({ seq: frames.filter(({ isRecord }) => isRecord).length }));
  const torn = Buffer.concat([whole, frames[3]!.bytes.subarray(0, 50)]);
  writeFileSync(path, Buffer.concat([bytes.subarray(0, end), torn, Buffer.alloc(500)]));
  {
    // Also where a new day would begin another segment.
    await using log = await openSmall(folder, { now: () => begin + dayMs });
    await log.append(mark(5));
  }
  const gap = { event: 'gap', cause: 'torn', bytes: torn.length, records: 1 };
  expect(readEntries(folder.path).slice(-3)).toMatchObject([gap, { event: 'log_rotated' }, mark(5)]);
  await expectIntact(folder.path);
});

test('segments that are gone are missed: the newest, one in between, all, or the content of the first', async () => {
  using folder = await createClosed(3);
  const [first, second, third] = [1, 2, 3].map((number) => pathsOf(folder.path).segment(number)) as [string, string, string];
  const away = `${folder.path}.away`;
  for (const [path, sentence] of [
    [third, /its newest segment is gone/],
    [second, /has no segment 2/],
    [first, /has no segment 1/],
  ] as const) {
    renameSync(path, away);
    await refuse(folder, sentence);
    renameSync(away, path);
  }
  mkdirSync(away);
  for (const path of [first, second, third]) renameSync(path, path.replace(folder.path, away));
  await refuse(folder, /has lost its segments: they were taken away/);
  rmSync(join(folder.path, 'hashes'));
  await refuse(folder, /has lost its segments: they were taken away/);
  writeFileSync(first, '', { mode: 0o600 });
  await refuse(folder, /its first record cannot be read/);
  rmSync(first);
  for (const path of [first, second, third]) renameSync(path.replace(folder.path, away), path);
  await (await openSmall(folder))[Symbol.asyncDispose]();
});

test('a key that is not the one of the log is refused', async () => {
  using folder = await createClosed();
  using other = await createClosed();
  const key = readFileSync(join(folder.path, 'key'));
  for (const bytes of [readFileSync(join(other.path, 'key')), Buffer.alloc(32), Buffer.alloc(31), Buffer.alloc(0)]) {
    writeFileSync(join(folder.path, 'key'), bytes);
    await refuse(folder, /is not the key that the audit log in .* goes on with/);
  }
  rmSync(join(folder.path, 'key'));
  await refuse(folder, /is not the key that/);
  writeFileSync(join(folder.path, 'key'), key, { mode: 0o600 });
  await (await openSmall(folder))[Symbol.asyncDispose]();
});

test('records of a newer program do not stand in the way', async () => {
  using folder = createLogFolder();
  {
    await using log = await openSmall(folder);
    await log.append(mark(0));
  }
  appendUnknown(folder.path, { event: 'from_the_future', request: { deep: true }, time: begin, boot: 'x', host: 'y', up: 1 });
  await using log = await openSmall(folder);
  await log.append(mark(1));
  expect(listEvents(folder.path)).toEqual(['log_created', 'agreement_ending', 'from_the_future', 'agreement_ending']);
  await expectIntact(folder.path);
});

test.each(['00000001.log', 'hashes', 'head', 'key', 'lock'])(
  '%s is refused where it is a link, a folder or a pipe, or where others can use it',
  async (name) => {
    using folder = await createClosed();
    const [path, away] = [join(folder.path, name), `${folder.path}.away`];
    renameSync(path, away);
    symlinkSync(away, path);
    await refuse(folder, new RegExp(`${name} is no regular file: expected one of an audit log`));
    rmSync(path);
    mkdirSync(path);
    await refuse(folder, new RegExp(`${name} is no regular file`));
    rmSync(path, { recursive: true });
    const pipe = spawn('mkfifo', [path]);
    await once(pipe, 'exit');
    if (existsSync(path)) await refuse(folder, new RegExp(`${name} is no regular file`));
    rmSync(path, { force: true });
    renameSync(away, path);
    for (const mode of [0o640, 0o604, 0o602]) {
      chmodSync(path, mode);
      await refuse(folder, new RegExp(`${name} can be read or written by others`));
    }
    chmodSync(path, 0o600);
    await (await openSmall(folder))[Symbol.asyncDispose]();
  },
);

test('a folder that others can look into is refused, and so is that of another user', async () => {
  using folder = await createClosed();
  chmodSync(folder.path, 0o750);
  await refuse(folder, /can be read or written by others.*chmod 700/);
  chmodSync(folder.path, 0o700);
  using getuid = vi.spyOn(process, 'getuid').mockReturnValue((process.getuid?.() ?? 0) + 1);
  await refuse(folder, /belongs to another user/);
  getuid.mockRestore();
  await (await openSmall(folder))[Symbol.asyncDispose]();
});

test('a file that is larger than any segment is refused before it is read', async () => {
  using folder = await createClosed();
  truncateSync(join(folder.path, '00000001.log'), 2 ** 28 + 1);
  await refuse(folder, /is no segment of an audit log: expected at most 268435456 bytes, found 268435457\./);
});

test('a place where no folder can be is said to be one', async () => {
  using folder = createLogFolder();
  writeFileSync(dirname(folder.path), '');
  await expect(openSmall(folder)).rejects.toThrow(/cannot be made: expected a place where this user may write/);
});
