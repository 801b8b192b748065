/** One prompt for several sequences: computed once, its full blocks shared, its last one copied; whatever becomes of the first of them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GenerateRequest } from '../../../runtime/types.ts';
import { type Client, expectedTokens, Simulation, vocabularySize, type World } from './simulation.ts';

const world: World = { maxSequences: 8, queueLength: 8, tokenBudget: 16, blockLength: 4, contextLength: 64, maxLogitRows: 16, blockCount: 130 };
const prompt = (length: number, first = 1): Uint32Array => Uint32Array.from({ length }, (_, i) => (first + 7 * i) % vocabularySize);
const tokensOf = ({ events }: Client): number[] => events.flatMap((event) => (event.type === 'token' ? [event.id] : []));

/** Adds members of group 1. */
function addMembers(simulation: Simulation, count: number, request: GenerateRequest): Client[] {
  return Array.from({ length: count }, () => simulation.add({ group: 1, ...request }));
}

function expectAll(clients: readonly Client[]): void {
  for (const client of clients) {
    expect(client.error).toBeUndefined();
    expect(tokensOf(client)).toEqual(expectedTokens(client.request, world.contextLength));
  }
}

/** Blocks that somebody owns. */
const ownedOf = ({ pool }: Simulation): number => pool.total - pool.freeCount - pool.dirtyCount - pool.idleCount;

test('eight members of a long prompt compute it once and hold it once', () => {
  const simulation = new Simulation(world);
  const request = { promptIds: prompt(42), maxTokens: 6 };
  const clients = addMembers(simulation, 8, request);
  let peak = 0;
  while (simulation.scheduler.hasWork) {
    simulation.step();
    peak = Math.max(peak, ownedOf(simulation));
  }
  expectAll(clients);
  // The leader computes all 42; each other one its last token.
  expect(simulation.scheduler.promptTokenCount).toBe(42 + 7);
  // 41 tokens are the group's: 10 full blocks and one slot of the next. 42 + 6 tokens are 12 blocks, so each has 2 of its own.
  expect(peak).toBe(10 + 8 * 2);
  expect(simulation.copies).toBe(7);
});

test("the last block is copied so far as it is the prompt's, and not where the prompt ends with a block", () => {
  for (let length = 2; length <= 14; length++) {
    const simulation = new Simulation(world);
    const clients = addMembers(simulation, 3, { promptIds: prompt(length), maxTokens: 5 });
    const slots: number[] = [];
    while (simulation.scheduler.hasWork) {
      simulation.step();
      slots.push(...simulation.section('COPY_SLOTS').subarray(0, simulation.batch.counts.copies));
    }
    expectAll(clients);
    const partial = (length - 1) % world.blockLength;
    expect(slots).toEqual(partial === 0 ? [] : [partial, partial]);
  }
});

test('a group is of one tenant; another prompt in it is refused, and another salt', () => {
  const simulation = new Simulation(world);
  simulation.add({ promptIds: prompt(20), maxTokens: 2, group: 1 });
  simulation.add({ promptIds: prompt(20, 2), maxTokens: 2, group: 1, tenant: 1 });
  const others: Partial<GenerateRequest>[] = [prompt(20, 2), prompt(19), prompt(21), prompt(20).with(19, 0)].map((promptIds) => ({ promptIds }));
  // With another salt it would share what it asks not to share, and one block would be kept under two keys.
  for (const other of [...others, { cacheSalt: Uint32Array.of(5) }])
    expect(() => simulation.add({ promptIds: prompt(20), maxTokens: 2, group: 1, ...other })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  expect(simulation.scheduler.waitingCount).toBe(2);
  simulation.drain(50);
  expectAll(simulation.clients);
});

for (const [when, steps, computed] of [
  ['before the prompt is computed', 1, 16 + 42 + 1],
  ['after', 4, 42 + 2],
] as const)
  test(`the first member is aborted ${when}: the others go on`, () => {
    const simulation = new Simulation(world);
    const [leader, ...others] = addMembers(simulation, 3, { promptIds: prompt(42), maxTokens: 6 });
    for (let i = 0; i < steps; i++) simulation.step();
    if (leader === undefined) throw new Error('no leader');
    leader.sequence.aborted = true;
    simulation.drain(60);
    expectAll(others);
    expect(simulation.scheduler.promptTokenCount).toBe(computed);
    expect(simulation.pool.freeCount).toBe(world.blockCount);
  });

test('a member that comes late, while the first still runs, takes its share', () => {
  const simulation = new Simulation(world);
  const request = { promptIds: prompt(42), maxTokens: 16 };
  const [first] = addMembers(simulation, 1, request);
  for (let i = 0; i < 8; i++) simulation.step();
  const [late] = addMembers(simulation, 1, request);
  simulation.drain(60);
  expectAll([first, late].flatMap((client) => client ?? []));
  expect(simulation.scheduler.promptTokenCount).toBe(43);
  // And one that comes when nobody is left computes it again.
  const [last] = addMembers(simulation, 1, request);
  simulation.drain(60);
  expectAll(last === undefined ? [] : [last]);
  expect(simulation.scheduler.promptTokenCount).toBe(43 + 42);
});

test('the first is preempted while it computes the prompt, or after: nothing is lost', () => {
  for (const steps of [1, 2, 3, 4, 5, 6]) {
    const simulation = new Simulation({ ...world, maxSequences: 2 });
    const members = addMembers(simulation, 3, { promptIds: prompt(42), maxTokens: 12, priority: 'batch' });
    for (let i = 0; i < steps; i++) simulation.step();
    const urgent = [2, 3].map((first) => simulation.add({ promptIds: prompt(30, first), maxTokens: 3 }));
    simulation.drain(150);
    expect(simulation.scheduler.preemptionCount).toBeGreaterThan(0);
    expectAll([...members, ...urgent]);
    expect(simulation.pool.freeCount).toBe(world.blockCount);
  }
});

test('the shares of a group whose first has ended give way to its own next member', () => {
  // The prompt takes all blocks but one. What the group holds of it leaves no room for a copy of the last.
  const simulation = new Simulation({ ...world, maxSequences: 1, contextLength: 32, blockCount: 9 });
  const members = addMembers(simulation, 3, { promptIds: prompt(30), maxTokens: 1 });
  simulation.drain(60);
  for (const member of members) expect(tokensOf(member)).toEqual(expectedTokens(member.request, 32));
  expect(simulation.pool.freeCount).toBe(9);
});

test('shares are dropped for a sequence that cannot grow otherwise', () => {
  const simulation = new Simulation({ ...world, maxSequences: 2, contextLength: 48, blockCount: 13 });
  // Two run, the third waits for its share: what the group holds is all that can be given back when others grow.
  const clients = [
    ...addMembers(simulation, 3, { promptIds: prompt(18), maxTokens: 3 }),
    simulation.add({ promptIds: prompt(4, 9), maxTokens: 40, tenant: 1 }),
  ];
  simulation.drain(300);
  for (const client of clients) expect(tokensOf(client)).toEqual(expectedTokens(client.request, 48));
  expect(simulation.pool.freeCount).toBe(13);
});

test('groups of any size in any pool: each member gets what it gets alone, nothing is left', () => {
  fc.assert(
    fc.property(
      fc.record({
        length: fc.integer({ min: 1, max: 30 }),
        count: fc.integer({ min: 1, max: 6 }),
        maxSequences: fc.integer({ min: 1, max: 4 }),
        extraBlocks: fc.nat(8),
        depth: fc.integer({ min: 1, max: 3 }),
        maxTokens: fc.integer({ min: 0, max: 20 }),
        aborted: fc.option(fc.nat(5), { nil: undefined }),
        steps: fc.nat(8),
        hasOther: fc.boolean(),
      }),
      ({ length, count, maxSequences, extraBlocks, depth, maxTokens, aborted, steps, hasOther }) => {
        const contextLength = 32;
        const simulation = new Simulation({ ...world, maxSequences, contextLength, depth, blockCount: 9 + extraBlocks });
        addMembers(simulation, count, { promptIds: prompt(length), maxTokens });
        if (hasOther) simulation.add({ promptIds: prompt(12, 3), maxTokens: 12, tenant: 1 });
        for (let i = 0; i < steps; i++) simulation.step();
        const victim = simulation.clients[aborted ?? Number.NaN];
        if (victim !== undefined && victim.events.at(-1)?.type !== 'end') victim.sequence.aborted = true;
        simulation.drain(1000);
        for (const client of simulation.clients) if (!client.sequence.aborted) expect(tokensOf(client)).toEqual(expectedTokens(client.request, contextLength));
        expect(simulation.pool.freeCount).toBe(9 + extraBlocks);
      },
    ),
    { numRuns: 300 },
  );
});
