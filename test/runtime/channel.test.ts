/** One request's events between the step loop and its consumer. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventChannel } from '../../runtime/channel.ts';
import { InwardError } from '../../runtime/errors.ts';
import type { SequenceSink } from '../../runtime/scheduling/sequence.ts';
import type { TokenEvent, TokenId } from '../../runtime/types.ts';

const token = (id: number): TokenEvent => ({ type: 'token', id: id as TokenId });
const end: TokenEvent = { type: 'end', reason: 'length', promptTokens: 1, completionTokens: 1, cachedTokens: 0 };
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A signal that counts its listeners. */
function watched() {
  const controller = new AbortController();
  const listeners = new Set<unknown>();
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners.add(args[1]);
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners.delete(args[1]);
    remove(...args);
  };
  return { controller, signal, listeners: () => listeners.size };
}

function open(signal?: AbortSignal) {
  const calls = { started: 0, cancelled: 0, parked: [] as boolean[] };
  const ready = Promise.withResolvers<SequenceSink>();
  const channel = new EventChannel(signal, (sink) => {
    calls.started++;
    ready.resolve(sink);
    return {
      cancel: () => {
        calls.cancelled++;
      },
      park: (isParked: boolean) => calls.parked.push(isParked),
    };
  });
  return { channel, calls, sink: ready.promise };
}

async function collect(channel: EventChannel): Promise<TokenEvent[]> {
  const events: TokenEvent[] = [];
  for await (const event of channel) events.push(event);
  return events;
}

test('events arrive all and in order, whatever the pace of both sides', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 20 }),
      async (pushes, reads) => {
        const { channel, calls, sink } = open();
        const events: TokenEvent[] = [];
        const consumer = (async () => {
          let turn = 0;
          for await (const event of channel) {
            events.push(event);
            for (let i = 0; i < (reads[turn++] ?? 0); i++) await tick();
          }
        })();
        const producer = await sink;
        let next = 0;
        for (const count of pushes) {
          for (let i = 0; i < count; i++) producer.event(token(next++));
          if (count === 0) await tick();
        }
        producer.event(end);
        await consumer;
        expect(events).toEqual([...Array.from({ length: next }, (_, i) => token(i)), end]);
        expect(calls).toMatchObject({ started: 1, cancelled: 0 });
      },
    ),
    { numRuns: 60 },
  );
});

test('nothing starts before the first next()', async () => {
  const { calls } = open();
  await tick();
  expect(calls.started).toBe(0);
});

test('what start throws comes from the first next(), and the channel is over', async () => {
  const { signal, listeners } = watched();
  const channel = new EventChannel(signal, () => {
    throw new InwardError('queue_full', { limit: 1 });
  });
  await expect(channel.next()).rejects.toMatchObject({ code: 'queue_full' });
  expect(await channel.next()).toEqual({ done: true, value: undefined });
  expect(listeners()).toBe(0);
});

test('aborted before it starts: it never starts', async () => {
  const { controller, signal, listeners } = watched();
  controller.abort();
  const { channel, calls } = open(signal);
  await expect(channel.next()).rejects.toMatchObject({ code: 'aborted' });
  expect(calls).toMatchObject({ started: 0, cancelled: 0 });
  expect(listeners()).toBe(0);
});

test('aborted while the consumer waits: cancelled once, thrown at once, later events are dropped', async () => {
  const { controller, signal, listeners } = watched();
  const { channel, calls, sink } = open(signal);
  const waiting = channel.next();
  const producer = await sink;
  expect(listeners()).toBe(1);
  controller.abort();
  producer.event(token(1));
  producer.event(end);
  producer.fail(new InwardError('internal', { part: 'late' }));
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  expect(await channel.next()).toEqual({ done: true, value: undefined });
  expect([calls.cancelled, listeners()]).toEqual([1, 0]);
});

test('aborted with events unread: they are dropped, and so is what is known of the text', async () => {
  const { controller, signal } = watched();
  const { channel, sink } = open(signal);
  const first = channel.next();
  const producer = await sink;
  for (const id of [1, 2, 3]) producer.event(token(id));
  expect((await first).value).toEqual(token(1));
  controller.abort();
  await expect(channel.next()).rejects.toMatchObject({ code: 'aborted' });
});

test.each(['abort', 'leave'] as const)('%s: logits that nobody has read are overwritten, those that somebody has are not', async (way) => {
  const { controller, signal } = watched();
  const { channel, sink } = open(signal);
  const first = channel.next();
  const producer = await sink;
  const logits = Array.from({ length: 5 }, () => Float32Array.of(1, 2, 3));
  const [read, ...unread] = logits.map(
    (row, i): TokenEvent => (i === 1 ? { type: 'prompt', position: 0, logits: row } : { ...token(i), type: 'token', id: i as TokenId, logits: row }),
  );
  const late = unread.pop();
  for (const event of [read, ...unread]) if (event !== undefined) producer.event(event);
  await first;
  if (way === 'abort') controller.abort();
  else await channel.return();
  if (late !== undefined) producer.event(late);
  expect(logits.map((row) => [...row])).toEqual([[1, 2, 3], ...Array(4).fill([0, 0, 0])]);
});

test('leaving the loop cancels; aborting afterwards does nothing', async () => {
  const { controller, signal, listeners } = watched();
  const { channel, calls, sink } = open(signal);
  void sink.then((producer) => [1, 2, 3].forEach((id) => void producer.event(token(id))));
  for await (const event of channel) {
    expect(event).toEqual(token(1));
    break;
  }
  controller.abort();
  expect([calls.cancelled, listeners()]).toEqual([1, 0]);
  expect(await collect(channel)).toEqual([]);
});

test('leaving after the end, or aborting after it, cancels nothing', async () => {
  const { controller, signal, listeners } = watched();
  const { channel, calls, sink } = open(signal);
  void sink.then((producer) => producer.event(end));
  for await (const event of channel) if (event.type === 'end') break;
  controller.abort();
  expect([calls.cancelled, listeners()]).toEqual([0, 0]);
});

test('events before a failure are read first, then it is thrown, once', async () => {
  const { signal, listeners } = watched();
  const { channel, sink } = open(signal);
  const first = channel.next();
  const producer = await sink;
  producer.event(token(1));
  producer.event(token(2));
  producer.fail(new InwardError('device_lost', { reason: 'unknown' }));
  producer.event(end);
  expect((await first).value).toEqual(token(1));
  expect((await channel.next()).value).toEqual(token(2));
  await expect(channel.next()).rejects.toMatchObject({ code: 'device_lost' });
  expect(await channel.next()).toEqual({ done: true, value: undefined });
  expect(listeners()).toBe(0);
});

test('return() while a next() waits ends both', async () => {
  const { channel, calls } = open();
  const waiting = channel.next();
  expect(await channel.return()).toEqual({ done: true, value: undefined });
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(calls.cancelled).toBe(1);
});

test('return() before the first next() means that nothing ever starts', async () => {
  const { channel, calls } = open();
  await channel.return();
  expect(await channel.next()).toEqual({ done: true, value: undefined });
  expect(calls.started).toBe(0);
});

test('several next() at once are answered in order', async () => {
  const { channel, sink } = open();
  const reads = [channel.next(), channel.next(), channel.next(), channel.next()];
  const producer = await sink;
  producer.event(token(1));
  producer.event(token(2));
  producer.event(end);
  expect(await Promise.all(reads)).toEqual(
    [token(1), token(2), end].map((value) => ({ done: false, value })).concat({ done: true, value: undefined } as never),
  );
});

test('a consumer that falls behind parks the request, one that catches up lets it go on; nothing is lost', async () => {
  const { channel, calls, sink } = open();
  const first = channel.next();
  const { event } = await sink;
  for (let id = 0; id < 100; id++) event({ type: 'token', id: id as TokenId });
  expect(calls.parked).toEqual([true]);
  const seen = [await first];
  while (seen.length < 60) seen.push(await channel.next());
  expect(calls.parked).toEqual([true]);
  while (seen.length < 100) seen.push(await channel.next());
  expect(calls.parked).toEqual([true, false]);
  expect(seen.map(({ value }) => (value as { id: number }).id)).toEqual(Array.from({ length: 100 }, (_, id) => id));
  for (let id = 0; id < 100; id++) event({ type: 'token', id: id as TokenId });
  event({ type: 'end', reason: 'stop', promptTokens: 1, completionTokens: 200, cachedTokens: 0 });
  // An ended request is parked no more, and told nothing more.
  expect(calls.parked).toEqual([true, false, true]);
  const rest = await collect(channel);
  expect(rest.length).toBe(101);
  expect(calls.parked).toEqual([true, false, true]);
});
