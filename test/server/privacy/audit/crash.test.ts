/** The writer and its recovery: a crash of the machine at every operation of the disk. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AuditLog } from '../../../../server/privacy/audit/log.ts';
import { CrashDisk, type Loss } from './crash-disk.ts';
import { createLogFolder, createOptions, dayMs, expectIntact, finish, intend, LogClock, listMarks, mark, openSmall, readEntries } from './log-site.ts';

interface Life {
  readonly acknowledged: number[];
  number: number;
}

/** Begins a log or goes on with it, with groups of several lengths, room that is made, and a new day. Resolves with the first error. */
async function live(folder: string, crash: CrashDisk, clock: LogClock, life: Life): Promise<void> {
  const options = createOptions({ now: clock.now, disk: crash.disk, roomSize: 4096, segmentSize: 2 ** 15 });
  const log = await AuditLog.open(folder, options).catch(() => undefined);
  if (log === undefined) return;
  const append = async (count: number): Promise<void> => {
    const numbers = Array.from({ length: count }, () => life.number++);
    await Promise.all(numbers.map((number) => log.append(mark(number)).then(() => life.acknowledged.push(number))));
  };
  try {
    await append(1);
    const request = life.number;
    await log.append(intend(request));
    await log.append(intend(request + 1000));
    await append(12);
    clock.time += dayMs;
    await append(2);
    await log.append(finish(request));
    await append(25);
    clock.time += dayMs;
    await append(1);
  } catch {
    // The machine is gone.
  } finally {
    await log[Symbol.asyncDispose]();
  }
}

async function crashAt(limit: number, loss: Loss, seed: number): Promise<boolean> {
  using folder = createLogFolder();
  const clock = new LogClock();
  const crash = new CrashDisk(folder.path, limit, seed);
  const life: Life = { acknowledged: [], number: 0 };
  // The second life begins as a recovery does, with a request that has no end.
  for (let i = 0; i < 2 && !crash.isDead; i++) await live(folder.path, crash, clock, life);
  crash.lose(loss);
  const place = `operation ${limit}, loss of ${loss}, seed ${seed}`;
  for (const next of [1_000_000, 2_000_000]) {
    await using log = await openSmall(folder, { now: clock.now }).catch((error: unknown) => expect.fail(`${place}: ${String(error)}`));
    await log.append(mark(next));
    clock.time += dayMs;
    await log.append(mark(next + 1));
  }
  const marks = listMarks(folder.path) as number[];
  const own = new Set(marks);
  expect(marks, place).toEqual([...own].sort((a, b) => a - b));
  expect(
    life.acknowledged.filter((number) => !own.has(number)),
    place,
  ).toEqual([]);
  expect(marks.slice(-4), place).toEqual([1_000_000, 1_000_001, 2_000_000, 2_000_001]);
  const report = await expectIntact(folder.path);
  expect(report.open, place).toBe(0);
  expect(readEntries(folder.path).filter(({ event }) => event === 'gap').length, place).toBeLessThanOrEqual(2);
  expectKeysGone(folder.path, crash, place);
  return crash.isDead;
}

/** Two segments were begun since: no key that was there before the crash is. */
function expectKeysGone(folder: string, { seeds }: CrashDisk, place: string): void {
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name));
    for (const seed of seeds) expect(bytes.includes(seed), `${place}: an old key in ${name}`).toBe(false);
  }
}

const isFull = process.env['INWARD_FULL'] !== undefined;

test.each<[Loss, number, number]>([
  ['nothing', 1, 1],
  ['sectors', 2, isFull ? 1 : 2],
  ['everything', 3, isFull ? 1 : 3],
  ...(isFull ? [4, 5, 6, 7].map((seed): [Loss, number, number] => ['sectors', seed, 1]) : []),
])(
  'whatever operation is the last, what was acknowledged is there, once and in order, and the log goes on (loss of %s, seed %d, every %d)',
  async (loss, seed, stride) => {
    let limit = 0;
    while (await crashAt(limit, loss, seed + limit * 7)) limit += stride;
    // Otherwise the scenario was cut short for another reason.
    expect(limit).toBeGreaterThan(100);
  },
);
