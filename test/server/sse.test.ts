import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import { describe, expect, test } from 'vitest';
import { openEventStream } from '../../server/openai/sse.ts';
import { until } from './help.ts';

/** A reply whose client reads only when the test says so. */
function createReply(): { reply: FastifyReply; raw: EventEmitter; written: string[] } {
  const written: string[] = [];
  const raw = Object.assign(new EventEmitter(), {
    writeHead: () => undefined,
    write: (text: string) => written.push(text) < 2,
    end: (text: string) => written.push(text, 'end'),
    destroy: () => written.push('destroyed'),
  });
  return { reply: { raw, hijack: () => undefined, getHeaders: () => ({}) } as unknown as FastifyReply, raw, written };
}
const pause = (): Promise<string> => new Promise((resolve) => setTimeout(() => resolve('waits'), 20));

test('a full socket holds the stream until it drains', async () => {
  const { reply, raw, written } = createReply();
  const stream = openEventStream(reply);
  await stream.send(() => [{ a: 1 }], new AbortController().signal);
  const second = stream.send(() => ['[DONE]'], new AbortController().signal).then(() => 'sent');
  expect(await Promise.race([second, pause()])).toBe('waits');
  raw.emit('drain');
  expect(await second).toBe('sent');
  expect(written).toEqual(['data: {"a":1}\n\n', 'data: [DONE]\n\n']);
});

test('a client that goes away ends the wait', async () => {
  const { reply, raw } = createReply();
  const stream = openEventStream(reply);
  const abort = new AbortController();
  await stream.send(() => [{}], abort.signal);
  const waiting = expect(stream.send(() => [{}], abort.signal)).rejects.toThrow(/aborted/);
  abort.abort();
  await waiting;
  expect(raw.listenerCount('drain')).toBe(0);
});

test('where there is no frame nothing is written', async () => {
  const { reply, written } = createReply();
  await openEventStream(reply).send(() => [], new AbortController().signal);
  expect(written).toEqual([]);
});

describe('a frame that cannot be made, in a paced stream', () => {
  const pace = { cadenceMs: 10, gridSize: 64, start: performance.now() };
  const failing = (): never => {
    throw new Error('no frame');
  };
  const { signal } = new AbortController();

  test('whoever sends next is told, and may say so in the stream', async () => {
    const { reply, written } = createReply();
    const stream = openEventStream(reply, pace);
    await stream.send(failing, signal);
    await until(() => written.length > 0);
    await expect(stream.send(() => ['[DONE]'], signal)).rejects.toThrow('no frame');
    await stream.send(() => [{ error: 1 }], signal);
    stream.end();
    await until(() => written.includes('end'));
    expect(written.at(-2)).toMatch(/^data: \{"error":1\}\n\n:/);
  });

  test('at the end the stream is cut', async () => {
    const { reply, written } = createReply();
    const stream = openEventStream(reply, pace);
    await stream.send(failing, signal);
    stream.end();
    await until(() => written.length > 0);
    expect(written).toEqual(['destroyed']);
  });
});
