/** What a request gets beside its tokens, and what changes them: log-probabilities, penalties, bias, min-p, deadlines, slow readers. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { editLogits, logSoftmax } from '../../../kernels/sample.ref.ts';
import { createEngine } from '../../../runtime/engine.ts';
import { openEngine } from '../../../runtime/index.ts';
import type { Engine, Sampling, TokenEvent, TokenId } from '../../../runtime/types.ts';
import { distance, run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { readOracle } from '../../oracle.ts';

const oracle = readOracle('gguf_llama_q4_1');
const { len7, len33, batch1 } = oracle.prompts;
const options = { modelPath: oracle.modelPath, device: testDevice(), contextLength: 512, kvTokens: 4096 } as const;

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine(options);
});
afterAll(() => engine[Symbol.asyncDispose]());

const largest = (values: ArrayLike<number>): number => Array.from(values).reduce((best, value, id, all) => (value > (all[best] ?? 0) ? id : best), 0);

/** Greedy by hand: every step from the raw logits of a fresh request, with these edits. */
async function greedyByHand(prompt: ArrayLike<number>, count: number, sampling: Sampling): Promise<number[]> {
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias = [] } = sampling;
  const answer: number[] = [];
  for (let step = 0; step < count; step++) {
    const ids = [...Array.from(prompt), ...answer];
    const { logits } = await run(engine, ids, { maxTokens: 1, logits: 'sampled' });
    const touched = new Set([...ids, ...logitBias.map(({ id }) => id as number)]);
    const edits = Array.from(touched, (id) => {
      const times = answer.filter((other) => other === id).length;
      return {
        id,
        bias: logitBias.find((entry) => entry.id === id)?.bias ?? 0,
        repetition: ids.includes(id) ? repetitionPenalty : 1,
        penalty: times > 0 ? presencePenalty + frequencyPenalty * times : 0,
      };
    });
    answer.push(largest(editLogits(logits[0] ?? [], edits)));
  }
  return answer;
}

test.each<[string, Sampling]>([
  ['a repetition penalty', { repetitionPenalty: 1.4 }],
  ['presence and frequency penalties', { presencePenalty: 0.9, frequencyPenalty: 0.6 }],
  ['negative penalties', { presencePenalty: -1, frequencyPenalty: -0.5 }],
  ['bias', { logitBias: [5, 9, 300].map((id) => ({ id: id as TokenId, bias: id === 9 ? 3 : -3 })) }],
  ['all of them', { repetitionPenalty: 0.8, presencePenalty: 0.5, frequencyPenalty: 0.7, logitBias: [{ id: 17 as TokenId, bias: 2 }] }],
])('%s: greedy is what the reference makes of the raw logits', async (_, sampling) => {
  const { tokens } = await run(engine, len33.ids, { maxTokens: 10, sampling });
  expect(tokens).toEqual(await greedyByHand(len33.ids, 10, sampling));
});

test('a bias of 100 forces a token and one of -100 bans it; the log-probabilities stay the model`s own', async () => {
  const plain = await run(engine, len7.ids, { maxTokens: 1, logits: 'sampled', logprobs: 20 });
  const best = plain.tokens[0] as TokenId;
  const forced = await run(engine, len7.ids, { maxTokens: 1, logprobs: 20, sampling: { logitBias: [{ id: 200 as TokenId, bias: 100 }] } });
  expect(forced.tokens).toEqual([200]);
  expect(forced.logprobs[0]?.top).toEqual(plain.logprobs[0]?.top);
  expect(Math.abs((forced.logprobs[0]?.logprob ?? 0) - (logSoftmax(plain.logits[0] ?? [])[200] ?? Number.NaN))).toBeLessThan(1e-4);
  const banned = await run(engine, len7.ids, { maxTokens: 1, sampling: { logitBias: [{ id: best, bias: -100 }] } });
  expect(banned.tokens).toEqual([plain.logprobs[0]?.top[1]?.id]);
});

test('min-p 1 is greedy, and log-probabilities of prompt and answer are those of the logits', async () => {
  const greedy = await run(engine, batch1.ids, { maxTokens: 8 });
  expect((await run(engine, batch1.ids, { maxTokens: 8, sampling: { temperature: 3, minP: 1, seed: 4 } })).tokens).toEqual(greedy.tokens);
  const { tokens, logits, logprobs } = await run(engine, batch1.ids, { maxTokens: 4, logits: 'all', logprobs: 2, promptLogprobs: 5 });
  const ids = [...batch1.ids, ...tokens];
  expect([logits.length, logprobs.length]).toEqual([ids.length - 1, ids.length - 1]);
  const expected = logits.map((row) => logSoftmax(row));
  expect(
    distance(
      logprobs.map(({ logprob }) => logprob),
      expected.map((row, i) => row[ids[i + 1] ?? 0] ?? Number.NaN),
    ),
  ).toBeLessThan(1e-4);
  logprobs.forEach(({ top }, i) => {
    expect(top.length).toBe(i < batch1.ids.length - 1 ? 5 : 2);
    expect(top[0]?.id).toBe(largest(logits[i] ?? []));
  });
});

test('penalties count the same after a preemption', async () => {
  await using tight = await createEngine({ ...options, contextLength: 96, kvTokens: 96, maxSequences: 4 });
  const sampling = { temperature: 1, seed: 3, frequencyPenalty: 0.8, repetitionPenalty: 1.2 };
  const request = { maxTokens: 40, sampling, logprobs: 1 };
  const alone = await run(tight, len33.ids, request);
  const together = await Promise.all([1, 2, 3].map(() => run(tight, len33.ids, request)));
  expect(tight.stats().preemptions).toBeGreaterThan(0);
  for (const { tokens, logprobs } of together) {
    expect(tokens).toEqual(alone.tokens);
    expect(logprobs).toEqual(alone.logprobs);
  }
});

test('a deadline ends a request that runs and one that waits, and frees their blocks', async () => {
  await using single = await createEngine({ ...options, maxSequences: 1 });
  const results = await Promise.allSettled([
    run(single, len7.ids, { maxTokens: 500, deadlineMs: 60 }),
    run(single, len7.ids, { maxTokens: 1, deadlineMs: 30 }),
    run(single, len7.ids, { maxTokens: 2 }),
  ]);
  expect(results.map((result) => (result.status === 'fulfilled' ? result.value.tokens.length : result.reason.code))).toEqual([
    'deadline_exceeded',
    // Late, or refused because what ran would take longer: what is known of the device decides.
    expect.stringMatching(/^deadline_(exceeded|unreachable)$/),
    2,
  ]);
  expect(single.stats()).toMatchObject({ running: 0, waiting: 0 });
});

test('a deadline wakes an engine that sleeps because every reader is behind', async () => {
  const reader = engine.generate({ promptIds: len7.ids, maxTokens: 400, deadlineMs: 1500 })[Symbol.asyncIterator]();
  expect((await reader.next()).value).toMatchObject({ type: 'token' });
  await until(() => engine.stats().parked === 1);
  await until(() => engine.stats().running + engine.stats().waiting === 0);
  await expect(readAll(reader)).rejects.toMatchObject({ code: 'deadline_exceeded', fields: { limit: 1500 } });
});

async function until(isTrue: () => boolean): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    if (isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('it does not come to that');
}

async function readAll(reader: AsyncIterator<TokenEvent>): Promise<number[]> {
  const tokens: number[] = [];
  for (let next = await reader.next(); !next.done; next = await reader.next()) if (next.value.type === 'token') tokens.push(next.value.id);
  return tokens;
}

test.each(['in this process', 'in its own process'])(
  'an engine %s: a slow reader parks its own sequence, and gets all its tokens in the end',
  async (place) => {
    await using hosted = place === 'in its own process' ? await openEngine({ ...options, device: 'auto' }) : undefined;
    const tested = hosted ?? engine;
    const expected = await run(tested, len7.ids, { maxTokens: 400 });
    const reader = tested.generate({ promptIds: len7.ids, maxTokens: 400 })[Symbol.asyncIterator]();
    const first = (await reader.next()).value as TokenEvent & { type: 'token' };
    await until(() => tested.stats().parked === 1);
    const { generatedTokens } = tested.stats();
    // Meanwhile another is served to its end.
    expect((await run(tested, len33.ids, { maxTokens: 24 })).tokens).toEqual([...len33.greedy]);
    await until(() => tested.stats().generatedTokens >= generatedTokens + 24);
    expect(tested.stats()).toMatchObject({ parked: 1, generatedTokens: generatedTokens + 24 });
    expect([first.id, ...(await readAll(reader))]).toEqual(expected.tokens);
    await until(() => tested.stats().parked === 0 && tested.stats().running === 0);
  },
);

test.each([
  [{ logprobs: 21 }, 'logprobs'],
  [{ logprobs: 0.5 }, 'logprobs'],
  [{ promptLogprobs: -1 }, 'promptLogprobs'],
  [{ deadlineMs: 0 }, 'deadlineMs'],
  [{ deadlineMs: Number.NaN }, 'deadlineMs'],
  [{ sampling: { minP: 1.1 } }, 'sampling.minP'],
  [{ sampling: { repetitionPenalty: 0 } }, 'sampling.repetitionPenalty'],
  [{ sampling: { presencePenalty: Number.NaN } }, 'sampling.presencePenalty'],
  [{ sampling: { frequencyPenalty: 11 } }, 'sampling.frequencyPenalty'],
  [{ sampling: { logitBias: [{ id: 1 as TokenId, bias: 101 }] } }, 'sampling.logitBias'],
  [{ sampling: { logitBias: [1, 1].map((id) => ({ id: id as TokenId, bias: 1 })) } }, 'sampling.logitBias'],
  [{ sampling: { logitBias: Array.from({ length: 1025 }, (_, id) => ({ id: id as TokenId, bias: 1 })) } }, 'sampling.logitBias'],
])('%j is refused at %s', async (rest, path) => {
  await expect(run(engine, len7.ids, { maxTokens: 1, ...rest })).rejects.toMatchObject({ code: 'invalid_request', fields: { path } });
});

test('a bias of a token outside the vocabulary is refused', async () => {
  const sampling = { logitBias: [{ id: 361 as TokenId, bias: 1 }] };
  await expect(run(engine, len7.ids, { maxTokens: 1, sampling })).rejects.toMatchObject({ code: 'token_out_of_range', fields: { limit: 361 } });
});
