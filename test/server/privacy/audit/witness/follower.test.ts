/** How a witness is kept up to date: pace, the newest, lag, waits after errors, the end. Time is the test's. */
import { expect, test } from 'vitest';
import { type Witness, type WitnessCode, WitnessError, type Witnessed, WitnessFollower } from '../../../../../server/privacy/audit/witness.ts';

class FakeTime {
  time = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();
  now = (): number => this.time;
  wait = (ms: number, callback: () => void): (() => void) => {
    const timer = { at: this.time + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Lets everything happen up to a time. */
  async to(time: number): Promise<void> {
    for (;;) {
      await settle();
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (next === undefined || next.at > time) break;
      this.#timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.callback();
    }
    this.time = time;
  }
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

/** Notes what it is given, and ends each by hand. */
class FakeWitness implements Witness {
  readonly sent: (readonly [time: number, size: number])[] = [];
  isClosed = false;
  /** Undefined: takes all at once. */
  answer: (() => Promise<void>) | undefined;
  readonly #time: FakeTime;
  #running = 0;

  constructor(time: FakeTime) {
    this.#time = time;
  }

  async keep({ size }: Witnessed): Promise<void> {
    expect(++this.#running).toBe(1);
    this.sent.push([this.#time.time, size]);
    try {
      await this.answer?.();
    } finally {
      this.#running--;
    }
  }

  lastSeen(): undefined {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
  }
}

const sized = (size: number): Witnessed => ({ size, note: '', proveFrom: () => [] });
const fail = (code: WitnessCode) => (): Promise<void> => Promise.reject(new WitnessError(code));

interface Started {
  readonly time: FakeTime;
  readonly witness: FakeWitness;
  readonly follower: WitnessFollower;
  readonly changes: (WitnessCode | undefined)[];
  /** When it was late, and when it was not any more. */
  readonly late: (readonly [time: number, isLate: boolean])[];
}

function start(lagLimitMs?: number): Started {
  const time = new FakeTime();
  const witness = new FakeWitness(time);
  const [changes, late]: [Started['changes'], [number, boolean][]] = [[], []];
  const onLate = (isLate: boolean): void => void late.push([time.time, isLate]);
  const limit = lagLimitMs === undefined ? {} : { lagLimitMs };
  const follower = new WitnessFollower(witness, { timing: time, onChange: (code) => changes.push(code), onLate, ...limit });
  return { time, witness, changes, late, follower };
}

test('the first goes at once, then one a second, and of several the newest', async () => {
  const { time, witness, follower } = start();
  follower.offer(sized(1));
  await time.to(0);
  for (let size = 2; size <= 10; size++) {
    await time.to(size * 50);
    follower.offer(sized(size));
  }
  await time.to(5000);
  follower.offer(sized(11));
  await time.to(9000);
  expect(witness.sent).toEqual([
    [0, 1],
    [1000, 10],
    [5000, 11],
  ]);
  expect(follower.lagMs).toBe(0);
});

test('the lag is the age of the oldest that the witness lacks', async () => {
  const { time, witness, follower } = start();
  expect(follower.lagMs).toBe(0);
  let release = (): void => undefined;
  witness.answer = () => new Promise((resolve) => (release = resolve));
  follower.offer(sized(1));
  await time.to(300);
  expect(follower.lagMs).toBe(300);
  follower.offer(sized(2));
  await time.to(400);
  follower.offer(sized(3));
  await time.to(2000);
  expect(follower.lagMs).toBe(2000);
  release();
  await settle();
  // What is left was offered at 300 and at 400.
  expect(follower.lagMs).toBe(1700);
  await time.to(2100);
  expect(witness.sent).toEqual([
    [0, 1],
    [2000, 3],
  ]);
  release();
  await settle();
  expect(follower.lagMs).toBe(0);
});

test('after errors it waits twice as long each time, up to 30 s, tells each change once, and begins anew when it works', async () => {
  const { time, witness, follower, changes } = start();
  witness.answer = fail('unreachable');
  follower.offer(sized(1));
  await time.to(63_000);
  expect(witness.sent.map(([at]) => at)).toEqual([0, 2000, 6000, 14_000, 30_000, 60_000]);
  expect(changes).toEqual(['unreachable']);
  expect(follower.failure).toBe('unreachable');
  expect(follower.lagMs).toBe(63_000);
  witness.answer = fail('rolled_back');
  follower.offer(sized(2));
  await time.to(91_000);
  expect(follower.lagMs).toBe(91_000);
  witness.answer = undefined;
  await time.to(120_000);
  expect(witness.sent.slice(-2)).toEqual([
    [90_000, 2],
    [120_000, 2],
  ]);
  expect(changes).toEqual(['unreachable', 'rolled_back', undefined]);
  expect(follower.lagMs).toBe(0);
  expect(follower.failure).toBeUndefined();
  follower.offer(sized(3));
  follower.offer(sized(4));
  await time.to(121_000);
  expect(witness.sent.at(-1)).toEqual([121_000, 4]);
});

test('flush does not wait for the pace or after errors, and says whether the witness has the newest', async () => {
  const { time, witness, follower } = start();
  expect(await follower.flush(0)).toBe(true);
  follower.offer(sized(1));
  await time.to(10);
  follower.offer(sized(2));
  const good = follower.flush(5000);
  await time.to(11);
  expect(await good).toBe(true);
  expect(witness.sent.at(-1)).toEqual([10, 2]);
  witness.answer = fail('timeout');
  follower.offer(sized(3));
  const bad = follower.flush(5000);
  await time.to(5010);
  expect(witness.sent.at(-1)?.[1]).toBe(3);
  await time.to(5011);
  expect(await bad).toBe(false);
});

test('flush sends what came while another was under way', async () => {
  const { time, witness, follower } = start();
  let release = (): void => undefined;
  witness.answer = () => new Promise((resolve) => (release = resolve));
  follower.offer(sized(1));
  await time.to(0);
  follower.offer(sized(2));
  const flushed = follower.flush(1000);
  await time.to(100);
  release();
  await time.to(101);
  expect(witness.sent).toEqual([
    [0, 1],
    [100, 2],
  ]);
  release();
  expect(await flushed).toBe(true);
});

test('closing gives up what was not sent, ends a flush and closes the witness', async () => {
  const { time, witness, follower, changes } = start();
  witness.answer = fail('unreachable');
  follower.offer(sized(1));
  await time.to(100);
  const flushed = follower.flush(60_000);
  await settle();
  await follower[Symbol.asyncDispose]();
  expect(await flushed).toBe(false);
  expect(witness.isClosed).toBe(true);
  const { length } = witness.sent;
  follower.offer(sized(2));
  await time.to(200_000);
  expect(witness.sent).toHaveLength(length);
  expect(changes).toEqual(['unreachable']);
});

test('it is late from the limit on, until the witness has what was old', async () => {
  const { time, witness, follower, late } = start(5000);
  follower.offer(sized(1));
  await time.to(20_000);
  witness.answer = fail('unreachable');
  follower.offer(sized(2));
  await time.to(22_000);
  follower.offer(sized(3));
  await time.to(24_999);
  expect(late).toEqual([]);
  await time.to(29_000);
  expect(late).toEqual([[25_000, true]]);
  witness.answer = undefined;
  // Tried at 20, 22, 26 and 34 s.
  await time.to(40_000);
  expect(late).toEqual([
    [25_000, true],
    [34_000, false],
  ]);
  // Work without a pause is no lag.
  for (let at = 40_000; at < 60_000; at += 100) {
    await time.to(at);
    follower.offer(sized(at));
  }
  await time.to(70_000);
  expect(late).toHaveLength(2);
});

test('what the witness finds out makes it late at once, and does not heal with time', async () => {
  const { time, witness, follower, late } = start(60_000);
  for (const code of ['rolled_back', 'forked'] as const) {
    witness.answer = fail(code);
    follower.offer(sized(1));
    const { time: at } = time;
    await time.to(at + 200_000);
    expect(late.splice(0)).toEqual([[at, true]]);
    witness.answer = undefined;
    await time.to(at + 300_000);
    expect(late.splice(0)).toEqual([[expect.any(Number), false]]);
  }
});

test('without a limit it is never late', async () => {
  const { time, witness, follower, late } = start();
  witness.answer = fail('forked');
  follower.offer(sized(1));
  await time.to(1e9);
  expect(late).toEqual([]);
});
