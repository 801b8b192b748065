/**
 * Guessed tokens on DeepSeek-V4, whose sequences keep states: whether they come from the text or from the model's block for multi-token prediction, and whether they
 * are right or wrong, every token and every logit has the bits that it has without them: over the borders of windows, entries and blocks, greedy and drawn, among
 * others, cancelled and preempted. What guesses of random weights are worth is no question here.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { createEngine } from '../../runtime/engine.ts';
import { Pace } from '../../runtime/scheduling/pace.ts';
import type { Engine, EngineOptions, GenerateRequest, TokenId } from '../../runtime/types.ts';
import { makeRight, seededWithPrediction } from '../deepseek-v4-seeded.ts';
import { firstDifference, type Result, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { texts } from '../informed-drafts.ts';
import { sampleCases } from '../sample.ts';
import { writeSeeded } from '../seeded.ts';

vi.mock('../../runtime/scheduling/drafts.ts', async (original) => ({
  ...(await original<object>()),
  Drafts: (await import('../informed-drafts.ts')).InformedDrafts,
}));

// Guesses cost nothing, so that there are some however often they are wrong.
beforeEach(() => {
  const free = vi.spyOn(Pace.prototype, 'choiceMs', 'get').mockReturnValue(0);
  onTestFinished(() => free.mockRestore());
});

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;
const random = (length: number, seed: number): Uint32Array => Uint32Array.from({ length }, (_, i) => 3 + ((i * 37 + seed * 11 + ((i * i) % 29)) % 120));
const nothing = { kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0 };

interface Ask {
  readonly ids: Uint32Array;
  readonly rest: Omit<GenerateRequest, 'promptIds'>;
}

const drawn = (seed: number): GenerateRequest['sampling'] => ({ temperature: 1.1, topK: 30, topP: 0.95, seed });
/** The answer to the first goes over the border of the first entry of 128 tokens. */
const asks: readonly Ask[] = [
  [random(120, 1), 20, undefined] as const,
  [random(1, 2), 20, undefined] as const,
  [random(7, 3), 12, drawn(5)] as const,
  [random(27, 4), 16, drawn(6)] as const,
  [random(62, 5), 9, undefined] as const,
].map(([ids, maxTokens, sampling]) => ({ ids, rest: { maxTokens, logits: 'sampled', ...(sampling && { sampling }) } }));

function createModel(change?: typeof makeRight): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-drafts-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeSeeded(seededWithPrediction(), folder, change);
  return folder;
}

const open = (modelPath: string, options: Partial<EngineOptions>): Promise<Engine> =>
  createEngine({ modelPath, device: testDevice(), contextLength: 160, kvTokens: 1024, maxSequences: 3, tokenBudget: 40, ...options });

/** What comes without guesses, one after the other. */
async function runPlain(modelPath: string): Promise<Result[]> {
  await using plain = await open(modelPath, { draftLength: 0, maxSequences: 1 });
  const results: Result[] = [];
  for (const { ids, rest } of asks) results.push(await run(plain, ids, rest));
  expect(plain.stats().draftTokens).toBe(0);
  return results;
}

async function expectAll(engine: Engine, expected: readonly Result[]): Promise<void> {
  const results = await Promise.all(asks.map(({ ids, rest }) => run(engine, ids, rest)));
  for (const [i, { tokens, logits }] of results.entries()) {
    expect(tokens, `request ${i}`).toEqual(expected[i]?.tokens);
    expect(firstDifference(logits, expected[i]?.logits ?? []), `request ${i}`).toBeUndefined();
  }
}

/** Gives how many tokens came before it was cancelled. */
async function cancelAfter(engine: Engine, count: number): Promise<number> {
  const stop = new AbortController();
  let tokens = 0;
  try {
    for await (const _ of engine.generate({ promptIds: random(30, 9), maxTokens: 60 }, stop.signal)) if (++tokens === count) stop.abort();
  } catch {
    // It was cancelled.
  }
  return tokens;
}

const kinds: readonly (readonly [what: string, expectExact: () => Promise<void>])[] = [
  [
    'from the text, two of three right',
    async () => {
      const modelPath = createModel();
      const expected = await runPlain(modelPath);
      texts.splice(0, texts.length, ...asks.map(({ ids }, i) => [...ids, ...(expected[i]?.tokens ?? [])]));
      await using engine = await open(modelPath, {});
      await expectAll(engine, expected);
      const { draftTokens, acceptedTokens } = engine.stats();
      expect(Math.min(acceptedTokens, draftTokens - acceptedTokens)).toBeGreaterThan(10);
      expect(await engine.checkZeroed()).toMatchObject(nothing);
    },
  ],
  [
    'from the block, mostly wrong, with room for one context, so that some start over, and one cancelled among them',
    async () => {
      const modelPath = createModel();
      const expected = await runPlain(modelPath);
      await using engine = await open(modelPath, { draft: 'mtp', kvTokens: 160 });
      const cancelled = cancelAfter(engine, 5);
      await expectAll(engine, expected);
      expect(await cancelled).toBeLessThan(60);
      const { draftTokens, acceptedTokens, preemptions } = engine.stats();
      expect(draftTokens - acceptedTokens).toBeGreaterThan(30);
      expect(preemptions).toBeGreaterThan(0);
      expect(await engine.checkZeroed()).toMatchObject(nothing);
    },
  ],
  [
    'from a block that is always right: all are kept, greedy and drawn, and a step gives two tokens',
    async () => {
      await using engine = await open(createModel(makeRight), { draft: 'mtp' });
      // A bias of nothing is one, and who has one guesses nothing.
      const bias = [{ id: 0 as TokenId, bias: 0 }];
      const expected = await Promise.all(asks.map(({ ids, rest }) => run(engine, ids, { ...rest, sampling: { ...rest.sampling, logitBias: bias } })));
      const before = engine.stats();
      expect(before.draftTokens).toBe(0);
      await expectAll(engine, expected);
      const { draftTokens, acceptedTokens, steps } = engine.stats();
      expect(acceptedTokens).toBe(draftTokens);
      expect(acceptedTokens).toBeGreaterThan(30);
      expect(steps - before.steps).toBeLessThan(0.75 * before.steps);
    },
  ],
];

test.each(sampleCases('guesses on DeepSeek-V4', kinds, 1))('%s: no bit is another', { timeout: patience }, async (_, expectExact) => await expectExact());

test('another word is refused', async () => {
  await expect(open(createModel(), { draft: 'none' as 'mtp' })).rejects.toMatchObject({ code: 'invalid_option', fields: { option: 'draft' } });
});
