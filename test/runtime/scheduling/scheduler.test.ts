/** The scheduler against a device that keeps books: whatever arrives, leaves and runs short, each sequence gets what it would get alone. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InwardError } from '../../../runtime/errors.ts';
import { type GenerateRequest, priorities, type TokenId } from '../../../runtime/types.ts';
import { type Client, expectedTokens, poison, Simulation, vocabularySize, type World } from './simulation.ts';

const world: World = { maxSequences: 3, queueLength: 4, tokenBudget: 8, blockLength: 4, contextLength: 32, maxLogitRows: 8, blockCount: 25 };
const prompt = (length: number, first = 1): Uint32Array => Uint32Array.from({ length }, (_, i) => (first + 7 * i) % vocabularySize);
const tokensOf = ({ events }: Client): number[] => events.flatMap((event) => (event.type === 'token' ? [event.id] : []));

/** All events of a sequence that ran to its end. */
function checkEnded({ request, sequence, events, error }: Client, contextLength: number): void {
  expect(error).toBeUndefined();
  const tokens = expectedTokens(request, contextLength);
  const promptLength = request.promptIds.length;
  const positions = request.logits === 'all' || request.promptLogprobs !== undefined ? Array.from({ length: promptLength - 1 }, (_, i) => i) : [];
  expect(events.flatMap((event) => (event.type === 'prompt' ? [event.position] : []))).toEqual(positions);
  expect(events.map(({ type }) => type)).toEqual([...positions.map(() => 'prompt'), ...tokens.map(() => 'token'), 'end']);
  expect(events.flatMap((event) => (event.type === 'token' ? [event.id] : []))).toEqual(tokens);
  const isStopped = (request.stopIds as readonly number[] | undefined)?.includes(tokens.at(-1) ?? -1) ?? false;
  expect(events.at(-1)).toEqual({
    type: 'end',
    reason: isStopped ? 'stop' : 'length',
    promptTokens: promptLength,
    completionTokens: tokens.length,
    cachedTokens: sequence.cached,
  });
}

/** Each request that is made several times is a group of its own. */
let groups = 0;

type Op =
  | { readonly add: GenerateRequest; readonly times: number }
  | { readonly flush: number }
  | { readonly abort: number }
  | { readonly park: number }
  | { readonly steps: number };

const worlds = fc
  .record({
    maxSequences: fc.integer({ min: 1, max: 5 }),
    depth: fc.integer({ min: 1, max: 3 }),
    queueLength: fc.integer({ min: 0, max: 6 }),
    extraBudget: fc.integer({ min: 0, max: 12 }),
    blockLength: fc.constantFrom(1, 2, 4),
    contextLength: fc.integer({ min: 4, max: 40 }),
    extraRows: fc.integer({ min: 0, max: 6 }),
    extraBlocks: fc.integer({ min: 0, max: 12 }),
    draftLength: fc.integer({ min: 0, max: 4 }),
    quota: fc.integer({ min: 0, max: 12 }),
    reserve: fc.integer({ min: 0, max: 12 }),
    timeToLiveMs: fc.integer({ min: 1, max: 40 }),
  })
  .map(({ extraBudget, extraRows, extraBlocks, quota, reserve, timeToLiveMs, ...rest }): World => {
    const { maxSequences, contextLength, blockLength } = rest;
    return {
      ...rest,
      prefix: { quota, reserve, timeToLiveMs },
      tokenBudget: maxSequences + extraBudget,
      maxLogitRows: maxSequences + extraRows,
      blockCount: Math.ceil(contextLength / blockLength) + 1 + extraBlocks,
    };
  });

/** Prompts that begin alike: a part of one of two texts, and an end of their own. */
const prompts = (contextLength: number): fc.Arbitrary<Uint32Array> =>
  fc
    .tuple(fc.constantFrom(1, 40), fc.nat(contextLength - 2), fc.uint32Array({ min: 0, max: vocabularySize - 1, minLength: 1, maxLength: 6 }))
    .map(([first, length, end]) => Uint32Array.from([...prompt(length, first), ...end].slice(0, contextLength - 1)));

const operations = (contextLength: number): fc.Arbitrary<Op[]> => {
  const add = fc
    .record({
      promptIds: prompts(contextLength),
      maxTokens: fc.integer({ min: 0, max: contextLength + 2 }),
      stopIds: fc.array(
        fc.nat(vocabularySize - 1).map((id) => id as TokenId),
        { maxLength: 3 },
      ),
      logits: fc.constantFrom('none', 'sampled', 'all'),
      promptLogprobs: fc.option(fc.nat(3), { nil: undefined, freq: 1 }),
      sampling: fc.constantFrom({}, { frequencyPenalty: 0.5, presencePenalty: 0.25 }, { repetitionPenalty: 1.5, frequencyPenalty: 1 }),
      deadlineMs: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined, freq: 8 }),
      tenant: fc.nat(2),
      priority: fc.constantFrom(...priorities),
      cacheSalt: fc.constantFrom(undefined, Uint32Array.of(7)),
      keepsPrefix: fc.boolean(),
      times: fc.constantFrom(1, 1, 2, 4),
    })
    .map(
      ({ promptLogprobs, deadlineMs, cacheSalt, times, ...request }): Op => ({
        add: {
          ...{ ...request, group: groups++ },
          ...(promptLogprobs !== undefined && { promptLogprobs }),
          ...(deadlineMs !== undefined && { deadlineMs }),
          ...(cacheSalt !== undefined && { cacheSalt }),
        },
        times,
      }),
    );
  return fc.array(
    fc.oneof(
      { weight: 4, arbitrary: add },
      { weight: 1, arbitrary: fc.nat(20).map((abort) => ({ abort })) },
      { weight: 1, arbitrary: fc.nat(20).map((park) => ({ park })) },
      { weight: 1, arbitrary: fc.nat(3).map((flush) => ({ flush })) },
      fc.integer({ min: 1, max: 6 }).map((steps) => ({ steps })),
    ),
    {
      maxLength: 30,
    },
  );
};

/** The code of the refusal, if it is refused. */
function addOrRefuse(simulation: Simulation, request: GenerateRequest): string | undefined {
  try {
    simulation.add(request);
    return undefined;
  } catch (error) {
    return (error as InwardError).code;
  }
}

test('any order of arrivals, aborts and steps in any pool: every sequence ends with what it gets alone', () => {
  const seen = {
    preempted: 0,
    refused: 0,
    displaced: 0,
    aborted: 0,
    parked: 0,
    late: 0,
    unreachable: 0,
    found: 0,
    evicted: 0,
    flushed: 0,
    copied: 0,
    guessedRight: 0,
    guessedWrong: 0,
  };
  fc.assert(
    fc.property(
      worlds.chain((limits) => fc.tuple(fc.constant(limits), operations(limits.contextLength))),
      ([limits, ops]) => {
        const simulation = new Simulation(limits);
        const { scheduler, clients } = simulation;
        let displaced = 0;
        for (const op of ops) {
          if ('add' in op) {
            for (let time = 0; time < op.times; time++) {
              const waiting = scheduler.runningCount + scheduler.waitingCount;
              const isFull = waiting >= limits.maxSequences + limits.queueLength;
              const code = addOrRefuse(simulation, op.add);
              // Else it got the place of another tenant's, which is told so.
              if (isFull && code !== undefined) expect(code).toMatch(/^(queue_full|deadline_unreachable)$/);
              else if (isFull) expect(clients.filter(({ error }) => error?.code === 'queue_full').length).toBe(++displaced);
              else if (code !== undefined) expect([code, op.add.deadlineMs]).toEqual(['deadline_unreachable', expect.any(Number)]);
              if (isFull && code === 'queue_full') seen.refused++;
              else if (code !== undefined) seen.unreachable++;
            }
          } else if ('flush' in op) seen.flushed += scheduler.flush(op.flush === 3 ? undefined : op.flush);
          else if ('abort' in op) {
            const client = clients[op.abort % Math.max(1, clients.length)];
            if (client === undefined || client.sequence.aborted || client.events.at(-1)?.type === 'end') continue;
            client.sequence.aborted = true;
            const before = client.events.length;
            simulation.step();
            expect(client.sequence.blocks).toEqual([]);
            expect(client.events.length).toBe(before);
            expect(client.sequence.ids.every((id) => id === 0)).toBe(true);
            seen.aborted++;
          } else if ('park' in op) {
            const client = clients[op.park % Math.max(1, clients.length)];
            if (client === undefined) continue;
            simulation.settle();
            const before = client.events.length;
            client.sequence.isParked = true;
            for (let i = 0; i < 3; i++) simulation.step();
            expect(client.events.length).toBe(before);
            client.sequence.isParked = op.park % 2 === 0;
            seen.parked++;
          } else for (let i = 0; i < op.steps; i++, simulation.now++) simulation.step();
        }
        for (const { sequence } of clients) sequence.isParked = false;
        // Each step computes at least one token, or zeroes; each token is computed once a preemption at most.
        const tokens = clients.reduce((sum, { sequence }) => sum + sequence.ids.length, 0);
        simulation.drain(2 * (tokens + 1) * (1 + scheduler.preemptionCount + clients.length) + 10);
        for (const client of clients) {
          if (!client.sequence.aborted) checkEnded(client, limits.contextLength);
          else if (client.error !== undefined) {
            if (client.error.code === 'queue_full') continue;
            expect(client.error).toMatchObject({ code: expect.stringMatching(/^deadline_/), fields: { limit: client.request.deadlineMs } });
            seen[client.error.code === 'deadline_exceeded' ? 'late' : 'unreachable']++;
          }
        }
        const { drafted, accepted } = scheduler.draftCounts;
        seen.guessedRight += accepted;
        seen.guessedWrong += drafted - accepted;
        seen.found += scheduler.cache.counts.hits;
        seen.evicted += scheduler.cache.counts.evicted;
        seen.copied += simulation.copies;
        // Only prefixes are left; then nothing is.
        scheduler.flush();
        simulation.drain(3);
        expect(simulation.pool.freeCount).toBe(limits.blockCount);
        expect(simulation.kv.every((word) => word === 0)).toBe(true);
        expect(clients.every(({ sequence }) => sequence.ids.every((id) => id === 0))).toBe(true);
        seen.displaced += displaced;
        seen.preempted += scheduler.preemptionCount;
      },
    ),
    { numRuns: 600 },
  );
  // Else the property would say nothing about them.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(10);
});

test('two sequences that need a block at once when none is left: the newer gives way, nobody sleeps', () => {
  const simulation = new Simulation({ ...world, blockCount: 9, maxSequences: 2, tokenBudget: 32 });
  const clients = [simulation.add({ promptIds: prompt(16), maxTokens: 16 }), simulation.add({ promptIds: prompt(12, 5), maxTokens: 20 })];
  simulation.drain(200);
  expect(simulation.scheduler.preemptionCount).toBe(1);
  for (const client of clients) checkEnded(client, world.contextLength);
});

test('a preempted sequence that wants all logits gets none of them, and no token, twice', () => {
  const simulation = new Simulation({ ...world, blockCount: 9, maxSequences: 2, maxLogitRows: 32, tokenBudget: 32 });
  const clients = [0, 5].map((first) => simulation.add({ promptIds: prompt(7, first), maxTokens: 25, logits: 'all' }));
  simulation.drain(200);
  expect(simulation.scheduler.preemptionCount).toBeGreaterThan(0);
  for (const client of clients) checkEnded(client, world.contextLength);
});

test('decoding sequences come before prompts, and prompts get what is left of the budget', () => {
  const simulation = new Simulation(world);
  simulation.add({ promptIds: prompt(5), maxTokens: 20 });
  simulation.add({ promptIds: prompt(3), maxTokens: 20 });
  simulation.step();
  simulation.add({ promptIds: prompt(20), maxTokens: 4 });
  const shares: number[][] = [];
  for (let i = 0; i < 4; i++) {
    const lengths = simulation.clients.map(({ sequence }) => sequence.computed);
    simulation.step();
    shares.push(simulation.clients.map(({ sequence }, client) => sequence.computed - (lengths[client] ?? 0)));
  }
  expect(shares).toEqual([
    [1, 1, 6],
    [1, 1, 6],
    [1, 1, 6],
    [1, 1, 2],
  ]);
});

test('a prompt that the free blocks cannot hold waits until they can, and keeps its place before shorter ones', () => {
  const simulation = new Simulation({ ...world, blockCount: 10 });
  const first = simulation.add({ promptIds: prompt(20), maxTokens: 6 });
  for (let i = 0; i < 4; i++) simulation.step();
  const long = simulation.add({ promptIds: prompt(24), maxTokens: 2 });
  const short = simulation.add({ promptIds: prompt(2), maxTokens: 2 });
  while (first.events.at(-1)?.type !== 'end') {
    simulation.step();
    expect([long.sequence.blocks.length, short.sequence.blocks.length]).toEqual([0, 0]);
  }
  simulation.drain(50);
  for (const client of [first, long, short]) checkEnded(client, world.contextLength);
  expect(simulation.scheduler.preemptionCount).toBe(0);
});

test('logits at all positions never take more rows than there are', () => {
  const simulation = new Simulation({ ...world, maxLogitRows: 3, tokenBudget: 16 });
  const clients = [1, 2, 3].map((first) => simulation.add({ promptIds: prompt(20, first), maxTokens: 0, logits: 'all' }));
  simulation.drain(100);
  expect(simulation.steps).toBeGreaterThanOrEqual(20);
  for (const client of clients) checkEnded(client, world.contextLength);
});

test('maxTokens 0 computes the prompt and ends without a token', () => {
  const simulation = new Simulation(world);
  const client = simulation.add({ promptIds: prompt(10), maxTokens: 0 });
  simulation.drain(10);
  expect(client.events).toEqual([{ type: 'end', reason: 'length', promptTokens: 10, completionTokens: 0, cachedTokens: 0 }]);
});

test('counts: prompt tokens computed, tokens gained', () => {
  const simulation = new Simulation(world);
  const requests = [
    { promptIds: prompt(10), maxTokens: 5 },
    { promptIds: prompt(3), maxTokens: 0, logits: 'all' as const },
    { promptIds: prompt(1), maxTokens: 1 },
  ];
  for (const request of requests) simulation.add(request);
  simulation.drain(50);
  expect(simulation.scheduler.promptTokenCount).toBe(14);
  expect(simulation.scheduler.generatedTokenCount).toBe(6);
});

test('failAll ends what runs and what waits, once, and a result that comes later changes nothing', () => {
  const simulation = new Simulation({ ...world, maxSequences: 2 });
  const clients = [1, 2, 3].map((first) => simulation.add({ promptIds: prompt(4, first), maxTokens: 9 }));
  simulation.step();
  const { scheduler, batch } = simulation;
  scheduler.schedule(batch);
  const before = clients.map(({ events }) => events.length);
  scheduler.failAll(new InwardError('shutting_down'));
  scheduler.commit(batch, {
    isBroken: () => false,
    id: () => 0 as TokenId,
    foreseen: () => undefined,
    logits: () => new Float32Array(),
    logprobs: () => ({ logprob: 0, top: [] }),
  });
  expect(clients.map(({ error }) => error?.code)).toEqual(['shutting_down', 'shutting_down', 'shutting_down']);
  expect(clients.map(({ events }) => events.length)).toEqual(before);
  expect([scheduler.runningCount, scheduler.waitingCount]).toEqual([0, 0]);
  expect(clients.every(({ sequence }) => sequence.ids.every((id) => id === 0))).toBe(true);
  simulation.drain(2);
  expect(simulation.pool.freeCount).toBe(world.blockCount);
});

test('a sequence whose logits are no numbers ends with an error and gives its blocks back; the others go on', () => {
  const simulation = new Simulation(world);
  const { scheduler, pool } = simulation;
  const poisoned = (length: number): Uint32Array => prompt(length).with(length - 2, poison);
  const good = [1, 2].map((first) => simulation.add({ promptIds: prompt(6, first), maxTokens: 12 }));
  simulation.step();
  const bad = simulation.add({ promptIds: poisoned(9), maxTokens: 5 });
  const scored = simulation.add({ promptIds: poisoned(9), maxTokens: 5, logits: 'all' });
  const empty = simulation.add({ promptIds: poisoned(3), maxTokens: 0 });
  simulation.drain(60);
  expect([bad, scored, empty].map(({ error }) => error?.code)).toEqual(['logits_invalid', 'logits_invalid', 'logits_invalid']);
  expect([bad, empty].map(({ events }) => events)).toEqual([[], []]);
  // What the model said before the position is as good as ever.
  expect(scored.events.map((event) => event.type === 'prompt' && event.position)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  for (const { sequence } of [bad, scored, empty]) expect([sequence.blocks, sequence.ids.every((id) => id === 0)]).toEqual([[], true]);
  for (const client of good) checkEnded(client, world.contextLength);
  expect([scheduler.runningCount, scheduler.waitingCount, pool.freeCount]).toEqual([0, 0, world.blockCount]);
});

test('the tokens of one sequence do not depend on the budget', () => {
  const request = { promptIds: prompt(17), maxTokens: 9 };
  for (const tokenBudget of [3, 4, 7, 16, 64]) {
    const simulation = new Simulation({ ...world, tokenBudget });
    const client = simulation.add(request);
    simulation.drain(50);
    expect(tokensOf(client)).toEqual(expectedTokens(request, world.contextLength));
  }
});
