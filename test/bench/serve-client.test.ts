/** The client of the load bench against a small server that answers as told, well and badly. Nothing here depends on how long something takes. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Answer, ask, type Target } from '../../bench/serve/client.ts';
import { demandComplete, type ExperimentContext, fullSizes, servedExperiments } from '../../bench/serve/experiments.ts';
import { freshPrompt, type PlannedRequest, planBurst } from '../../bench/serve/load.ts';
import { createPrompt } from '../../bench/serve/prompts.ts';
import { type Outcome, runLoad } from '../../bench/serve/run.ts';
import { readServedModel, startServer } from '../../bench/serve/server.ts';
import { type StreamEvent, StreamReader } from '../../bench/serve/sse.ts';
import { UsageError } from '../../server/cli/options.ts';

type Respond = (response: ServerResponse, body: Record<string, unknown>, request: IncomingMessage) => unknown;

/** Answers each POST by `respond`; gives its URL. */
async function serveFake(respond: Respond): Promise<string> {
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const text = Buffer.concat(pieces).toString();
    await respond(response, text === '' ? {} : JSON.parse(text), request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const target = (url: string, more: Partial<Target> = {}): Target => ({ url, model: 'm', timeoutMs: 60_000, ignoresEnd: true, countsTokens: false, ...more });
const question = { prompt: [5, 6, 7], newTokens: 3, seed: 9 };

const head = { 'content-type': 'text/event-stream; charset=utf-8' };
const frame = (text: string): string => `data: ${JSON.stringify({ choices: [{ text, index: 0, logprobs: null, finish_reason: null }] })}\n\n`;
const usage = (tokens: number): string =>
  `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 3, completion_tokens: tokens, total_tokens: 3 + tokens } })}\n\n`;
const done = 'data: [DONE]\n\n';

async function askFake(respond: Respond, more: Partial<Target> = {}): Promise<Answer> {
  return await ask(target(await serveFake(respond), more), question);
}

const streamOf =
  (...parts: readonly string[]): Respond =>
  (response) => {
    response.writeHead(200, head);
    response.end(parts.join(''));
  };

describe('a request', () => {
  test('says what it wants; ids of the prompt, as many tokens as asked', async () => {
    let sent: Record<string, unknown> = {};
    let path: string | undefined;
    await askFake((response, body, request) => {
      sent = body;
      path = request.url;
      return streamOf(done)(response, body, request);
    });
    expect(path).toBe('/v1/completions');
    expect(sent).toEqual({
      model: 'm',
      prompt: [5, 6, 7],
      max_tokens: 3,
      temperature: 1,
      seed: 9,
      stream: true,
      stream_options: { include_usage: true },
      ignore_eos: true,
    });
  });

  test('without ignore_eos where it is not wanted; log-probabilities where tokens are counted', async () => {
    let sent: Record<string, unknown> = {};
    const respond: Respond = (response, body, request) => streamOf(done)(response, (sent = body), request);
    await askFake(respond, { ignoresEnd: false, countsTokens: true });
    expect(sent).not.toHaveProperty('ignore_eos');
    expect(sent['logprobs']).toBe(0);
  });

  test('a stream that comes in single bytes: complete, a time for each event with text', async () => {
    const text = [': a comment\n\n', frame('a'), frame('é'), frame(''), frame('c'), usage(4), done].join('');
    const answer = await askFake(async (response) => {
      response.writeHead(200, head);
      for (const byte of Buffer.from(text)) {
        response.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    expect(answer.failure).toBeUndefined();
    expect(answer.status).toBe(200);
    expect(answer.arrivals.map(({ count }) => count)).toEqual([1, 1, 1]);
    // As the server counts, which knows of the token without text.
    expect(answer.completionTokens).toBe(4);
    const times = [answer.sentAt, ...answer.arrivals.map(({ at }) => at), answer.endedAt];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('a first token is seen before the next one is made', async () => {
    let madeAt = 0;
    const { arrivals } = await askFake(async (response) => {
      response.writeHead(200, head);
      await new Promise<void>((resolve) => response.write(frame('a'), () => resolve()));
      // Turns of the loop that both sides share: in each one the client looks at its connection.
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      madeAt = performance.now();
      response.end(frame('b') + done);
    });
    expect(arrivals).toHaveLength(2);
    expect(arrivals[0]?.at).toBeLessThan(madeAt);
    expect(arrivals[1]?.at).toBeGreaterThan(madeAt);
  });

  test('without usage, tokens are counted as they came', async () => {
    expect(await askFake(streamOf(frame('a'), frame('b'), done))).toMatchObject({ completionTokens: 2 });
  });

  test('429 with Retry-After: the status and the seconds, nothing of the text', async () => {
    const answer = await askFake((response) => {
      response.writeHead(429, { 'retry-after': '7', 'content-type': 'application/json' });
      response.end('{"error":{"message":"secret"}}');
    });
    expect(answer).toMatchObject({ status: 429, failure: 'status 429', retryAfterSeconds: 7, arrivals: [], completionTokens: 0 });
    expect(JSON.stringify(answer)).not.toContain('secret');
  });

  test('an error without Retry-After, and one that is a date', async () => {
    const refuse = (headers: Record<string, string>) => askFake((response) => response.writeHead(503, headers).end());
    expect(await refuse({})).not.toHaveProperty('retryAfterSeconds');
    expect(await refuse({ 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' })).not.toHaveProperty('retryAfterSeconds');
  });

  test('a connection that is cut in the middle: what came stays, and it is a failure', async () => {
    const answer = await askFake((response) => {
      response.writeHead(200, head);
      response.write(frame('a'), () => response.destroy());
    });
    expect(answer).toMatchObject({ status: 200, failure: 'cut off', completionTokens: 1 });
  });

  test('a stream that ends without [DONE] is cut off too', async () => {
    expect(await askFake(streamOf(frame('a'), usage(1)))).toMatchObject({ failure: 'cut off' });
  });

  test.for([
    ['no JSON', 'data: {"choices":\n\n', 'malformed: an event that is no JSON'],
    ['another shape', 'data: {"answer":"secret"}\n\n', 'malformed: an event that is no completion'],
    ['a chat', 'data: {"choices":[{"delta":{"content":"secret"}}]}\n\n', 'malformed: an event that is no completion'],
    ['an error', 'data: {"error":{"message":"secret","code":"engine_failed"}}\n\n', 'error in the stream: engine_failed'],
    ['an error whose code is a sentence', 'data: {"error":{"message":"x","code":"the secret is out"}}\n\n', 'error in the stream: unknown'],
  ] as const)('%s in the stream is a failure that quotes nothing', async ([, text, failure]) => {
    const answer = await askFake(streamOf(frame('a'), text, frame('b'), done));
    expect(answer).toMatchObject({ failure, completionTokens: 1 });
    expect(answer.arrivals).toHaveLength(1);
    expect(JSON.stringify(answer)).not.toContain('secret');
  });

  test('bytes that are no UTF-8', async () => {
    const answer = await askFake((response) => response.writeHead(200, head).end(Buffer.from([0x64, 0xff, 0xfe])));
    expect(answer).toMatchObject({ failure: 'malformed: bytes that are no UTF-8' });
  });

  test('an answer that is no stream', async () => {
    const answer = await askFake((response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
    expect(answer).toMatchObject({ status: 200, failure: 'no event stream' });
  });

  test('nobody there, and a server that never answers', async () => {
    const url = await serveFake(() => undefined);
    expect(await ask(target(url, { timeoutMs: 30 }), question)).toMatchObject({ status: 0, failure: 'timeout', arrivals: [] });
    expect(await ask(target('http://127.0.0.1:1'), question)).toMatchObject({ status: 0, failure: 'connection: ECONNREFUSED' });
  });

  test('one that gives up tells the server so', async () => {
    let onGone = (): void => undefined;
    const isGone = new Promise<void>((resolve) => (onGone = resolve));
    const url = await serveFake((response) => {
      response.writeHead(200, head);
      response.write(frame('a'));
      response.on('close', onGone);
    });
    expect(await ask(target(url, { timeoutMs: 1000 }), question)).toMatchObject({ failure: 'timeout' });
    await isGone;
  });
});

describe('the stream reader', () => {
  const text = [frame('é'), ': comment\n\n', frame('').replaceAll('\n', '\r\n'), 'event: x\ndata: {"choices":[]}\n\n', usage(2), done].join('');
  const bytes = Buffer.from(text);
  const whole: StreamEvent[] = [
    { type: 'tokens', count: 1 },
    { type: 'tokens', count: 0 },
    { type: 'usage', promptTokens: 3, completionTokens: 2 },
    { type: 'done' },
  ];

  test('the same events wherever the bytes are cut', () => {
    expect([...new StreamReader().push(bytes)]).toEqual(whole);
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 }), (cuts) => {
        const reader = new StreamReader();
        const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        expect(places.slice(1).flatMap((end, index) => [...reader.push(bytes.subarray(places[index], end))])).toEqual(whole);
      }),
    );
  });

  test('an event of several tokens, where it says which', () => {
    const event = { choices: [{ text: 'abc', logprobs: { tokens: ['a', 'b', 'c'], token_logprobs: [0, 0, 0] } }] };
    expect([...new StreamReader().push(Buffer.from(`data:${JSON.stringify(event)}\n\n`))]).toEqual([{ type: 'tokens', count: 3 }]);
  });

  test('an event without an end is refused before it fills the memory', () => {
    const reader = new StreamReader();
    const piece = Buffer.from('data: '.padEnd(2 ** 19, 'x'));
    const push = () => [...reader.push(piece)];
    push();
    push();
    expect(push).toThrow('an event without an end');
  });
});

describe('the open loop', () => {
  test('requests go out whatever became of those before: a server that answers none until it has all', async () => {
    const waiting: ServerResponse[] = [];
    const count = 20;
    const url = await serveFake((response) => {
      waiting.push(response);
      if (waiting.length === count) for (const each of waiting) each.writeHead(200, head).end(frame('a') + done);
    });
    const requests = Array.from({ length: count }, (_, index): PlannedRequest => ({ kind: 'k', at: index, prompt: freshPrompt(2, index), newTokens: 1 }));
    const outcomes = await runLoad(target(url), requests, [10, 20]);
    expect(outcomes.filter(({ failure }) => failure === undefined)).toHaveLength(count);
    // As intended, in their order, and none before its time.
    const [first] = outcomes;
    for (const [index, { intendedAt, sentAt }] of outcomes.entries()) {
      expect(intendedAt - (first?.intendedAt ?? 0)).toBeCloseTo(index, 6);
      expect(sentAt).toBeGreaterThanOrEqual(intendedAt);
    }
  });

  test('outcomes stand in the order of the requests, and each end is told', async () => {
    const url = await serveFake((response, { max_tokens: tokens }) =>
      tokens === 1 ? response.writeHead(429).end() : streamOf(frame('a'), done)(response, {}, {} as IncomingMessage),
    );
    const requests = [1, 2, 3].map((newTokens): PlannedRequest => ({ kind: `k${newTokens}`, at: 0, prompt: freshPrompt(newTokens, newTokens), newTokens }));
    const told: string[] = [];
    const outcomes = await runLoad(target(url), requests, [10, 20], ({ kind }) => told.push(kind));
    expect(outcomes.map(({ kind, failure, promptTokens }) => [kind, failure, promptTokens])).toEqual([
      ['k1', 'status 429', 1],
      ['k2', undefined, 2],
      ['k3', undefined, 3],
    ]);
    expect(told.toSorted()).toEqual(['k1', 'k2', 'k3']);
  });
});

describe('a running server', () => {
  test('the first model that it names', async () => {
    const url = await serveFake((response) => response.end('{"object":"list","data":[{"id":"one"},{"id":"two"}]}'));
    expect(await readServedModel(url)).toBe('one');
  });

  test('one that is not there, and one that lists nothing', async () => {
    await expect(readServedModel('http://127.0.0.1:1')).rejects.toThrow(/^Expected a server at http:\/\/127\.0\.0\.1:1, found none that answers/);
    const url = await serveFake((response) => response.writeHead(404).end('secret'));
    await expect(readServedModel(url)).rejects.toThrow(/to list models \(status 404\)/);
  });

  test('ours that cannot start says why', async () => {
    const starting = startServer({ model: 'no/such/model.gguf', device: 'auto', more: [] });
    await expect(starting).rejects.toThrow(UsageError);
    await expect(starting).rejects.toThrow(/^The server ended with 1 before it was ready: .*no\/such\/model\.gguf/);
  });
});

/** Outcomes as a server would give that takes `first` ms to the first token and `each` ms for all others of all requests together. */
function fakeRun(
  first: (request: PlannedRequest, batch: number) => number,
  each: number,
): { readonly run: ExperimentContext['run']; readonly loads: PlannedRequest[][] } {
  const loads: PlannedRequest[][] = [];
  return {
    loads,
    run: async (requests) => {
      loads.push([...requests]);
      return requests.map((request): Outcome => {
        const { kind, at, prompt, newTokens } = request;
        const begun = at + first(request, requests.length);
        const arrivals = Array.from({ length: newTokens }, (_, index) => ({ at: begun + index * each, count: 1 }));
        const endedAt = arrivals.at(-1)?.at ?? begun;
        return { kind, intendedAt: at, sentAt: at, endedAt, promptTokens: prompt.length, completionTokens: newTokens, arrivals, status: 200 };
      });
    },
  };
}

describe('experiments', () => {
  const context = (run: ExperimentContext['run'], round = 1): ExperimentContext => ({ run, sizes: fullSizes, seed: 1, round });
  const ids = [1000, 40_000] as const;

  test('streams: eight in the time of one are eight times the rate; the order turns with the rounds', async () => {
    const { run, loads } = fakeRun(() => 100, 10);
    const { value, sides } = await servedExperiments.streams(context(run));
    expect(value).toBeCloseTo(8, 9);
    expect(sides.map(({ name, outcomes }) => [name, outcomes.length])).toEqual([
      ['one stream', 1],
      ['8 streams', 8],
    ]);
    await servedExperiments.streams(context(run, 2));
    expect(loads.map(({ length }) => length)).toEqual([1, 8, 8, 1]);
  });

  test('queued: 64 in eight times the time of 8 are as fast', async () => {
    const { run } = fakeRun((_, batch) => (batch / 8) * (100 + 31 * 10) - 31 * 10, 10);
    expect((await servedExperiments.queued(context(run))).value).toBeCloseTo(1, 9);
  });

  test('mixed: long prompts come while answers are under way; p99 over the median of all gaps', async () => {
    const { run, loads } = fakeRun(() => 50, 20);
    expect((await servedExperiments.mixed(context(run))).value).toBeCloseTo(1, 9);
    const [requests = []] = loads;
    const prompts = requests.filter(({ kind }) => kind === 'prompts');
    expect(prompts.map(({ at }) => at)).toEqual([2000, 6000, 10_000, 14_000]);
    expect(requests.filter(({ at }) => at === 0)).toHaveLength(6);
  });

  test('prefix: warm prompts share their first 512 ids with one sent before, cold ones share nothing, all tails are fresh', async () => {
    const seen = new Set<string>();
    const { run, loads } = fakeRun(({ prompt }) => {
      const prefix = createPrompt(prompt, ids).slice(0, 512).join();
      const isKnown = seen.has(prefix);
      seen.add(prefix);
      return isKnown ? 20 : 200;
    }, 10);
    const { value, sides } = await servedExperiments.prefix(context(run));
    expect(value).toBeCloseTo(0.1, 9);
    expect(sides.map(({ outcomes }) => outcomes.length)).toEqual([3, 3]);
    expect(loads.every(({ length }) => length === 1)).toBe(true);
    const prompts = loads.flat().map(({ prompt }) => createPrompt(prompt, ids));
    expect(new Set(prompts.map((prompt) => prompt.length))).toEqual(new Set([532]));
    expect(new Set(prompts.map((prompt) => prompt.slice(512).join())).size).toBe(7);
    // The first one, and a cold one in each pair.
    expect(new Set(prompts.map((prompt) => prompt.slice(0, 512).join())).size).toBe(4);
  });

  test('rounds with other seeds send other prompts', async () => {
    const { run, loads } = fakeRun(() => 1, 1);
    await servedExperiments.prefix(context(run));
    await servedExperiments.prefix({ ...context(run), seed: 2 });
    expect(new Set(loads.flat().map(({ prompt }) => createPrompt(prompt, ids).slice(0, 512).join())).size).toBe(8);
  });

  test('a failed request ends the experiment', async () => {
    const { run } = fakeRun(() => 1, 1);
    const [good] = await run(planBurst({ kind: 'k', count: 1, promptTokens: 4, newTokens: 1, seed: 1 }));
    if (good === undefined) throw new Error('nothing was run');
    expect(demandComplete([good])).toEqual([good]);
    expect(() => demandComplete([good, { ...good, failure: 'status 429' }, { ...good, failure: 'status 429' }])).toThrow('2 of 3 requests failed (status 429)');
  });
});
