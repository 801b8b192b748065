/** Models with recurrent state: each sequence that runs has a block of it, which has seen its tokens and no others, and is zeroed when it leaves. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planMemory } from '../../../runtime/plan.ts';
import { BlockPool } from '../../../runtime/scheduling/blocks.ts';
import type { GenerateRequest } from '../../../runtime/types.ts';
import { type Client, expectedTokens, Simulation, vocabularySize, type World } from './simulation.ts';

const tokensOf = ({ events }: Client): number[] => events.flatMap((event) => (event.type === 'token' ? [event.id] : []));
const prompt = (length: number, first = 1): Uint32Array => Uint32Array.from({ length }, (_, i) => (first + 7 * i) % vocabularySize);

const worlds = fc
  .record({
    maxSequences: fc.integer({ min: 1, max: 4 }),
    queueLength: fc.constant(24),
    extraBudget: fc.integer({ min: 0, max: 8 }),
    blockLength: fc.constantFrom(1, 2, 4),
    contextLength: fc.integer({ min: 20, max: 60 }),
    extraRows: fc.integer({ min: 0, max: 6 }),
    extraBlocks: fc.integer({ min: 0, max: 12 }),
    depth: fc.integer({ min: 1, max: 3 }),
    // States that go back by so many tokens.
    draftLength: fc.integer({ min: 0, max: 2 }),
    foresees: fc.boolean(),
  })
  .map(({ extraBudget, extraRows, extraBlocks, ...rest }) => ({
    ...rest,
    prefix: { quota: 12, reserve: 4, timeToLiveMs: 1000 },
    tokenBudget: rest.maxSequences + extraBudget,
    maxLogitRows: rest.maxSequences + extraRows,
    blockCount: Math.ceil(rest.contextLength / rest.blockLength) + 1 + extraBlocks,
  }));

type Ask = GenerateRequest & { readonly times: number; readonly steps: number; readonly change: 'none' | 'abort' | 'park' };

const requests = (contextLength: number): fc.Arbitrary<Ask[]> =>
  fc.array(
    fc.record({
      promptIds: fc.tuple(fc.constantFrom(1, 40), fc.integer({ min: 1, max: contextLength - 1 })).map(([first, length]) => prompt(length, first)),
      maxTokens: fc.integer({ min: 1, max: contextLength }),
      times: fc.constantFrom(1, 1, 3),
      priority: fc.constantFrom('interactive', 'batch'),
      steps: fc.nat(6),
      change: fc.constantFrom('none', 'none', 'abort', 'park'),
    }),
    { minLength: 1, maxLength: 8 },
  );

const simulate = (limits: Omit<World, 'states'>): { simulation: Simulation; states: BlockPool } => {
  const states = new BlockPool(limits.maxSequences);
  return { simulation: new Simulation({ ...limits, states }), states };
};

test('any requests in any pool: each gets what it gets alone, computes all of it itself, and leaves no state behind', () => {
  const seen = { preempted: 0, aborted: 0, parked: 0, right: 0, wrong: 0 };
  fc.assert(
    fc.property(
      worlds.chain((limits) => fc.tuple(fc.constant(limits), requests(limits.contextLength))),
      ([limits, all]) => {
        const { simulation, states } = simulate(limits);
        for (const [group, { steps, times, change, ...request }] of all.entries()) {
          for (let time = 0; time < times; time++) simulation.add({ ...request, group });
          for (let step = 0; step < steps; step++) simulation.step();
          const changed = simulation.clients.at(-1)?.sequence;
          if (changed !== undefined && change !== 'none' && !changed.hasEnded) changed[change === 'abort' ? 'aborted' : 'isParked'] = true;
          seen.parked += Number(change === 'park');
        }
        const aborted = new Set(simulation.clients.filter(({ sequence }) => sequence.aborted));
        for (const { sequence } of simulation.clients) sequence.isParked = false;
        const tokens = simulation.clients.reduce((sum, { sequence }) => sum + sequence.ids.length, 0);
        simulation.drain(2 * (tokens + 1) * (1 + simulation.scheduler.preemptionCount + simulation.clients.length) + 10);
        for (const client of simulation.clients) {
          if (aborted.has(client)) continue;
          expect(tokensOf(client)).toEqual(expectedTokens(client.request, limits.contextLength));
          expect(client.sequence.cached).toBe(0);
        }
        const { drafted, accepted } = simulation.scheduler.draftCounts;
        if (limits.draftLength === 0) expect(drafted).toBe(0);
        seen.right += accepted;
        seen.wrong += drafted - accepted;
        expect(states.freeCount).toBe(limits.maxSequences);
        seen.preempted += simulation.scheduler.preemptionCount;
        seen.aborted += aborted.size;
      },
    ),
    { numRuns: 150 },
  );
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(10);
});

test('a sequence gives its state back with its blocks, and gets one when it is computed, not when it waits', () => {
  const limits = { maxSequences: 1, queueLength: 4, tokenBudget: 8, blockLength: 4, contextLength: 32, maxLogitRows: 8, blockCount: 20 };
  const { simulation, states } = simulate(limits);
  const [one, two] = [1, 2].map((first) => simulation.add({ promptIds: prompt(10, first), maxTokens: 2 }));
  simulation.step();
  expect([one?.sequence.state, two?.sequence.state, states.freeCount]).toEqual([0, undefined, 0]);
  while (one?.sequence.hasEnded === false) simulation.step();
  expect([one?.sequence.state, states.dirtyCount]).toEqual([undefined, 1]);
  // Zeroed by the step in which the next one takes it.
  simulation.step();
  expect([two?.sequence.state, states.dirtyCount, simulation.batch.counts.stateClears]).toEqual([0, 0, 1]);
});

test('the plan counts a block of state for every sequence that can run, in every layer that has one', () => {
  const kv = { kind: 'kv', kvHeads: 2, headLength: 8 } as const;
  const shape = { contextLength: 4096, caches: [{ kind: 'state', length: 1000 }, kv, { kind: 'state', length: 2000 }, { kind: 'none' }] as const };
  const plan = planMemory(shape, { maxSequences: 3 });
  expect([plan.stateLayerSize, plan.stateSize]).toEqual([3 * 2000 * 4, 3 * 3000 * 4]);
  const { kvSize } = planMemory({ contextLength: 4096, caches: [kv] }, { maxSequences: 3 });
  expect(plan.kvSize).toBe(kvSize);
});
