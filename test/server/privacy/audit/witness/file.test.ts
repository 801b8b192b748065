/** The witness that is a file: what it holds, what it finds out, what it refuses, and writes that fail. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { openWitness, type Witness } from '../../../../../server/privacy/audit/witness.ts';
import { codeOf, SmallLog } from './small-log.ts';

const top = mkdtempSync(join(tmpdir(), 'inward-witness-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));
let count = 0;
let folder = '';
let path = '';
beforeEach(() => {
  folder = join(top, String(count++));
  mkdirSync(join(folder, 'audit', '1'), { recursive: true });
  path = join(folder, 'checkpoints');
});
const openFile = (log: SmallLog, at: string = path): Promise<Witness> => openWitness(`file:${at}`, () => [], { id: log.id, folder: join(folder, 'audit') });

test('holds the notes one behind the other, for its owner alone, and knows the last one when it is opened again', async () => {
  const log = new SmallLog();
  const notes = [log.grow(3), log.grow(4), log.grow(1)];
  {
    await using witness = await openFile(log);
    expect(witness.lastSeen()).toBeUndefined();
    for (const note of notes) await witness.keep(note);
    expect(witness.lastSeen()).toMatchObject({ size: 8, note: notes[2]?.note });
  }
  expect(readFileSync(path, 'utf8')).toBe(notes.map(({ note }) => note).join(''));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await using again = await openFile(log);
  expect(again.lastSeen()).toMatchObject({ log: log.id, size: 8 });
  await again.keep(log.at(8));
  await again.keep(log.grow(1));
  expect((await openFile(log)).lastSeen()).toMatchObject({ size: 9 });
  expect(readFileSync(path, 'utf8').match(/^inward-audit/gm)).toHaveLength(4);
});

test('an older copy and another history are found out, and nothing of them is kept', async () => {
  const log = new SmallLog();
  log.grow(5);
  const twin = log.fork();
  await using witness = await openFile(log);
  await witness.keep(log.grow(5));
  const before = readFileSync(path, 'utf8');
  expect(await codeOf(witness.keep(log.at(9)))).toBe('rolled_back');
  expect(await codeOf(witness.keep(twin.grow(5, 'another')))).toBe('forked');
  expect(await codeOf(witness.keep(twin.grow(7, 'another')))).toBe('forked');
  expect(readFileSync(path, 'utf8')).toBe(before);
  const broken = {
    ...log.grow(1),
    proveFrom: () => {
      throw new Error('hashes cannot be read');
    },
  };
  expect(await codeOf(witness.keep(broken))).toBe('unprovable');
  await witness.keep(log.at(11));
});

test('logs that share a file each find their own, however far back', async () => {
  const [log, other] = [new SmallLog(), new SmallLog()];
  await using witness = await openFile(log);
  await using second = await openFile(other);
  await witness.keep(log.grow(2));
  await second.keep(other.grow(3));
  // More than is read at once.
  appendFileSync(path, other.at(3).note.repeat(600));
  expect(statSync(path).size).toBeGreaterThan(2 * 65_536);
  expect((await openFile(log)).lastSeen()).toMatchObject({ size: 2 });
  expect((await openFile(other)).lastSeen()).toMatchObject({ size: 3 });
  expect((await openFile(new SmallLog())).lastSeen()).toBeUndefined();
  await witness.keep(log.grow(1));
  await second.keep(other.grow(1));
  expect(await codeOf(witness.keep(log.at(2)))).toBe('rolled_back');
});

test('a write that was cut off at any byte is taken away, and nothing before it', async () => {
  const log = new SmallLog();
  const [first, second] = [log.grow(3), log.grow(2)];
  for (let length = 0; length < Buffer.byteLength(second.note); length++) {
    writeFileSync(path, Buffer.concat([Buffer.from(first.note), Buffer.from(second.note).subarray(0, length)]));
    const witness = await openFile(log);
    expect(witness.lastSeen()).toMatchObject({ size: 3 });
    expect(readFileSync(path, 'utf8')).toBe(first.note);
  }
  appendFileSync(path, Buffer.alloc(100));
  await (await openFile(log)).keep(second);
  expect(readFileSync(path, 'utf8')).toBe(first.note + second.note);
});

test.each([
  ['a text of somebody', (note: string) => `hello\n${note}`],
  ['text behind a note', (note: string) => `${note}hello\n`],
  ['a note with a changed size', (note: string) => note.replace('\n3\n', '\n03\n') + note],
  ['a large file of something else', () => 'x'.repeat(200_000)],
])('refuses %s and leaves it as it is', async (_, change) => {
  const log = new SmallLog();
  const text = change(log.grow(3).note);
  writeFileSync(path, text);
  await expect(openFile(log)).rejects.toThrow(/expected checkpoints of audit logs and nothing else, found other text/);
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('refuses places that are no second place', async () => {
  const log = new SmallLog();
  const inside = /is in the folder of the audit log.*set auditWitness/;
  await expect(openFile(log, join(folder, 'audit', 'checkpoints'))).rejects.toThrow(inside);
  await expect(openFile(log, join(folder, 'audit', '1', 'checkpoints'))).rejects.toThrow(inside);
  await expect(openFile(log, join(folder, 'x', '..', 'audit', 'checkpoints'))).rejects.toThrow(
    /folder for it that is there, found none \(ENOENT\)|is in the folder/,
  );
  symlinkSync(join(folder, 'audit'), join(folder, 'way'));
  await expect(openFile(log, join(folder, 'way', 'checkpoints'))).rejects.toThrow(inside);
  symlinkSync(join(folder, 'audit', 'checkpoints'), join(folder, 'link'));
  await expect(openFile(log, join(folder, 'link'))).rejects.toThrow(/cannot be used \(ELOOP\)/);
  expect(existsSync(join(folder, 'audit', 'checkpoints'))).toBe(false);
  await expect(openFile(log, '/dev/full')).rejects.toThrow('/dev/full of the audit witness cannot be used: expected a regular file, found something else.');
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await expect(openFile(log, join(folder, 'pipe'))).rejects.toThrow(/expected a regular file|ENXIO/);
  await expect(openFile(log, folder)).rejects.toThrow(/EISDIR|regular file/);
  await expect(openFile(log, join(folder, 'none', 'checkpoints'))).rejects.toThrow(/folder for it that is there, found none \(ENOENT\)/);
  // Beside it, with a name that begins alike.
  await openFile(log, join(folder, 'audit-checkpoints'));
});

test('a share that goes away is an error until it is back; a file that was cut is one', async () => {
  const log = new SmallLog();
  await using witness = await openFile(log);
  await witness.keep(log.grow(3));
  renameSync(path, `${path}.away`);
  expect(await codeOf(witness.keep(log.grow(1)))).toBe('unwritable');
  expect(existsSync(path)).toBe(false);
  renameSync(`${path}.away`, path);
  await witness.keep(log.grow(1));
  expect(witness.lastSeen()).toMatchObject({ size: 5 });
  truncateSync(path, 0);
  expect(await codeOf(witness.keep(log.grow(1)))).toBe('unwritable');
});

test('what the disk has no room for is taken away again', async () => {
  const log = new SmallLog();
  await using witness = await openFile(log);
  await witness.keep(log.grow(3));
  const before = readFileSync(path);
  const probe = await open(path, 'r');
  const kind = Object.getPrototypeOf(probe) as { write(...args: unknown[]): Promise<{ bytesWritten: number }>; datasync(): Promise<void> };
  await probe.close();
  const write = kind.write;
  const spy = vi.spyOn(kind, 'write').mockImplementationOnce(function (this: unknown, bytes: unknown) {
    return write.call(this, (bytes as Buffer).subarray(0, 100), 0);
  });
  spy.mockImplementationOnce(() => Promise.reject(Object.assign(new Error('no room'), { code: 'ENOSPC' })));
  expect(await codeOf(witness.keep(log.grow(1)))).toBe('unwritable');
  expect(spy).toHaveBeenCalledTimes(2);
  expect(readFileSync(path)).toEqual(before);
  vi.spyOn(kind, 'datasync').mockRejectedValueOnce(Object.assign(new Error('no answer'), { code: 'EIO' }));
  expect(await codeOf(witness.keep(log.at(4)))).toBe('unwritable');
  expect(readFileSync(path)).toEqual(before);
  expect(witness.lastSeen()).toMatchObject({ size: 3 });
  vi.restoreAllMocks();
  await witness.keep(log.at(4));
});

test('refuses a file that this user may not write', async ({ skip }) => {
  skip(process.getuid?.() === 0, 'root may write to every file');
  writeFileSync(path, '');
  chmodSync(path, 0o400);
  await expect(openFile(new SmallLog())).rejects.toThrow(/EACCES/);
});
