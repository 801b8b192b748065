/** The writer of the audit log on a disk that is full, broken or slow: it says so, loses nothing, and goes on when the cause is gone. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Disk, systemDisk } from '../../../../server/privacy/audit/disk.ts';
import { type AuditLog, StoppedError } from '../../../../server/privacy/audit/log.ts';
import {
  begin,
  createLogFolder,
  dayMs,
  expectIntact,
  expectSettled,
  failWith,
  finish,
  intend,
  LogClock,
  listEvents,
  listMarks,
  mark,
  openSmall,
  readEntries,
  type Step,
  waitFor,
  watchDisk,
} from './log-site.ts';
import { canMount, mountSmall } from './mounts.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** A disk that can be made to fail. */
class FaultyDisk {
  /** Code of the error of a step; undefined: it is done. */
  judge: (step: Step) => string | undefined | Promise<string | undefined> = () => undefined;
  readonly disk: Disk = watchDisk(async (step) => {
    const code = await this.judge(step);
    if (code !== undefined) failWith(code);
  });

  heal(): void {
    this.judge = () => undefined;
  }
}

async function expectStopped(log: AuditLog, appended: Promise<void>, cause: string): Promise<void> {
  const error = await appended.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoppedError);
  expect((error as StoppedError).cause).toBe(cause);
  expect(log.fault).toBe(cause);
}

const expectResumed = (log: AuditLog): Promise<void> => waitFor(() => expect(log.fault).toBeUndefined());

/** Events behind the first record, without what is of no matter. */
const listTail = (folder: string): unknown[] => listEvents(folder).slice(1);

const isSegment = ({ name }: Step): boolean => name.endsWith('.log');

test.each<[string, string, (step: Step) => string | undefined]>([
  ['write', 'an error of a write', (step) => (isSegment(step) && step.operation === 'write' ? 'EIO' : undefined)],
  ['write', 'an error of a sync', (step) => (isSegment(step) && step.operation === 'sync' ? 'EIO' : undefined)],
  ['write', 'a closed descriptor', (step) => (isSegment(step) && step.operation === 'write' ? 'EBADF' : undefined)],
  ['write', 'a system that is read-only', (step) => (step.operation === 'write' ? 'EROFS' : undefined)],
  ['space', 'a full disk at a sync', (step) => (isSegment(step) && step.operation === 'sync' ? 'ENOSPC' : undefined)],
  ['space', 'a quota', (step) => (isSegment(step) && step.operation === 'write' ? 'EDQUOT' : undefined)],
  ['space', 'the largest file', (step) => (isSegment(step) && step.operation === 'write' ? 'EFBIG' : undefined)],
])('it stops with %s at %s, keeps everything, and goes on by itself', async (cause, _, judge) => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  await using log = await openSmall(folder, { disk: faulty.disk });
  const states: unknown[] = [];
  log.onState((state) => states.push(state));
  await log.append(mark(0));
  faulty.judge = judge;
  await expectStopped(log, log.append(mark(1)), cause);
  await expectStopped(log, log.append(mark(2)), cause);
  const { size } = log.checkpoint;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(log.checkpoint.size).toBe(size);
  faulty.heal();
  await expectResumed(log);
  await log.append(mark(3));
  expect(states).toEqual([cause, undefined]);
  expect(listTail(folder.path)).toEqual([
    ...['agreement_ending', 'agreement_ending', 'audit_stopped', 'agreement_ending', 'audit_resumed', 'agreement_ending'],
  ]);
  expect(listMarks(folder.path)).toEqual([0, 1, 2, 3]);
  expect(readEntries(folder.path).find(({ event }) => event === 'audit_stopped')).toMatchObject({ cause });
  await expectIntact(folder.path);
});

test.each(['head', 'hashes'])('%s that cannot be written stops it; what was acknowledged stays so, and no record of the stop comes twice', async (name) => {
  for (const code of ['EIO', 'ENOSPC', 'EBADF']) {
    using folder = createLogFolder();
    const faulty = new FaultyDisk();
    await using log = await openSmall(folder, { disk: faulty.disk });
    await log.append(mark(0));
    await expectSettled(log, folder.path);
    faulty.judge = (step) => (step.name === name ? code : undefined);
    const cause = code === 'ENOSPC' ? 'space' : 'write';
    // It is durable: what failed came later.
    await log.append(mark(1));
    await waitFor(() => expect(log.fault).toBe(cause));
    await Promise.allSettled([log.append(mark(2)), log.append(mark(3))]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    faulty.heal();
    await expectResumed(log);
    await log.append(mark(4));
    expect(listMarks(folder.path)).toEqual([0, 1, 2, 3, 4]);
    expect(listEvents(folder.path).filter((event) => /^audit_/.test(String(event)))).toEqual(['audit_stopped', 'audit_resumed']);
    await expectIntact(folder.path);
  }
});

test('a disk that does not answer: whoever waits is told in time, and nothing is acknowledged before it is durable', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  const stallMs = 1000;
  await using log = await openSmall(folder, { disk: faulty.disk, stallMs });
  const { promise: answer, resolve } = Promise.withResolvers<undefined>();
  faulty.judge = (step) => (isSegment(step) && step.operation === 'sync' ? answer : undefined);
  const start = performance.now();
  const first = log.append(mark(0));
  const second = new Promise<void>((done) => setTimeout(done, 20)).then(() => log.append(mark(1)));
  await expectStopped(log, first, 'stall');
  expect(performance.now() - start).toBeGreaterThanOrEqual(stallMs - 5);
  await expectStopped(log, second, 'stall');
  expect(log.checkpoint.size).toBe(1);
  faulty.heal();
  resolve(undefined);
  await expectResumed(log);
  await log.append(mark(2));
  expect(listTail(folder.path)).toEqual(['agreement_ending', 'agreement_ending', 'audit_stopped', 'audit_resumed', 'agreement_ending']);
  await expectIntact(folder.path);
});

test('a disk that does not answer while the next segment is made', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  const clock = new LogClock();
  await using log = await openSmall(folder, { disk: faulty.disk, now: clock.now, stallMs: 500 });
  const { promise: answer, resolve } = Promise.withResolvers<undefined>();
  faulty.judge = (step) => (step.name === 'key.next' ? answer : undefined);
  clock.time += dayMs;
  await expectStopped(log, log.append(mark(0)), 'stall');
  resolve(undefined);
  await expectResumed(log);
  await log.append(mark(1));
  expect(listMarks(folder.path)).toEqual([0, 1]);
  await expectIntact(folder.path);
});

test('a full disk: what is reserved takes the end of every request that runs, and that the trail has stopped', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  await using log = await openSmall(folder, { disk: faulty.disk, roomSize: 2 ** 16 });
  const size = statSync(join(folder.path, '00000001.log')).size;
  // From here on the segment becomes no longer.
  faulty.judge = (step) => (isSegment(step) && step.operation === 'write' && (step.position ?? 0) + (step.bytes?.length ?? 0) > size ? 'ENOSPC' : undefined);
  let open = 0;
  const isIn = (): Promise<boolean> =>
    log.append(intend(open)).then(
      () => true,
      () => false,
    );
  while (await isIn()) open++;
  expect(open).toBeGreaterThan(10);
  expect(log.fault).toBe('space');
  // The one that was not let in ends too.
  for (const number of range(0, open + 1)) log.append(finish(number)).catch(() => undefined);
  await waitFor(() => expect(log.openRequests.size).toBe(0));
  expect(log.fault).toBe('space');
  expect(statSync(join(folder.path, '00000001.log')).size).toBe(size);
  expect(listTail(folder.path).slice(open)).toEqual(['intent', 'audit_stopped', ...Array.from({ length: open + 1 }, () => 'outcome')]);
  faulty.heal();
  await expectResumed(log);
  await log.append(mark(0));
  expect((await expectIntact(folder.path)).open).toBe(0);
});

test('a full disk, and more that waits than fits: the beginning of it is written, the rest when there is room', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  await using log = await openSmall(folder, { disk: faulty.disk });
  const end = statSync(join(folder.path, '00000001.log')).size;
  faulty.judge = (step) => (isSegment(step) && step.operation === 'write' && (step.position ?? 0) + (step.bytes?.length ?? 0) > end ? 'ENOSPC' : undefined);
  const results = await Promise.allSettled(range(0, 3000).map((number) => log.append(mark(number))));
  expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  await waitFor(() => expect(listMarks(folder.path).length).toBeGreaterThan(20));
  faulty.heal();
  await expectResumed(log);
  await log.append(mark(3000));
  expect(listMarks(folder.path)).toEqual(range(0, 3001));
  await expectIntact(folder.path);
});

test('a hundred thousand records that wait do no harm', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  await using log = await openSmall(folder, { disk: faulty.disk, roomSize: 2 ** 20 });
  faulty.judge = () => 'EIO';
  const count = 100_000;
  const results = await Promise.allSettled(range(0, count).map((number) => log.append(mark(number))));
  expect(results.every(({ status }) => status === 'rejected')).toBe(true);
  faulty.heal();
  await expectResumed(log);
  await log.append(mark(count));
  expect(listMarks(folder.path)).toEqual(range(0, count + 1));
  await expectIntact(folder.path);
});

test('a cause from outside stops it too, while what happens is still written; the first cause is the one that is told', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  await using log = await openSmall(folder, { disk: faulty.disk });
  log.setFault('clock', true);
  await expectStopped(log, log.append(mark(0)), 'clock');
  await waitFor(() => expect(listTail(folder.path)).toEqual(['audit_stopped', 'agreement_ending']));
  faulty.judge = () => 'EIO';
  await expectStopped(log, log.append(mark(1)), 'clock');
  await new Promise((resolve) => setTimeout(resolve, 30));
  log.setFault('clock', false);
  expect(log.fault).toBe('write');
  faulty.heal();
  await expectResumed(log);
  await log.append(mark(2));
  expect(listTail(folder.path)).toEqual(['audit_stopped', 'agreement_ending', 'agreement_ending', 'audit_resumed', 'agreement_ending']);
  await expectIntact(folder.path);
});

test('an error anywhere in a rotation, once: it is done again, and the log has every record', async () => {
  const clock = new LogClock();
  for (let limit = 0, isReached = true; isReached; limit++) {
    for (const code of ['EIO', 'ENOSPC']) {
      using folder = createLogFolder();
      const faulty = new FaultyDisk();
      clock.time = begin;
      await using log = await openSmall(folder, { disk: faulty.disk, now: clock.now });
      await log.append(intend(0));
      await expectSettled(log, folder.path);
      let count = 0;
      faulty.judge = () => (count++ === limit ? code : undefined);
      clock.time += dayMs;
      await Promise.allSettled([log.append(mark(0)), log.append(mark(1))]);
      await expectSettled(log, folder.path);
      isReached = count > limit;
      // A segment that could not be made is tried again after a minute.
      clock.time += 60_000;
      await Promise.allSettled([log.append(mark(2))]);
      await expectSettled(log, folder.path);
      expect(listMarks(folder.path), `${code} at operation ${limit}`).toEqual([0, 1, 2]);
      expect(readdirSync(folder.path).sort()).toEqual(['00000001.log', '00000002.log', 'hashes', 'head', 'key', 'lock']);
      await expectIntact(folder.path);
    }
    expect(limit).toBeLessThan(100);
  }
});

test('where no new file can be made, the old segment goes on, and tries again after a minute', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  const clock = new LogClock();
  await using log = await openSmall(folder, { disk: faulty.disk, now: clock.now });
  faulty.judge = ({ operation }) => (operation === 'create' ? 'EACCES' : undefined);
  clock.time += dayMs;
  await log.append(mark(0));
  faulty.heal();
  clock.time += 59_999;
  await log.append(mark(1));
  expect(existsSync(join(folder.path, '00000002.log'))).toBe(false);
  clock.time += 1;
  await log.append(mark(2));
  expect(existsSync(join(folder.path, '00000002.log'))).toBe(true);
  await expectIntact(folder.path);
});

test('a log that is closed while it has stopped ends soon, and the next one goes on from what is durable', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  const log = await openSmall(folder, { disk: faulty.disk });
  await log.append(mark(0));
  faulty.judge = () => 'EIO';
  await expectStopped(log, log.append(mark(1)), 'write');
  await log[Symbol.asyncDispose]();
  await using again = await openSmall(folder);
  await again.append(mark(2));
  expect(listMarks(folder.path).at(-1)).toBe(2);
  await expectIntact(folder.path);
});

test('a log that is closed while its disk heals writes all that waits', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  const log = await openSmall(folder, { disk: faulty.disk, roomSize: 2 ** 20 });
  faulty.judge = () => 'EIO';
  await Promise.allSettled(range(0, 5000).map((number) => log.append(mark(number))));
  log.setFault('clock', true);
  faulty.heal();
  await log[Symbol.asyncDispose]();
  expect(listMarks(folder.path)).toEqual(range(0, 5000));
  expect(listTail(folder.path).filter((event) => event !== 'agreement_ending')).toEqual(['audit_stopped']);
  await expectIntact(folder.path);
});

test('a log that is closed while its disk does not answer keeps its lock until it does', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  const log = await openSmall(folder, { disk: faulty.disk, stallMs: 500 });
  const { promise: answer, resolve } = Promise.withResolvers<undefined>();
  faulty.judge = (step) => (isSegment(step) && step.operation === 'sync' ? answer : undefined);
  const appended = log.append(mark(0));
  const stopped = expectStopped(log, appended, 'stall');
  await log[Symbol.asyncDispose]();
  await stopped;
  await expect(openSmall(folder)).rejects.toThrow('another process has the log');
  faulty.heal();
  resolve(undefined);
  await using again = await waitFor(() => openSmall(folder));
  await again.append(mark(1));
  expect(listMarks(folder.path)).toEqual([0, 1]);
  await expectIntact(folder.path);
});

test('a log that cannot be begun on a full disk says so, and lets go of it', async () => {
  using folder = createLogFolder();
  const faulty = new FaultyDisk();
  {
    await using log = await openSmall(folder);
    await log.append(intend(0));
  }
  faulty.judge = (step) => (isSegment(step) && step.operation === 'write' ? 'ENOSPC' : undefined);
  await expect(openSmall(folder, { disk: faulty.disk })).rejects.toThrow(
    /cannot be opened \(space\): expected a folder where this user may write, on a disk with room\./,
  );
  await using log = await openSmall(folder);
  await log.append(mark(0));
  expect(listTail(folder.path)).toEqual(['intent', 'outcome', 'agreement_ending']);
});

// With the real system.

test('a file that leads to /dev/full', async ({ skip }) => {
  if (!existsSync('/dev/full')) return skip('there is no /dev/full here');
  using folder = createLogFolder();
  let isFull = false;
  const disk: Disk = {
    ...systemDisk,
    open: async (path) => {
      const file = await systemDisk.open(path);
      if (!path.endsWith('.log')) return file;
      const full = await open('/dev/full', 'w');
      return {
        ...file,
        write: async (bytes, position) => (isFull ? void (await full.write(bytes, 0, bytes.length, position)) : file.write(bytes, position)),
        close: async () => {
          await full.close();
          await file.close();
        },
      };
    },
  };
  await using log = await openSmall(folder, { disk });
  await log.append(mark(0));
  isFull = true;
  await expectStopped(log, log.append(mark(1)), 'space');
  isFull = false;
  await expectResumed(log);
  await log.append(mark(2));
  expect(listMarks(folder.path)).toEqual([0, 1, 2]);
  await expectIntact(folder.path);
});

test('descriptors that were closed behind its back', async ({ skip }) => {
  if (!existsSync('/proc/self/fd')) return skip('there is no /proc here');
  for (const name of ['00000001.log', 'head', 'hashes']) {
    using folder = createLogFolder();
    await using log = await openSmall(folder);
    await log.append(mark(0));
    for (const descriptor of readdirSync('/proc/self/fd')) {
      const target = existsSync(`/proc/self/fd/${descriptor}`) ? readlinkSync(`/proc/self/fd/${descriptor}`) : '';
      const isWritten = target !== '' && /flags:\t0[0-7]*1\n/.test(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1'));
      if (target === join(folder.path, name) && isWritten) closeSync(Number(descriptor));
    }
    await Promise.allSettled([log.append(mark(1))]);
    await waitFor(() => expect(listEvents(folder.path)).toContain('audit_resumed'));
    await log.append(mark(2));
    expect(listMarks(folder.path)).toEqual([0, 1, 2]);
    await expectIntact(folder.path);
  }
});

test('the limit of the size of a file (ulimit -f) stops the trail and not the process', async ({ skip }) => {
  if (process.platform === 'win32') return skip('Windows has no such limit');
  using folder = createLogFolder();
  // 64 KiB.
  const { stdout, status, signal } = spawnSync(
    'bash',
    ['-c', `ulimit -f 64; exec "$0" "$@"`, process.execPath, fileURLToPath(new URL('fill-log.ts', import.meta.url)), folder.path],
    {
      encoding: 'utf8',
    },
  );
  expect({ status, signal }).toEqual({ status: 0, signal: null });
  expect(JSON.parse(stdout)).toEqual({ cause: 'space', open: 0 });
  expect(listEvents(folder.path)).toContain('audit_stopped');
  expect((await expectIntact(folder.path)).open).toBe(0);
});

test('a small file system that is full, and then read-only', async ({ skip }) => {
  const refusal = canMount();
  if (refusal !== undefined) return skip(refusal);
  using folder = createLogFolder();
  using mount = mountSmall(dirname(folder.path), 256);
  await using log = await openSmall(folder, { roomSize: 2 ** 15 });
  await log.append(intend(0));
  mkdirSync(join(dirname(folder.path), 'others'));
  const filler = join(dirname(folder.path), 'others', 'filler');
  try {
    writeFileSync(filler, Buffer.alloc(2 ** 20));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
  let number = 0;
  const isIn = (): Promise<boolean> =>
    log.append(mark(number)).then(
      () => true,
      () => false,
    );
  while (await isIn()) number++;
  expect(log.fault).toBe('space');
  log.append(finish(0)).catch(() => undefined);
  await waitFor(() => expect(log.openRequests.size).toBe(0));
  rmSync(filler);
  await expectResumed(log);
  await log.append(mark(number + 1));
  expect(listMarks(folder.path)).toEqual(range(0, number + 2));
  expect(listEvents(folder.path).filter((event) => /^audit_/.test(String(event)))).toEqual(['audit_stopped', 'audit_resumed']);
  await expectIntact(folder.path);
  await log[Symbol.asyncDispose]();
  mount.setReadOnly(true);
  await expect(openSmall(folder)).rejects.toThrow(/cannot be opened \(EROFS\): expected a folder where this user may write/);
  mount.setReadOnly(false);
  await using again = await openSmall(folder, { roomSize: 2 ** 15 });
  await again.append(mark(number + 2));
  expect(listMarks(folder.path)).toEqual(range(0, number + 3));
  // Before it is taken away.
  await again[Symbol.asyncDispose]();
});
