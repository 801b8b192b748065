/** Encoders: each text is computed as a whole in one step, as many in a step as find room; it gets what it gets alone, and nothing of it stays. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockLength, planMemory } from '../../../runtime/plan.ts';
import { type Client, hashOf, poison, Simulation, splitHash, vocabularySize, type World } from './simulation.ts';

const text = (length: number, first = 1): Uint32Array => Uint32Array.from({ length }, (_, i) => (first + 7 * i) % vocabularySize);
const embeddingOf = ({ events }: Client): readonly number[] => events.flatMap((event) => (event.type === 'end' ? Array.from(event.embedding ?? []) : []));

const worlds = fc
  .record({
    maxSequences: fc.integer({ min: 1, max: 4 }),
    blockLength: fc.constantFrom(1, 2, 4),
    contextLength: fc.integer({ min: 1, max: 40 }),
    extraBudget: fc.integer({ min: 0, max: 30 }),
    extraBlocks: fc.integer({ min: 0, max: 12 }),
  })
  .map(
    ({ extraBudget, extraBlocks, ...rest }): World => ({
      ...rest,
      isEncoder: true,
      queueLength: 24,
      // Not to be used: nothing of a text is the beginning of another, and nothing is guessed.
      draftLength: 3,
      prefix: { quota: 12, reserve: 4, timeToLiveMs: 1000 },
      tokenBudget: Math.max(rest.maxSequences, rest.contextLength) + extraBudget,
      maxLogitRows: rest.maxSequences,
      blockCount: Math.ceil(rest.contextLength / rest.blockLength) + 1 + extraBlocks,
    }),
  );

const asks = (contextLength: number) =>
  fc.array(
    fc.record({
      length: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: contextLength })),
      first: fc.constantFrom(1, 40),
      priority: fc.constantFrom('interactive' as const, 'batch' as const),
      steps: fc.nat(3),
      change: fc.constantFrom('none', 'none', 'none', 'abort', 'poison'),
    }),
    { minLength: 1, maxLength: 16 },
  );

test('any texts in any pool: each as a whole in one step, with the vector that it gets alone', () => {
  const seen = { aborted: 0, broken: 0, shared: 0 };
  fc.assert(
    fc.property(
      worlds.chain((world) => fc.tuple(fc.constant(world), asks(world.contextLength))),
      ([world, all]) => {
        const simulation = new Simulation(world);
        const step = (): void => {
          simulation.step();
          const { counts, sequences } = simulation.batch;
          expect(counts.tokens).toBe(sequences.reduce((sum, { promptLength }) => sum + promptLength, 0));
          expect(counts.logitRows).toBe(sequences.length);
          seen.shared += Number(sequences.length > 1);
        };
        for (const { length, first, priority, steps, change } of all) {
          const promptIds = text(length, first);
          if (change === 'poison') promptIds[length - 1] = poison;
          const { sequence } = simulation.add({ promptIds, maxTokens: 0, priority });
          if (change === 'abort') sequence.aborted = true;
          for (let i = 0; i < steps; i++) step();
        }
        for (let turn = 0; simulation.scheduler.hasWork; turn++) {
          expect(turn).toBeLessThan(2 * all.length + 4);
          step();
        }
        for (const [i, client] of simulation.clients.entries()) {
          const { length = 0, first, change } = all[i] ?? {};
          if (change === 'none') expect(embeddingOf(client)).toEqual(splitHash(hashOf(text(length, first))));
          else expect(client.events).toEqual([]);
          if (change === 'poison') expect(client.error?.code).toBe('logits_invalid');
          seen.aborted += Number(change === 'abort');
          seen.broken += Number(change === 'poison');
        }
        expect(simulation.pool.freeCount).toBe(world.blockCount);
        expect(simulation.scheduler.cache.counts.hits + simulation.scheduler.draftCounts.drafted).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(10);
});

test('a step takes texts in their order until one finds no room; the next step begins with that one', () => {
  const world = { isEncoder: true, maxSequences: 4, queueLength: 9, tokenBudget: 12, blockLength: 4, contextLength: 12, maxLogitRows: 4, blockCount: 20 };
  const simulation = new Simulation(world);
  for (const length of [3, 4, 6, 1, 2, 12]) simulation.add({ promptIds: text(length), maxTokens: 0 });
  const lengths = [];
  for (let i = 0; i < 3; i++) {
    simulation.step();
    lengths.push(simulation.batch.sequences.map(({ promptLength }) => promptLength));
  }
  expect(lengths).toEqual([[3, 4], [6, 1, 2], [12]]);
});

test('the plan has steps of a whole text, and keys and values of one step, however much is asked for', () => {
  const caches = [{ kind: 'kv', kvHeads: 2, headLength: 8 }] as const;
  const encoder = { pooling: 'mean', isNormalized: true } as const;
  const plan = planMemory({ contextLength: 512, caches, encoder }, { maxSequences: 3, tokenBudget: 64, kvTokens: 100_000 });
  expect([plan.contextLength, plan.tokenBudget, plan.kvTokens]).toEqual([512, 512, 512 + 3 * blockLength]);
  expect(planMemory({ contextLength: 512, caches, encoder }, { tokenBudget: 600 }).tokenBudget).toBe(600);
});
