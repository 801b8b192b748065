/** What a request may say about its service: tier, priority, salt, no cache; what it is told: cached tokens, when to try again. And what it may not: its tenant. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { InwardError } from '../../runtime/errors.ts';
import { endId, say } from '../fake-text.ts';
import { type Bench, collect, listen, user } from './help.ts';

const client = (url: string): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
const base = { model: 'default', messages: [user('Hi')] };

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: {
    readonly service_tier?: string;
    readonly usage?: { readonly prompt_tokens_details: { readonly cached_tokens: number } };
    readonly error?: { readonly code: string; readonly param: string | null; readonly message: string };
  };
}

async function post({ app }: Bench, body: object, headers: Record<string, string> = {}, url = '/v1/chat/completions'): Promise<Reply> {
  const payload = url === '/v1/chat/completions' ? { ...base, ...body } : { model: 'default', prompt: 'a', ...body };
  const response = await app.inject({ method: 'POST', url, payload, headers });
  return { status: response.statusCode, headers: response.headers, body: response.json() };
}

// biome-ignore format: a table
test.each([
  [{}, 'interactive', undefined],
  [{ service_tier: null, priority: null }, 'interactive', undefined],
  [{ service_tier: 'auto' }, 'interactive', 'default'],
  [{ service_tier: 'default' }, 'interactive', 'default'],
  [{ service_tier: 'scale' }, 'interactive', 'default'],
  [{ service_tier: 'priority' }, 'interactive', 'priority'],
  [{ service_tier: 'fast' }, 'interactive', 'priority'],
  [{ service_tier: 'flex' }, 'batch', 'flex'],
  [{ priority: 0 }, 'interactive', undefined],
  [{ priority: -(2 ** 31) }, 'interactive', undefined],
  [{ priority: 1 }, 'batch', undefined],
  [{ priority: 2 ** 31 - 1 }, 'batch', undefined],
  [{ service_tier: 'flex', priority: 3 }, 'batch', 'flex'],
  [{ service_tier: 'auto', priority: 3 }, 'batch', 'flex'],
  [{ service_tier: 'auto', priority: -1 }, 'interactive', 'default'],
  [{ service_tier: 'priority', priority: 0 }, 'interactive', 'priority'],
])('%j runs as %s and is answered as %s, by both routes', async (fields, priority, tier) => {
  await using bench = await listen();
  for (const url of ['/v1/chat/completions', '/v1/completions']) {
    const { status, body } = await post(bench, fields, {}, url);
    expect([status, body.service_tier, Object.hasOwn(body, 'service_tier')]).toEqual([200, tier, tier !== undefined]);
    expect(bench.engine.requests.at(-1)?.priority).toBe(priority);
  }
});

test('the official client sends and reads the tier, in every chunk of a stream too', async () => {
  await using bench = await listen();
  const { completions } = client(bench.url).chat;
  expect((await completions.create({ ...base, service_tier: 'flex' })).service_tier).toBe('flex');
  const chunks = await collect(await completions.create({ ...base, service_tier: 'fast', stream: true }));
  expect(new Set(chunks.map(({ service_tier }) => service_tier))).toEqual(new Set(['priority']));
  expect(bench.engine.requests.map(({ priority }) => priority)).toEqual(['batch', 'interactive']);
});

test('a salt becomes the words of its SHA-256 and goes to every choice; none is none', async () => {
  await using bench = await listen();
  const salts = ['s', 'S', 'é', '😀'.repeat(128)];
  for (const cache_salt of salts) expect((await post(bench, { cache_salt, n: 2 })).status).toBe(200);
  await post(bench, { cache_salt: null });
  const seen = bench.engine.requests.map(({ cacheSalt }) => cacheSalt && Array.from(cacheSalt, (word) => word.toString(16).padStart(8, '0')).join(''));
  const expected = salts.map((salt) => createHash('sha256').update(salt, 'utf8').digest('hex'));
  expect(seen).toEqual([...expected.flatMap((hash) => [hash, hash]), undefined]);
  expect(bench.lines.join('')).not.toContain(expected[2]);
});

test('x-inward-no-cache: 1 keeps nothing; no other value passes', async () => {
  await using bench = await listen();
  for (const url of ['/v1/chat/completions', '/v1/completions']) {
    expect((await post(bench, {}, { 'x-inward-no-cache': '1' }, url)).status).toBe(200);
    expect((await post(bench, {}, {}, url)).status).toBe(200);
  }
  expect(bench.engine.requests.map(({ keepsPrefix }) => keepsPrefix)).toEqual([false, true, false, true]);
  for (const value of ['0', '', 'true', '1, 1', '01', 'Marker']) {
    const { status, body } = await post(bench, {}, { 'x-inward-no-cache': value });
    expect([status, body.error?.code, body.error?.param]).toEqual([400, 'invalid_value', 'x-inward-no-cache']);
    expect(body.error?.message).toBe('x-inward-no-cache must be 1, or not be there.');
  }
  expect(bench.engine.requests).toHaveLength(4);
});

test('nothing that a client says makes a tenant', async () => {
  await using bench = await listen();
  const claims = { 'x-inward-tenant': '7', 'x-tenant-id': '7', 'openai-organization': 'o', 'openai-project': 'p', authorization: 'Bearer abc' };
  const more = { 'x-forwarded-for': '10.0.0.7', 'x-gateway-inference-fairness-id': '7', cookie: 'tenant=7' };
  expect((await post(bench, { user: '7', safety_identifier: '7', metadata: { tenant: '7' }, prompt_cache_key: '7' }, { ...claims, ...more })).status).toBe(200);
  expect((await post(bench, { tenant: 7 })).body.error?.code).toBe('unknown_parameter');
  expect(bench.engine.requests.map(({ tenant }) => tenant)).toEqual([0]);
});

test('choices of one prompt are one group, and no two prompts ever share one', async () => {
  await using bench = await listen();
  const complete = (body: object) => post(bench, body, {}, '/v1/completions');
  await complete({ prompt: ['a', 'a'], n: 2 });
  await post(bench, { n: 3 });
  await complete({ prompt: 'a', best_of: 2 });
  await post(bench, {});
  await complete({ prompt: ['a', 'b'] });
  const groups = bench.engine.requests.map(({ group }) => group);
  expect(groups.map((group) => group !== undefined)).toEqual([...Array(9).fill(true), false, false, false]);
  const sizes = new Map<number | undefined, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  expect([...sizes.values()]).toEqual([2, 2, 3, 2, 3]);
  const [first, , second] = groups;
  expect(bench.engine.requests.filter(({ group }) => group === first).map(({ promptIds }) => [...promptIds])).toEqual([
    [257, 97],
    [257, 97],
  ]);
  expect(second).not.toBe(first);
});

test('cached tokens: of the first choice of each prompt, streamed or not', async () => {
  // The others of a group share with the first: to the engine all but one token of their prompt is cached.
  const seen = new Set<number | undefined>();
  const cached = ({ group, promptIds }: { group?: number; promptIds: Uint32Array }): number => {
    const isFirst = group === undefined || !seen.has(group);
    seen.add(group);
    return isFirst ? promptIds.length - 2 : promptIds.length - 1;
  };
  await using bench = await listen({ cached, stepMs: 1 });
  const { completions, chat } = client(bench.url);
  const prompts = [
    [1, 2, 3],
    [4, 5, 6, 7, 8],
    [9, 9],
  ];
  const plain = await completions.create({ model: 'default', prompt: prompts, n: 3 });
  expect(plain.usage).toMatchObject({ prompt_tokens: 10, prompt_tokens_details: { cached_tokens: 1 + 3 + 0 } });
  const best = await completions.create({ model: 'default', prompt: prompts, best_of: 3 });
  expect(best.usage?.prompt_tokens_details).toEqual({ cached_tokens: 4 });
  const scored = await completions.create({ model: 'default', prompt: [[1, 2, 3]], max_tokens: 0, echo: true });
  expect(scored.usage?.prompt_tokens_details).toEqual({ cached_tokens: 1 });
  const stream = await chat.completions.create({ ...base, n: 2, stream: true, stream_options: { include_usage: true } });
  expect((await collect(stream)).at(-1)?.usage).toMatchObject({ prompt_tokens: 9, prompt_tokens_details: { cached_tokens: 7 } });
});

test('cached tokens are known of an answer that a stop string ended', async () => {
  await using bench = await listen({ cached: () => 5, script: say('one STOP two') });
  const { body } = await post(bench, { stop: 'STOP' });
  expect(body.usage?.prompt_tokens_details).toEqual({ cached_tokens: 5 });
});

// biome-ignore format: a table
test.each([
  ['queue_full', { limit: 5, waitMs: 1 }, 429, '1'],
  ['queue_full', { limit: 5, waitMs: 1000 }, 429, '1'],
  ['queue_full', { limit: 5, waitMs: 1001 }, 429, '2'],
  ['queue_full', { limit: 5, waitMs: 600_000 }, 429, '600'],
  ['queue_full', { limit: 5, waitMs: 1e12 }, 429, '600'],
  ['queue_full', { limit: 5, waitMs: 0 }, 429, '7'],
  ['queue_full', { limit: 5 }, 429, '7'],
  ['deadline_unreachable', { limit: 50, waitMs: 2500 }, 503, '3'],
  ['deadline_unreachable', { limit: 50, waitMs: 0 }, 503, '7'],
  ['engine_restarted', {}, 503, '7'],
] as const)('%s %j is a %i with retry-after %s', async (code, fields, status, seconds) => {
  await using bench = await listen({ failAt: { index: 0, error: new InwardError(code, fields) } }, { retryAfterSeconds: 7 });
  for (const stream of [false, true]) {
    const reply = await post(bench, { stream });
    expect([reply.status, reply.body.error?.code, reply.headers['retry-after']]).toEqual([status, code, seconds]);
  }
});

test('any estimate gives whole seconds from 1 to 600, none too early below that', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.double({ min: 0, noNaN: true }), fc.nat(700_000)), async (waitMs) => {
      await using bench = await listen({ places: 0, stats: { estimatedWaitMs: waitMs } }, { retryAfterSeconds: 599 });
      const seconds = Number((await post(bench, {})).headers['retry-after']);
      expect(Number.isInteger(seconds) && seconds >= 1 && seconds <= 600).toBe(true);
      if (waitMs === 0) expect(seconds).toBe(599);
      else if (waitMs <= 600_000) expect(seconds * 1000 - waitMs).toBeGreaterThanOrEqual(0);
      if (waitMs > 0 && seconds > 1) expect((seconds - 1) * 1000).toBeLessThan(waitMs);
    }),
    { numRuns: 40, seed: 4 },
  );
});

test('a stopping server tells the configured time', async () => {
  await using bench = await listen({ stats: { estimatedWaitMs: 9000 } }, { retryAfterSeconds: 7 });
  void bench.life.drain(1000);
  const reply = await post(bench, {});
  expect([reply.status, reply.headers['retry-after']]).toEqual([503, '7']);
});

test('an answer that ends at once', async () => {
  await using bench = await listen({ script: () => [endId], cached: () => 2 });
  expect((await post(bench, {})).body.usage).toMatchObject({ completion_tokens: 1, prompt_tokens_details: { cached_tokens: 2 } });
});
