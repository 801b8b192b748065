/** Models whose every layer looks back over a window: blocks behind it are given back, zeroed and used again, and nothing that a model says depends on it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planMemory } from '../../../runtime/plan.ts';
import { blocksBehind, blocksHeld, noBlock } from '../../../runtime/scheduling/window.ts';
import type { GenerateRequest } from '../../../runtime/types.ts';
import { type Client, expectedTokens, Simulation, vocabularySize, type World } from './simulation.ts';

const tokensOf = ({ events }: Client): number[] => events.flatMap((event) => (event.type === 'token' ? [event.id] : []));
const prompt = (length: number, first = 1): Uint32Array => Uint32Array.from({ length }, (_, i) => (first + 7 * i) % vocabularySize);

test('the blocks behind a position are those that neither it nor any later one sees', () => {
  for (const blockLength of [1, 3, 4])
    for (let window = 1; window <= 9; window++)
      for (let position = 0; position < 30; position++) {
        const oldest = Math.max(0, position - window + 1);
        // By the definition: whole blocks before the oldest position that is seen.
        const behind = Array.from({ length: 30 }, (_, block) => block).filter((block) => (block + 1) * blockLength <= oldest).length;
        expect(blocksBehind(position, window, blockLength)).toBe(behind);
      }
});

const worlds = fc
  .record({
    maxSequences: fc.integer({ min: 1, max: 4 }),
    queueLength: fc.constant(24),
    extraBudget: fc.integer({ min: 0, max: 8 }),
    blockLength: fc.constantFrom(1, 2, 4),
    contextLength: fc.integer({ min: 20, max: 80 }),
    extraRows: fc.integer({ min: 0, max: 6 }),
    extraBlocks: fc.integer({ min: 0, max: 12 }),
    draftLength: fc.integer({ min: 0, max: 4 }),
    window: fc.integer({ min: 1, max: 20 }),
    depth: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ extraBudget, extraRows, extraBlocks, ...rest }): World & { readonly window: number } => {
    const { maxSequences, contextLength, blockLength, window } = rest;
    const tokenBudget = maxSequences + extraBudget;
    return {
      ...rest,
      // Not to be used: prompts' beginnings may be gone.
      prefix: { quota: 12, reserve: 4, timeToLiveMs: 1000 },
      tokenBudget,
      maxLogitRows: maxSequences + extraRows,
      blockCount: blocksHeld(contextLength, window, tokenBudget, blockLength) + 1 + extraBlocks,
    };
  });

const requests = (contextLength: number): fc.Arbitrary<(GenerateRequest & { readonly steps: number; readonly times: number })[]> =>
  fc.array(
    fc.record({
      promptIds: fc.tuple(fc.constantFrom(1, 40), fc.integer({ min: 1, max: contextLength - 1 })).map(([first, length]) => prompt(length, first)),
      maxTokens: fc.integer({ min: 1, max: contextLength }),
      // Of one prompt that a model without windows would compute once.
      times: fc.constantFrom(1, 1, 3),
      tenant: fc.nat(1),
      steps: fc.nat(6),
    }),
    { minLength: 1, maxLength: 8 },
  );

test('any requests in any pool that holds one window: each gets what a model says that sees the last ids only, and holds no more than its window', () => {
  const seen = { freed: 0, preempted: 0, accepted: 0, tight: 0 };
  fc.assert(
    fc.property(
      worlds.chain((limits) => fc.tuple(fc.constant(limits), requests(limits.contextLength))),
      ([limits, all]) => {
        const simulation = new Simulation(limits);
        for (const [group, { steps, times, ...request }] of all.entries()) {
          for (let time = 0; time < times; time++) simulation.add({ ...request, group });
          for (let step = 0; step < steps; step++) simulation.step();
          seen.freed += simulation.clients.filter(({ sequence }) => sequence.blocks.includes(noBlock)).length;
        }
        const tokens = simulation.clients.reduce((sum, { sequence }) => sum + sequence.ids.length, 0);
        simulation.drain(2 * (tokens + 1) * (1 + simulation.scheduler.preemptionCount + simulation.clients.length) + 10);
        for (const client of simulation.clients) {
          expect(client.error).toBeUndefined();
          expect(tokensOf(client)).toEqual(expectedTokens(client.request, limits.contextLength, limits.window));
          expect(client.events.at(-1)).toMatchObject({ type: 'end', cachedTokens: 0 });
        }
        const { window, tokenBudget, blockLength, contextLength } = limits;
        expect(simulation.mostBlocks).toBeLessThanOrEqual(blocksHeld(contextLength, window, tokenBudget, blockLength));
        expect(simulation.pool.freeCount).toBe(limits.blockCount);
        expect(simulation.kv.every((word) => word === 0)).toBe(true);
        seen.preempted += simulation.scheduler.preemptionCount;
        seen.accepted += simulation.scheduler.draftCounts.accepted;
        if (limits.blockCount < contextLength / blockLength) seen.tight++;
      },
    ),
    { numRuns: 400 },
  );
  // `tight`: worlds in which a sequence of the whole context would not fit without a window.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(10);
});

test('a prompt of many windows runs in a pool of a few blocks, its answer too', () => {
  const [window, blockLength, tokenBudget] = [8, 4, 8];
  // ceil((8 + 8) / 4) + 1 are held, one more is asked for at admission.
  const limits: World = { window, blockLength, tokenBudget, contextLength: 400, blockCount: 6, maxSequences: 2, queueLength: 4, maxLogitRows: 8 };
  const simulation = new Simulation(limits);
  const client = simulation.add({ promptIds: prompt(200), maxTokens: 200 });
  simulation.drain(1000);
  expect(tokensOf(client)).toEqual(expectedTokens(client.request, 400, window));
  expect(tokensOf(client)).not.toEqual(expectedTokens(client.request, 400));
  expect(simulation.scheduler.preemptionCount).toBe(0);
});

test('the memory plan has room for windows, not for contexts', () => {
  const shapeOf = (window?: number) => ({
    contextLength: 8192,
    caches: Array.from({ length: 4 }, () => ({ kind: 'kv' as const, kvHeads: 2, headLength: 32, window })),
  });
  const options = { contextLength: 8192, maxSequences: 3, tokenBudget: 128, kvTokens: 24_576 };
  const whole = planMemory(shapeOf(), options);
  expect(whole).toMatchObject({ kvTokens: 24_576, kvBlocks: 24_576 / 16 + 1 });
  // A sequence holds 512 + 128 positions in 40 blocks, and one more because windows begin anywhere.
  const windowed = planMemory(shapeOf(512), options);
  expect(windowed).toMatchObject({ kvTokens: 3 * 41 * 16, kvBlocks: 3 * 41 + 1 });
  expect(windowed.kvSize / whole.kvSize).toBeCloseTo((3 * 41 + 1) / (24_576 / 16 + 1), 10);
  // At least one sequence fits, whatever was asked for; a window beyond the context changes nothing.
  expect(planMemory(shapeOf(512), { ...options, kvTokens: 16 }).kvBlocks).toBe(42);
  expect(planMemory(shapeOf(8192), options)).toEqual(whole);
  // Nor does it bound what is kept of earlier prompts.
  const roomy = { ...options, kvTokens: 10 * 8192 };
  expect(planMemory(shapeOf(8192), roomy)).toEqual(planMemory(shapeOf(), roomy));
  // A layer without a window takes the whole model's away: latent rows are seen from everywhere.
  const latent = { kind: 'latent' as const, latentLength: 96, ropeLength: 32 };
  const mixed = planMemory({ contextLength: 8192, caches: [...shapeOf(512).caches, latent] }, options);
  expect(mixed.kvTokens).toBe(24_576);
  expect(mixed.kvSize - whole.kvSize).toBe((24_576 + 16) * (96 + 32) * 2);
});
