/** best_of: more candidates than choices, the likeliest by the token first. Expectations from a softmax in double precision. */
import fc from 'fast-check';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import type { GenerateRequest } from '../../runtime/types.ts';
import { type ChoiceEnd, pickChoices } from '../../server/openai/choice.ts';
import { scoreToken } from '../fake-engine.ts';
import { endId, say } from '../fake-text.ts';
import { listen } from './help.ts';

const model = 'default';
const client = (url: string): OpenAI.Completions => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }).completions;
const seedOf = ({ sampling }: GenerateRequest): number => sampling?.seed ?? -1;
const logits = (ids: readonly number[]): Float32Array => Float32Array.from({ length: 300 }, (_, id) => ((id * 37 + (ids.at(-1) ?? 0) * 11) % 101) / 10);

/** Mean log-probability of `answer` behind `prompt`. */
function meanOf(prompt: readonly number[], answer: readonly number[]): number {
  const ids = [...prompt];
  let sum = 0;
  for (const id of answer) {
    sum += scoreToken(logits(ids), id, 0).logprob;
    ids.push(id);
  }
  return sum / answer.length;
}

test('the likeliest n of best_of, in that order, for each prompt; all candidates are counted', async () => {
  const answers = ['aaaaaaaa', 'q', 'hello', 'zz', 'k9k9k9'].map((text) => say(text)());
  await using bench = await listen({ logits, script: (_, request) => answers[seedOf(request)] ?? [], stepMs: 1 });
  const prompts = [
    [1, 2],
    [50, 60, 70],
  ];
  const { choices, usage } = await client(bench.url).create({ model, prompt: prompts, n: 2, best_of: 5, seed: 0, max_tokens: 20 });
  const expected = prompts.flatMap((prompt) => {
    const ranked = answers.map((ids) => ({ ids, mean: meanOf(prompt, ids) })).sort((a, b) => b.mean - a.mean);
    return ranked.slice(0, 2).map(({ ids }) => String.fromCharCode(...ids.slice(0, -1)));
  });
  expect(choices.map(({ text }) => text)).toEqual(expected);
  // The order of the seeds is another one, or this would show nothing.
  expect(expected.slice(0, 2)).not.toEqual(['aaaaaaaa', 'q']);
  expect(choices.map(({ index, logprobs, finish_reason }) => [index, logprobs, finish_reason])).toEqual([0, 1, 2, 3].map((index) => [index, null, 'stop']));
  const made = answers.reduce((sum, ids) => sum + ids.length, 0);
  expect(usage).toMatchObject({ prompt_tokens: 5, completion_tokens: 2 * made, total_tokens: 5 + 2 * made });
  expect(bench.engine.requests.map(seedOf)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  expect(new Set(bench.engine.requests.map(({ logprobs }) => logprobs))).toEqual(new Set([0]));
});

test('with log-probabilities the choices have those of their own tokens', async () => {
  const answers = ['ab', 'cd', 'ef'].map((text) => say(text)());
  await using bench = await listen({ logits, script: (_, request) => answers[seedOf(request)] ?? [] });
  const { choices } = await client(bench.url).create({ model, prompt: [[7]], n: 3, best_of: 3, seed: 0, logprobs: 1 });
  const { choices: best } = await client(bench.url).create({ model, prompt: [[7]], n: 1, best_of: 3, seed: 0, logprobs: 1 });
  const means = choices.map(({ logprobs }) => (logprobs?.token_logprobs ?? []).reduce((a, b) => a + b, 0) / 3);
  const likeliest = means.indexOf(Math.max(...means));
  // With best_of = n the choices stand in the order of their seeds.
  expect(choices.map(({ text }) => text)).toEqual(['ab', 'cd', 'ef']);
  expect(best).toEqual([{ ...choices[likeliest], index: 0 }]);
});

test('a mean, not a sum: a long likely answer beats a short unlikely one', async () => {
  // After a prompt of 7, "a" has probability near 1, "b" far less.
  const favour = () => Float32Array.from({ length: 300 }, (_, id) => (id === 97 ? 8 : id === 98 ? 7 : id === endId ? 8 : 0));
  await using bench = await listen({ logits: favour, script: (_, request) => (seedOf(request) === 0 ? [98, endId] : [...Array(15).fill(97), endId]) });
  const { choices } = await client(bench.url).create({ model, prompt: [[7]], best_of: 2, seed: 0 });
  expect(choices[0]?.text).toBe('a'.repeat(15));
});

test('echo, stop strings, and nothing to make', async () => {
  await using bench = await listen({ logits, script: (_, request) => say(seedOf(request) === 0 ? 'x STOP y' : 'zz')() });
  const { choices } = await client(bench.url).create({ model, prompt: 'Hé', best_of: 2, n: 1, echo: true, seed: 0, stop: 'STOP' });
  expect(choices[0]?.text.startsWith('Hé')).toBe(true);
  expect(choices[0]?.logprobs).toBeNull();
  expect(bench.engine.requests[0]).not.toHaveProperty('promptLogprobs');
  const scored = await client(bench.url).create({ model, prompt: 'ab', best_of: 3, echo: true, max_tokens: 0, logprobs: 1 });
  expect(scored.choices.map(({ text, index }) => [text, index])).toEqual([['ab', 0]]);
});

test('a candidate that fails fails all', async () => {
  const failAt = { index: 2, error: new Error('broken') };
  await using bench = await listen({ script: (_, request) => (seedOf(request) === 1 ? [65, 66, 67] : [65]), failAt });
  await expect(client(bench.url).create({ model, prompt: 'a', best_of: 3, seed: 0 })).rejects.toMatchObject({ status: 500 });
});

test('of any means the greatest, equal ones as they stand', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -4, max: 0 }), { minLength: 1, maxLength: 24 }), fc.nat(), fc.nat(), (means, a, b) => {
      const candidates = (a % Math.min(means.length, 5)) + 1;
      const count = (b % candidates) + 1;
      const prompts = Math.floor(means.length / candidates);
      const ends = means
        .slice(0, prompts * candidates)
        .map((meanLogprob): ChoiceEnd => ({ reason: 'stop', callCount: 0, completionTokens: 1, reasoningTokens: 0, cachedTokens: 0, meanLogprob }));
      const places = pickChoices(ends, candidates, count);
      expect(places).toHaveLength(prompts * count);
      for (let prompt = 0; prompt < prompts; prompt++) {
        const mine = places.slice(prompt * count, (prompt + 1) * count);
        const all = Array.from({ length: candidates }, (_, index) => prompt * candidates + index);
        const left = all.filter((place) => !mine.includes(place));
        expect(new Set(mine).size).toBe(count);
        expect(mine.every((place) => all.includes(place))).toBe(true);
        if (count === candidates) expect(mine).toEqual(all);
        const of = (place: number): number => means[place] as number;
        if (count < candidates)
          for (const [i, place] of mine.entries())
            for (const other of [...mine.slice(i + 1), ...left]) {
              expect(of(place) > of(other) || (of(place) === of(other) && place < other)).toBe(true);
            }
      }
    }),
  );
});
