/** Guessed tokens in the scheduler: what a request gets is the same without them, only in fewer steps. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GenerateRequest, TokenId } from '../../../runtime/types.ts';
import { type Client, expectedTokens, Simulation, vocabularySize, type World } from './simulation.ts';

const world: World = {
  ...{ maxSequences: 4, queueLength: 16, tokenBudget: 24, blockLength: 4, contextLength: 96, maxLogitRows: 24, blockCount: 100 },
  draftLength: 4,
};
const prompt = (length: number, first = 1): Uint32Array => Uint32Array.from({ length }, (_, i) => (first + 7 * i) % vocabularySize);
const tokensOf = ({ events }: Client): number[] => events.flatMap((event) => (event.type === 'token' ? [event.id] : []));

/** A simulation whose device is known from the first step on, because nothing is guessed before. */
function simulate(overrides: Partial<World> = {}): Simulation {
  const simulation = new Simulation({ ...world, ...overrides });
  for (let step = 0; step < 40; step++) simulation.scheduler.pace.observe(step % 5, 1 + (step % 4), 8 + 0.25 * (step % 5) + 1 + (step % 4));
  return simulation;
}

const requests = fc.array(
  fc.record({
    promptIds: fc.tuple(fc.integer({ min: 1, max: 30 }), fc.nat(63)).map(([length, first]) => prompt(length, first)),
    maxTokens: fc.integer({ min: 0, max: 60 }),
    stopIds: fc.array(
      fc.nat(vocabularySize - 1).map((id) => id as TokenId),
      { maxLength: 2 },
    ),
    logprobs: fc.constantFrom(0, 3),
    promptLogprobs: fc.constantFrom(undefined, 2),
    sampling: fc.constantFrom({ temperature: 0 }, { temperature: 1, seed: 7 }, { frequencyPenalty: 1 }),
  }),
  { minLength: 1, maxLength: 6 },
);

test.each([false, true])('with and without guesses (the model foresees: %s): the same events with the same log-probabilities in the same order', (foresees) => {
  const seen = { right: 0, wrong: 0, stopped: 0 };
  fc.assert(
    fc.property(requests, fc.integer({ min: 26, max: 60 }), (list, blockCount) => {
      const [plain, guessing] = [0, 4].map((draftLength) => {
        const simulation = simulate({ draftLength, blockCount, foresees });
        for (const { promptLogprobs, ...request } of list) simulation.add({ ...request, ...(promptLogprobs !== undefined && { promptLogprobs }) });
        simulation.drain(5000);
        return simulation;
      });
      expect(guessing?.clients.map(({ events }) => events)).toEqual(plain?.clients.map(({ events }) => events));
      expect(plain?.scheduler.draftCounts).toEqual({ drafted: 0, accepted: 0 });
      const { drafted, accepted } = guessing?.scheduler.draftCounts ?? { drafted: 0, accepted: 0 };
      seen.right += accepted;
      seen.wrong += drafted - accepted;
      for (const { events } of guessing?.clients ?? []) seen.stopped += events.some((event) => event.type === 'end' && event.reason === 'stop') ? 1 : 0;
    }),
    { numRuns: 150 },
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(20);
});

test('an answer that repeats its text takes fewer steps: each token of a run but the first is saved', () => {
  const request = { promptIds: prompt(20), maxTokens: 60 };
  const [plain, guessing] = [0, 4].map((draftLength) => {
    const simulation = simulate({ draftLength });
    simulation.add(request);
    simulation.drain(200);
    return simulation;
  });
  const accepted = guessing?.scheduler.draftCounts.accepted ?? 0;
  expect(accepted).toBeGreaterThan(20);
  expect((plain?.steps ?? 0) - (guessing?.steps ?? 0)).toBe(accepted);
});

test('a stop id inside an accepted run ends the answer there, and what was guessed behind it is gone', () => {
  let found = 0;
  for (let first = 0; first < vocabularySize; first++) {
    const request: GenerateRequest = { promptIds: prompt(24, first), maxTokens: 40 };
    const simulation = simulate();
    const client = simulation.add(request);
    // The second token of a step that gave three or more, if the answer has not held it before.
    let inside: number | undefined;
    while (simulation.scheduler.hasWork) {
      const before = tokensOf(client).length;
      simulation.step();
      const tokens = tokensOf(client);
      if (inside === undefined && tokens.length > before + 2 && tokens.indexOf(tokens[before + 1] ?? -1) === before + 1) inside = tokens[before + 1];
    }
    if (inside === undefined) continue;
    found++;
    const stopped = simulate();
    const again = stopped.add({ ...request, stopIds: [inside as TokenId] });
    stopped.drain(100);
    expect(tokensOf(again)).toEqual(expectedTokens(again.request, world.contextLength));
    expect(again.events.at(-1)).toMatchObject({ type: 'end', reason: 'stop', completionTokens: tokensOf(again).length });
    expect(again.sequence.ids.every((id) => id === 0)).toBe(true);
    expect(stopped.pool.freeCount).toBe(world.blockCount);
  }
  expect(found).toBeGreaterThan(5);
});

test('a run never passes maxTokens, nor the end of the context', () => {
  for (let maxTokens = 1; maxTokens <= 30; maxTokens++) {
    const simulation = simulate({ contextLength: 44 });
    const client = simulation.add({ promptIds: prompt(20), maxTokens });
    simulation.drain(100);
    expect(tokensOf(client)).toEqual(expectedTokens(client.request, 44));
    expect(client.events.filter(({ type }) => type === 'end')).toEqual([client.events.at(-1)]);
  }
});

test.each([
  ['penalties', { sampling: { repetitionPenalty: 1.2 } }],
  ['presence', { sampling: { presencePenalty: 1 } }],
  ['a mask', {}],
] as const)('nothing is guessed for a sequence with %s', (name, extra) => {
  const simulation = simulate();
  const client = simulation.add({ promptIds: prompt(20), maxTokens: 40, ...extra });
  if (name === 'a mask') client.sequence.mask = new Uint32Array(vocabularySize / 32).fill(0xffffffff);
  simulation.drain(100);
  expect(simulation.scheduler.draftCounts.drafted).toBe(0);
  expect(tokensOf(client).length).toBe(40);
});

test('a sequence with a bias has nothing to guess with', () => {
  const client = simulate().add({ promptIds: prompt(20), maxTokens: 40, sampling: { logitBias: [{ id: 3 as TokenId, bias: 1 }] } });
  expect(client.sequence.drafts).toBeUndefined();
});

test('nothing is guessed before the device is known', () => {
  const simulation = new Simulation(world);
  simulation.add({ promptIds: prompt(30), maxTokens: 6 });
  simulation.drain(20);
  expect(simulation.scheduler.draftCounts.drafted).toBe(0);
});

test('no sequence gives way for a mere guess', () => {
  let [tight, guessed] = [0, 0];
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 4, max: 12 }), fc.nat(63), fc.integer({ min: 4, max: 30 })), { minLength: 2, maxLength: 4 }),
      fc.integer({ min: 12, max: 20 }),
      (list, blockCount) => {
        const simulation = simulate({ contextLength: 44, blockCount });
        const { scheduler, pool, clients } = simulation;
        for (const [length, first, maxTokens] of list) simulation.add({ promptIds: prompt(length, first), maxTokens });
        for (let turn = 0; scheduler.hasWork && turn < 2000; turn++) {
          const running = clients.map(({ sequence }) => sequence).filter(({ blocks }) => blocks.length > 0);
          const needed = running.reduce((sum, { length, blocks }) => sum + Math.max(0, Math.ceil(length / 4) - blocks.length), 0);
          const isEnough = scheduler.waitingCount === 0 && needed <= pool.freeCount + pool.dirtyCount;
          const [preempted, drafted] = [scheduler.preemptionCount, scheduler.draftCounts.drafted];
          simulation.step();
          if (!isEnough) continue;
          expect(scheduler.preemptionCount).toBe(preempted);
          if (pool.freeCount < 2) tight++;
          guessed += scheduler.draftCounts.drafted - drafted;
        }
      },
    ),
    { numRuns: 300 },
  );
  expect(Math.min(tight, guessed)).toBeGreaterThan(50);
});

test('guesses leave a token of the budget to each sequence that could run', () => {
  const simulation = simulate({ maxSequences: 2, tokenBudget: 2 });
  simulation.add({ promptIds: Uint32Array.from({ length: 40 }, (_, i) => i % 4), maxTokens: 50 });
  while (simulation.scheduler.generatedTokenCount < 10) simulation.step();
  const late = simulation.add({ promptIds: prompt(1), maxTokens: 1 });
  for (let i = 0; i < 2; i++) simulation.step();
  expect(tokensOf(late).length).toBe(1);
});
