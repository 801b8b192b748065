/** Embedding many texts by requests of one: what is refused before any begins, a full queue, failures, and what is left of them. */
import { expect, test } from 'vitest';
import { InwardError } from '../../runtime/errors.ts';
import { FakeEngine, type FakeEngineOptions } from '../fake-engine.ts';

const encoder = { pooling: 'mean', isNormalized: false, length: 2 } as const;
const createEngine = (options: Partial<FakeEngineOptions> = {}): FakeEngine => {
  const { info, ...rest } = options;
  return new FakeEngine({
    script: () => [],
    embedding: (ids) => Float32Array.of(ids[0] ?? 0, ids.length),
    info: { encoder, contextLength: 8, maxSequences: 2, ...info },
    ...rest,
  });
};
const texts = (count: number): Uint32Array[] => Array.from({ length: count }, (_, i) => Uint32Array.from({ length: 1 + (i % 3) }, () => i));
const valuesOf = async (embeddings: ReturnType<FakeEngine['embed']>): Promise<number[][]> => (await embeddings).map(({ values }) => [...values]);

test.each([0, 1, 3, 50])('%i texts come back in their order, no more than four under way for two places', async (count) => {
  const engine = createEngine({ stepMs: 1 });
  expect(await valuesOf(engine.embed(texts(count)))).toEqual(texts(count).map((ids, i) => [i, ids.length]));
  expect(engine.peak).toBe(Math.min(count, 4));
});

test('a decoder is refused by its name, and every text is looked at before the first begins', async () => {
  await expect(createEngine({ info: { encoder: undefined, family: 'llama' } }).embed(texts(1))).rejects.toMatchObject({
    code: 'embeddings_unsupported',
    fields: { family: 'llama' },
  });
  const engine = createEngine();
  const last = (ids: Uint32Array, options = {}): Promise<unknown> => engine.embed([...texts(3), ids], options);
  await expect(last(new Uint32Array(9))).rejects.toMatchObject({ code: 'text_too_long', fields: { place: 4, count: 4, found: 9, limit: 8 } });
  await expect(last(new Uint32Array())).rejects.toMatchObject({ code: 'prompt_empty' });
  await expect(last(Uint32Array.of(300))).rejects.toMatchObject({ code: 'token_out_of_range' });
  // Also where the id would be cut away.
  await expect(
    last(
      Uint32Array.from({ length: 9 }, (_, i) => (i === 7 ? 300 : i)),
      { truncates: true },
    ),
  ).rejects.toMatchObject({ code: 'token_out_of_range' });
  expect(engine.requests).toEqual([]);
});

test('a text that is too long is cut before its last id; the ids that were given stay, the cut copy is zeroed', async () => {
  const engine = createEngine();
  const ids = Uint32Array.from({ length: 12 }, (_, i) => 10 + i);
  expect((await engine.embed([ids], { truncates: true }))[0]?.tokens).toBe(8);
  expect([...(engine.requests[0]?.promptIds ?? [])]).toEqual([10, 11, 12, 13, 14, 15, 16, 21]);
  expect([...(engine.prompts[0] ?? [])]).toEqual(Array(8).fill(0));
  expect(ids[11]).toBe(21);
});

test('vectors have length 1 where the model or the call says so; zeros stay zeros', async () => {
  const ids = [Uint32Array.of(3, 0, 0, 0), Uint32Array.of(0)];
  const embedding = (text: Uint32Array): Float32Array => Float32Array.of(text[0] ?? 0, text.length === 1 ? 0 : text.length);
  const plain = createEngine({ embedding });
  const normalizing = createEngine({ embedding, info: { encoder: { ...encoder, isNormalized: true } } });
  const [one, raw] = [
    [Math.fround(0.6), Math.fround(0.8)],
    [3, 4],
  ];
  expect(await valuesOf(plain.embed(ids))).toEqual([raw, [0, 0]]);
  expect(await valuesOf(plain.embed(ids, { normalizes: true }))).toEqual([one, [0, 0]]);
  expect(await valuesOf(normalizing.embed(ids))).toEqual([one, [0, 0]]);
  expect(await valuesOf(normalizing.embed(ids, { normalizes: false }))).toEqual([raw, [0, 0]]);
});

test('whose request it is, its class and its deadline go with every text; the deadline is that of all', async () => {
  const engine = createEngine({ stepMs: 5 });
  await engine.embed(texts(9), { tenant: 7, priority: 'batch', deadlineMs: 1000 });
  expect(engine.requests.every(({ tenant, priority, maxTokens }) => tenant === 7 && priority === 'batch' && maxTokens === 0)).toBe(true);
  const left = engine.requests.map(({ deadlineMs = 0 }) => deadlineMs);
  expect(left[0]).toBeGreaterThan(900);
  expect(left.at(-1)).toBeLessThan((left[0] ?? 0) - 5);
  await expect(createEngine({ stepMs: 30 }).embed(texts(9), { deadlineMs: 40 })).rejects.toMatchObject({ code: 'deadline_exceeded' });
});

test('where the queue is full, the texts that have a place go on; where none has, the call is refused', async () => {
  const engine = createEngine({ stepMs: 1, places: 3 });
  expect(await valuesOf(engine.embed(texts(20)))).toEqual(texts(20).map((ids, i) => [i, ids.length]));
  expect(engine.peak).toBe(3);
  await expect(createEngine({ places: 0 }).embed(texts(5))).rejects.toMatchObject({ code: 'queue_full' });
});

test('a text that fails ends all others, and what was there is zeroed', async () => {
  const given: Float32Array[] = [];
  const engine = createEngine({
    stepMs: 1,
    embedding: (ids) => {
      if (given.length === 6) throw new InwardError('logits_invalid');
      given.push(Float32Array.of(ids[0] ?? 0, 5));
      return given.at(-1) as Float32Array;
    },
  });
  await expect(engine.embed(texts(30))).rejects.toMatchObject({ code: 'logits_invalid' });
  expect(given.length).toBe(6);
  // What is being computed ends with the next step.
  await expect.poll(() => engine.running).toBe(0);
  expect(given.every((values) => values.every((value) => value === 0))).toBe(true);
  expect(engine.requests.length).toBeLessThan(12);
});

test('an abort ends all of it', async () => {
  const engine = createEngine({ stepMs: 5 });
  const stop = new AbortController();
  const embedding = engine.embed(texts(30), {}, stop.signal);
  setTimeout(() => stop.abort(), 12);
  await expect(embedding).rejects.toMatchObject({ code: 'aborted' });
  expect(engine.requests.length).toBeLessThan(20);
});
