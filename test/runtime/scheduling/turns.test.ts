/** The whole scheduler over time: who is served next, that everyone ends, what is refused or fails for its deadline, and what a step costs the host. */
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { InwardError } from '../../../runtime/errors.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import { type GenerateRequest, type Priority, priorities } from '../../../runtime/types.ts';
import { type Client, expectedTokens, Simulation, vocabularySize, type World } from './simulation.ts';

const world: World = { maxSequences: 3, queueLength: 64, tokenBudget: 32, blockLength: 4, contextLength: 32, maxLogitRows: 32, blockCount: 60 };
const prompt = (length: number, first = 1): Uint32Array => Uint32Array.from({ length }, (_, i) => (first + 7 * i) % vocabularySize);
const sequenceOf = (request: GenerateRequest): Sequence => new Sequence(request, 1024, { event: () => undefined, fail: () => undefined });
const hasEnded = ({ events }: Client): boolean => events.at(-1)?.type === 'end';

interface Job {
  readonly request: GenerateRequest;
  readonly at: number;
}

/** One place to run in, room for everything: who has had least is next, class before tenant before arrival; urgent work stops other work twice. */
function naiveEnds(jobs: readonly Job[], contextLength: number): number[] {
  interface Plain {
    readonly job: number;
    readonly account: string;
    readonly priority: Priority;
    readonly promptTokens: number;
    rest: number;
    yielded: number;
    isComputed: boolean;
  }
  const had = new Map<string, number>();
  const waiting: Plain[] = [];
  const order: number[] = [];
  let running: Plain | undefined;
  const hadBy = (key: string): number => had.get(key) ?? 0;
  const present = (): Plain[] => [...waiting, ...(running === undefined ? [] : [running])];
  const least = (keys: readonly string[]): number => Math.min(...keys.map(hadBy));
  const serve = ({ account, priority }: Plain, service: number): void => {
    had.set(account, hadBy(account) + service);
    had.set(priority, hadBy(priority) + service / (priority === 'batch' ? 1 : 8));
  };
  /** Keys of accounts that somebody is there for, in the order in which they came. */
  const keysOf = (all: readonly Plain[], key: 'account' | 'priority', within?: Priority): string[] => [
    ...new Set(all.filter(({ priority }) => within === undefined || priority === within).map((plain) => plain[key])),
  ];
  const arrive = (plain: Plain): void => {
    for (const [key, within] of [
      ['priority', undefined],
      ['account', plain.priority],
    ] as const) {
      const there = keysOf(present(), key, within);
      if (!there.includes(plain[key])) had.set(plain[key], there.length === 0 ? 0 : Math.max(hadBy(plain[key]), least(there)));
    }
    waiting.push(plain);
  };
  /** Who is away and has had no more than those who are there owes nothing; when it comes again it is the newest. */
  const forget = ({ priority }: Plain): void => {
    const classes = keysOf(present(), 'priority');
    for (const other of priorities) if (!classes.includes(other) && hadBy(other) <= least(classes)) had.delete(other);
    const there = keysOf(present(), 'account', priority);
    for (const other of had.keys()) if (other.startsWith(`${priority}/`) && !there.includes(other) && hadBy(other) <= least(there)) had.delete(other);
  };
  const next = (): Plain | undefined => {
    const classes = priorities.filter((priority) => waiting.some((plain) => plain.priority === priority));
    const first = classes.sort((a, b) => hadBy(a) - hadBy(b))[0];
    const accounts = [...had.keys()].filter((key) => waiting.some(({ account, priority }) => account === key && priority === first));
    const chosen = accounts.sort((a, b) => hadBy(a) - hadBy(b))[0];
    return waiting.find(({ account }) => account === chosen);
  };
  for (let turn = 0; order.length < jobs.length; turn++) {
    jobs.forEach(({ request, at }, job) => {
      const priority = request.priority ?? 'interactive';
      const rest = expectedTokens(request, contextLength).length;
      const account = `${priority}/${request.tenant}`;
      if (at === turn) arrive({ job, account, priority, promptTokens: request.promptIds.length, rest, yielded: 0, isComputed: false });
    });
    const urgent = next();
    if (running?.priority === 'batch' && urgent?.priority === 'interactive' && running.yielded < 2) {
      running.yielded++;
      running.isComputed = false;
      waiting.unshift(running);
      running = undefined;
    }
    if (running === undefined) {
      running = next();
      if (running === undefined) continue;
      waiting.splice(waiting.indexOf(running), 1);
    }
    if (!running.isComputed) serve(running, running.promptTokens);
    running.isComputed = true;
    serve(running, 2);
    if (--running.rest > 0) continue;
    order.push(running.job);
    const gone = running;
    running = undefined;
    forget(gone);
  }
  return order;
}

test('one at a time: sequences end in the order of a naive scheduler', () => {
  let yielded = 0;
  const job = fc.record({
    request: fc.record({
      promptIds: fc.tuple(fc.integer({ min: 1, max: 25 }), fc.nat(63)).map(([length, first]) => prompt(length, first)),
      maxTokens: fc.integer({ min: 1, max: 20 }),
      tenant: fc.nat(3),
      priority: fc.constantFrom(...priorities),
    }),
    at: fc.nat(60),
  });
  fc.assert(
    fc.property(fc.array(job, { minLength: 1, maxLength: 16 }), (list) => {
      const jobs = list.toSorted((a, b) => a.at - b.at);
      const simulation = new Simulation({ ...world, maxSequences: 1 });
      const order: Client[] = [];
      for (let turn = 0; order.length < jobs.length && turn < 1000; turn++) {
        for (const { request, at } of jobs) if (at === turn) simulation.add(request);
        simulation.step();
        order.push(...simulation.clients.filter((client) => hasEnded(client) && !order.includes(client)));
      }
      yielded += simulation.scheduler.preemptionCount;
      expect(order.map((client) => simulation.clients.indexOf(client))).toEqual(naiveEnds(jobs, world.contextLength));
    }),
    { numRuns: 150 },
  );
  expect(yielded).toBeGreaterThan(50);
});

/**
 * A step in which somebody decodes gives a token. In a run of steps without one, the first sequence that is given a place computes at least
 * one token a step and cannot be made to give way, because it is in the batch: at most a context's length of steps, and as many again if
 * an urgent one goes before it; a step more each for zeroing. So there are at most 2 (context + 2) steps from one token to the next.
 */
test('any mix of classes, tenants, groups and guesses in a small pool: all end within a bound of steps', () => {
  let preempted = 0;
  const request = fc.record({
    promptIds: fc.tuple(fc.integer({ min: 1, max: 30 }), fc.constantFrom(1, 1, 9)).map(([length, first]) => prompt(length, first)),
    maxTokens: fc.integer({ min: 0, max: 30 }),
    tenant: fc.nat(2),
    priority: fc.constantFrom(...priorities),
    times: fc.constantFrom(1, 1, 3),
    logits: fc.constantFrom('none' as const, 'all' as const),
  });
  fc.assert(
    fc.property(
      fc.array(request, { minLength: 1, maxLength: 8 }),
      fc.record({
        maxSequences: fc.integer({ min: 1, max: 4 }),
        extra: fc.nat(6),
        draftLength: fc.constantFrom(0, 3),
        budget: fc.nat(8),
        quota: fc.constantFrom(0, 6),
      }),
      (list, { maxSequences, extra, draftLength, budget, quota }) => {
        const simulation = new Simulation({
          ...{ ...world, maxSequences, draftLength, blockCount: 9 + extra, tokenBudget: maxSequences + budget, maxLogitRows: maxSequences + 2 },
          prefix: { quota, reserve: 4, timeToLiveMs: 1e6 },
        });
        list.forEach(({ times, ...each }, group) => {
          for (let time = 0; time < times; time++) simulation.add({ ...each, group });
        });
        const tokens = simulation.clients.reduce((sum, { request: each }) => sum + Math.max(1, expectedTokens(each, world.contextLength).length), 0);
        simulation.drain((tokens + 1) * 2 * (world.contextLength + 2));
        expect(simulation.clients.every(hasEnded)).toBe(true);
        preempted += simulation.scheduler.preemptionCount;
      },
    ),
    { numRuns: 150 },
  );
  expect(preempted).toBeGreaterThan(100);
});

/**
 * The batch request needs a service of 10 + 2 * 10 = 30, and gives way twice at most: 90 in all. While it waits the urgent class gets 8 times
 * what it had, 720, and each of the three times what its running requests still get: three of at most 24 each, 216. A step with
 * an urgent one in it serves at least 1, and the batch request itself takes 3 * 20 steps at most.
 */
test('batch work ends although urgent requests never cease, of its own tenant or another', () => {
  for (const tenant of [0, 1]) {
    const simulation = new Simulation(world);
    const addUrgent = (): void => {
      while (simulation.scheduler.waitingCount < 4) simulation.add({ promptIds: prompt(8), maxTokens: 8, tenant });
    };
    addUrgent();
    for (let turn = 0; turn < 20; turn++, addUrgent()) simulation.step();
    const batch = simulation.add({ promptIds: prompt(10), maxTokens: 10, priority: 'batch' });
    let turns = 0;
    for (; !hasEnded(batch) && turns < 1000; turns++, addUrgent()) simulation.step();
    expect(turns).toBeLessThan(720 + 216 + 60);
  }
});

/** A device of which the scheduler knows that a step takes 8 ms, 0.25 a prompt token and 1 a choice. */
function simulate(overrides: Partial<World> = {}): Simulation {
  const simulation = new Simulation({ ...world, ...overrides });
  for (let step = 0; step < 400; step++) simulation.scheduler.pace.observe(8 * (step % 5), 1 + (step % 4), 8 + 2 * (step % 5) + 1 + (step % 4));
  return simulation;
}

/** The code of the refusal, if there is one. */
function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as InwardError).code;
  }
}

test('a request is refused early if, and only if, its first token must come too late', () => {
  // Alone: 8 + 20 / 4 + 1 = 14 ms.
  for (let deadlineMs = 1; deadlineMs < 30; deadlineMs++) {
    if (deadlineMs === 14) continue;
    const code = codeOf(() => simulate().add({ promptIds: prompt(20), maxTokens: 4, deadlineMs }));
    expect(code).toBe(deadlineMs < 14 ? 'deadline_unreachable' : undefined);
  }
  // Behind others: that, and the wait.
  const busy = simulate({ maxSequences: 1 });
  for (let i = 0; i < 3; i++) busy.add({ promptIds: prompt(20), maxTokens: 10 });
  const waitMs = busy.scheduler.estimatedWaitMs;
  // Three prompts, 30 tokens one after the other.
  expect(waitMs).toBeCloseTo(3 * 5 + 30 * 9, 0);
  const lateBy = (ms: number) => codeOf(() => busy.add({ promptIds: prompt(20), maxTokens: 4, deadlineMs: waitMs + 14 - ms }));
  expect([lateBy(1), lateBy(-1)]).toEqual(['deadline_unreachable', undefined]);
  // Nothing is refused while nothing is known of the device.
  expect(codeOf(() => new Simulation(world).add({ promptIds: prompt(20), maxTokens: 4, deadlineMs: 1 }))).toBeUndefined();
});

test('what is kept of a prompt counts for its deadline', () => {
  const simulation = simulate({ prefix: { quota: 20, reserve: 0, timeToLiveMs: 1e6 } });
  const request = { promptIds: prompt(29), maxTokens: 1, deadlineMs: 11 };
  expect(codeOf(() => simulation.add(request))).toBe('deadline_unreachable');
  simulation.add({ ...request, deadlineMs: 1000 });
  simulation.drain(10);
  // Seven of its eight blocks: one token is left.
  expect(codeOf(() => simulation.add(request))).toBeUndefined();
  expect(codeOf(() => simulation.add({ ...request, tenant: 1 }))).toBe('deadline_unreachable');
});

test('one that waits fails as soon as its deadline can no longer be met, and before it is over', () => {
  const simulation = simulate({ maxSequences: 1 });
  simulation.add({ promptIds: prompt(4), maxTokens: 20 });
  simulation.step();
  const late = simulation.add({ promptIds: prompt(20), maxTokens: 4, deadlineMs: 1000 });
  simulation.now = 985;
  simulation.step();
  expect(late.error).toBeUndefined();
  simulation.now = 987;
  simulation.step();
  expect(late.error?.code).toBe('deadline_unreachable');
  expect(late.sequence.ids.every((id) => id === 0)).toBe(true);
});

test('the estimated wait is 0 while there is room, and grows with each request that waits', () => {
  const simulation = simulate();
  const waits = Array.from({ length: 10 }, (_, i) => {
    const waitMs = simulation.scheduler.estimatedWaitMs;
    simulation.add({ promptIds: prompt(10, i), maxTokens: 10 });
    if (i < 3) simulation.step();
    return waitMs;
  });
  expect(waits.slice(0, 3)).toEqual([0, 0, 0]);
  for (let i = 3; i < 9; i++) expect(waits[i + 1]).toBeGreaterThan(waits[i] ?? Number.NaN);
  simulation.drain(500);
  expect(simulation.scheduler.estimatedWaitMs).toBe(0);
});

test('a tenant is not refused for what others have queued: its turn comes before theirs', () => {
  const simulation = simulate();
  for (let i = 0; i < 60; i++) simulation.add({ promptIds: prompt(10, i), maxTokens: 20, tenant: 1 });
  simulation.step();
  const request = { promptIds: prompt(10), maxTokens: 4, deadlineMs: 600 };
  // The flood takes more than twice as long; 1's next one comes at the end of it, 2's after what runs and one more.
  expect(simulation.scheduler.estimatedWaitMs).toBeGreaterThan(1200);
  expect(codeOf(() => simulation.add({ ...request, tenant: 1 }))).toBe('deadline_unreachable');
  expect(codeOf(() => simulation.add({ ...request, tenant: 2, priority: 'batch' }))).toBe('deadline_unreachable');
  const other = simulation.add({ ...request, tenant: 2 });
  for (let turn = 0; turn < 60 && !hasEnded(other); turn++, simulation.now += 12) simulation.step();
  expect(hasEnded(other)).toBe(true);
});

/** Counted, not timed: look-ups in the cache are what a step could spend its time on. */
test('a step with many waiting and many kept blocks looks into the cache for the next ones only', () => {
  const contextLength = 1024;
  const simulation = simulate({
    ...{ maxSequences: 8, queueLength: 64, tokenBudget: 128, maxLogitRows: 16, blockLength: 16, contextLength, blockCount: 12_000 },
    prefix: { quota: 10_000, reserve: 0, timeToLiveMs: 1e9 },
  });
  const { scheduler } = simulation;
  const text = (tenant: number): Uint32Array => Uint32Array.from({ length: contextLength - 40 }, (_, i) => (i * (tenant + 3)) % vocabularySize);
  for (let i = 0; i < 164; i++) {
    const chain = scheduler.cache.createChain(i % 20, Uint32Array.of(i));
    const blocks = Array.from({ length: 61 }, () => simulation.pool.take());
    scheduler.cache.offer(chain, text(i), blocks, 61 * 16, 0);
    simulation.pool.give(blocks);
  }
  expect(simulation.pool.idleCount).toBeGreaterThanOrEqual(10_000);
  for (let i = 0; i < 72; i++)
    simulation.scheduler.add(sequenceOf({ promptIds: text(i), maxTokens: 40, tenant: i % 20, cacheSalt: Uint32Array.of(i), deadlineMs: 1e6 }));
  const find = vi.spyOn(scheduler.cache, 'find');
  simulation.scheduler.schedule(simulation.batch);
  // Eight are admitted: each is planned for once as the next, and the ninth has no place.
  expect(find.mock.calls.length).toBeLessThanOrEqual(10);
  find.mockClear();
  simulation.scheduler.schedule(simulation.batch);
  expect(find.mock.calls.length).toBeLessThanOrEqual(1);
});

test('a full queue has places for tenants that have fewer: the last of the one with most makes room, and only for those', () => {
  const simulation = new Simulation({ ...world, maxSequences: 1, queueLength: 3 });
  const add = (tenant: number) => simulation.add({ promptIds: Uint32Array.of(1, 2, 3), maxTokens: 2, tenant });
  const flood = [1, 1, 1, 1].map(add);
  expect(() => add(1)).toThrow(expect.objectContaining({ code: 'queue_full' }));
  const [second, third] = [add(2), add(3)];
  expect(flood.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'queue_full', 'queue_full']);
  // Two of the first tenant and one of each other: nobody has so many more that a second one may come.
  expect(() => add(2)).toThrow(expect.objectContaining({ code: 'queue_full' }));
  simulation.drain(100);
  for (const { events } of [...flood.slice(0, 2), second, third]) expect(events.at(-1)?.type).toBe('end');
});

test('who has begun keeps its place in a full queue', () => {
  const simulation = new Simulation({ ...world, maxSequences: 2, queueLength: 1, blockCount: Math.ceil(world.contextLength / world.blockLength) + 1 });
  const flood = [1, 1].map((tenant) => simulation.add({ promptIds: Uint32Array.from({ length: 14 }, (_, i) => i + 1), maxTokens: 12, tenant }));
  while (simulation.scheduler.preemptionCount === 0) simulation.step();
  flood.push(simulation.add({ promptIds: Uint32Array.of(5), maxTokens: 1, tenant: 1 }));
  expect(simulation.scheduler.waitingCount).toBe(2);
  simulation.add({ promptIds: Uint32Array.of(6), maxTokens: 1, tenant: 2 });
  expect(flood.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'queue_full']);
  simulation.drain(200);
});
