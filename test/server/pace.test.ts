/** What a paced answer shows on the wire: sizes and times of its writes, and what somebody who watches them can tell. */
import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Passage } from '../../server/openai/answer-text.ts';
import { padFrames, padJson } from '../../server/openai/pace.ts';
import { PartRuns } from '../../server/openai/parts.ts';
import { openEventStream } from '../../server/openai/sse.ts';
import { say } from '../fake-text.ts';
import { collect, listen, rawPost, talk, user } from './help.ts';

const never = new AbortController().signal;
const paced = { shape: 'paced' } as const;

/** A reply that writes down what is written to it, and when. */
class Wire extends EventEmitter {
  readonly writes: { readonly at: number; readonly text: string }[] = [];
  writableNeedDrain = false;
  isEnded = false;
  writeHead(): void {}
  write(text: string): boolean {
    this.writes.push({ at: performance.now(), text });
    return true;
  }
  end(text?: string): void {
    if (text !== undefined) this.write(text);
    this.isEnded = true;
    this.emit('close');
  }
  get reply(): FastifyReply {
    return { raw: this, hijack: () => undefined, getHeaders: () => ({}) } as unknown as FastifyReply;
  }
}

const sizes = (wire: Wire): number[] => wire.writes.map(({ text }) => Buffer.byteLength(text));

test('padding reaches the next multiple, whatever the characters, and never passes it without need', () => {
  for (let length = 0; length < 200; length++) {
    const frames = 'é'.repeat(length);
    const size = Buffer.byteLength(padFrames(frames, 64));
    expect(size % 64).toBe(0);
    // 3 bytes are the shortest comment line.
    expect(size - (2 * length + 3)).toBeLessThan(64);
    expect(Buffer.byteLength(padJson(frames, 64))).toBe(Math.ceil((2 * length) / 64) * 64);
  }
  expect(JSON.parse(padJson('{"a":1}', 64))).toEqual({ a: 1 });
});

describe('with a clock of the test', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());
  const open = (wire: Wire) => openEventStream(wire.reply, { cadenceMs: 100, gridSize: 512, start: performance.now() - 30 });

  test('one write at each tick since the arrival, also when nothing is new, and the end at one', async () => {
    const wire = new Wire();
    const start = performance.now();
    const stream = open(wire);
    await stream.send(() => [{ a: 1 }], never);
    await stream.send(() => [{ b: 2 }], never);
    vi.advanceTimersByTime(69);
    expect(wire.writes).toEqual([]);
    vi.advanceTimersByTime(231);
    await stream.send(() => ['[DONE]'], never);
    stream.end();
    vi.advanceTimersByTime(60);
    expect(wire.isEnded).toBe(false);
    vi.advanceTimersByTime(1000);
    expect(wire.isEnded).toBe(true);
    expect(wire.writes.map(({ at }) => Math.round(at - start))).toEqual([70, 170, 270, 370]);
    expect(sizes(wire)).toEqual([512, 512, 512, 512]);
    expect(wire.writes.map(({ text }) => text.split(/:? *\n\n/).filter((line) => line !== ''))).toEqual([
      ['data: {"a":1}', 'data: {"b":2}'],
      [],
      [],
      ['data: [DONE]'],
    ]);
  });

  test('to a client that does not read nothing is written until it does', async () => {
    const wire = new Wire();
    const stream = open(wire);
    wire.writableNeedDrain = true;
    let hasRoom = false;
    const sent = stream.send(() => [{ a: 1 }], never).then(() => (hasRoom = true));
    vi.advanceTimersByTime(1000);
    await Promise.resolve();
    expect([wire.writes, hasRoom]).toEqual([[], false]);
    wire.writableNeedDrain = false;
    wire.emit('drain');
    await sent;
    vi.advanceTimersByTime(100);
    expect(sizes(wire)).toEqual([512]);
  });

  test('a client that is gone leaves no timer', () => {
    const wire = new Wire();
    open(wire);
    expect(vi.getTimerCount()).toBe(1);
    wire.emit('close');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('who watches tells topics of plain streams apart, and those of paced ones no better than by chance', () => {
    const plain = countHits((wire) => openEventStream(wire.reply));
    const shaped = countHits((wire) => openEventStream(wire.reply, { cadenceMs: 100, gridSize: 512, start: performance.now() }));
    console.log(`topics told: ${plain} of ${trialCount} plain, ${shaped} of ${trialCount} paced, chance ${trialCount / topicCount}`);
    expect(plain).toBeGreaterThan(0.8 * trialCount);
    expect(shaped).toBeLessThanOrEqual(boundOfChance(trialCount, 1 / topicCount, 0.99));
  });
});

test('over a socket: every chunk of a stream is on the grid, and so is a whole answer', async () => {
  await using bench = await listen({ script: say('x'.repeat(300)), stepMs: 1 }, { streamCadenceMs: 20, streamGridBytes: 256 }, paced);
  const ask = (more: object): Promise<string> =>
    talk(bench.port, rawPost(Buffer.from(JSON.stringify({ model: 'default', messages: [user('Hi')], logprobs: true, top_logprobs: 2, ...more }))));
  const [head = '', body = ''] = (await ask({ stream: true })).split(/\r\n\r\n(.*)/s);
  expect(head).toContain('Transfer-Encoding: chunked');
  const chunkSizes = readChunkSizes(body);
  expect(chunkSizes.at(-1)).toBe(0);
  expect(chunkSizes.length).toBeGreaterThan(5);
  expect(chunkSizes.filter((size) => size % 256 !== 0)).toEqual([]);
  const [wholeHead = '', whole = ''] = (await ask({})).split(/\r\n\r\n(.*)/s);
  expect(Number(/content-length: (\d+)/.exec(wholeHead)?.[1]) % 256).toBe(0);
  expect(JSON.parse(whole).choices[0].message.content).toBe('x'.repeat(300));
});

test("OpenAI's client reads the same from a paced stream as from a plain one, tokens included, with fewer chunks", async () => {
  const text = 'aé€ and some more words of text. '.repeat(8);
  const read = async (grant: object) => {
    await using bench = await listen({ script: say(text), stepMs: 1 }, { streamCadenceMs: 50 }, grant);
    const client = new OpenAI({ baseURL: `${bench.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const base = { model: 'default', messages: [user('Hi')], n: 2, logprobs: true, top_logprobs: 1, stream_options: { include_usage: true } };
    const chunks = await collect(await client.chat.completions.create({ ...base, stream: true }));
    const choices = [0, 1].map((index) => {
      const parts = chunks.flatMap((chunk) => chunk.choices.filter((choice) => choice.index === index));
      const tokens = parts.flatMap(({ logprobs }) => logprobs?.content ?? []).map(({ token }) => token);
      return { text: parts.map(({ delta }) => delta.content ?? '').join(''), tokens, reason: parts.at(-1)?.finish_reason };
    });
    return { choices, usage: chunks.at(-1)?.usage, count: chunks.length };
  };
  const [plainly, shaped] = [await read({}), await read(paced)];
  expect(shaped.choices.map((choice) => choice.text)).toEqual([text, text]);
  expect({ ...shaped, count: 0 }).toEqual({ ...plainly, count: 0 });
  expect(shaped.count).toBeLessThan(plainly.count / 3);
});

test('a failure is the last frame of a paced stream too', async () => {
  await using bench = await listen({ failAt: { index: 2, error: new Error('secret detail') } }, { streamCadenceMs: 20 }, paced);
  const answer = await talk(bench.port, rawPost(Buffer.from(JSON.stringify({ model: 'default', messages: [user('Hi')], stream: true }))));
  expect(answer).toContain('"content":"He"');
  expect(answer.lastIndexOf('"code":"internal_error"')).toBeGreaterThan(answer.indexOf('"content":"He"'));
  expect(answer).not.toContain('[DONE]');
  expect(bench.engine.running).toBe(0);
});

function readChunkSizes(body: string): number[] {
  const found: number[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, end), 16);
    found.push(size);
    at = end + 2 + size + 2;
  }
  return found;
}

const topicCount = 20;
const [trainCount, testCount, tokenCount] = [5, 15, 60];
const trialCount = topicCount * testCount;

/** How many streams are put to the right topic by the nearest of the known ones, in sizes and gaps. */
function countHits(open: (wire: Wire) => ReturnType<typeof openEventStream>): number {
  const random = createRandom(7);
  const topics = Array.from({ length: topicCount }, () => Array.from({ length: tokenCount }, () => 1 + Math.floor(random() * 9)));
  // A topic says most of its words every time, and a token takes what it takes whatever the topic.
  const record = (topic: readonly number[]): number[] => {
    const wire = new Wire();
    const stream = open(wire);
    const texts = new PartRuns();
    for (const usual of topic) {
      vi.advanceTimersByTime(15 + Math.floor(random() * 10));
      const length = random() < 0.2 ? 1 + Math.floor(random() * 9) : usual;
      const passage: Passage = { text: 'x'.repeat(length), tokens: undefined };
      if (texts.add({ type: 'text', ...passage })) void stream.send(() => [{ choices: [{ index: 0, delta: { content: texts.take()?.text } }] }], never);
    }
    void stream.send(() => ['[DONE]'], never);
    stream.end();
    vi.advanceTimersByTime(200);
    return wire.writes.flatMap(({ at, text }, index) => [text.length, at - (wire.writes[index - 1]?.at ?? at)]);
  };
  const known = topics.flatMap((topic, index) => Array.from({ length: trainCount }, () => ({ index, features: record(topic) })));
  let hits = 0;
  for (const [index, topic] of topics.entries()) {
    for (let trial = 0; trial < testCount; trial++) {
      const features = record(topic);
      const distances = known.map((other) => ({ index: other.index, distance: measure(features, other.features), tie: random() }));
      distances.sort((a, b) => a.distance - b.distance || a.tie - b.tie);
      if (distances[0]?.index === index) hits++;
    }
  }
  return hits;
}

function measure(a: readonly number[], b: readonly number[]): number {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, place) => Math.abs((a[place] ?? 0) - (b[place] ?? 0))).reduce((sum, part) => sum + part, 0);
}

/** The smallest count that a binomial distribution stays within with this probability. */
function boundOfChance(trials: number, chance: number, probability: number): number {
  let term = (1 - chance) ** trials;
  let sum = term;
  let count = 0;
  while (sum < probability) {
    term *= ((trials - count) / (count + 1)) * (chance / (1 - chance));
    sum += term;
    count++;
  }
  return count;
}

/** Numbers from 0 to 1 that are the same every time (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
