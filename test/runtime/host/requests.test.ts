/** What the parent keeps of requests, and for how long. */
import { expect, test } from 'vitest';
import { InwardError } from '../../../runtime/errors.ts';
import { Requests } from '../../../runtime/host/requests.ts';
import { addStats, emptyStats } from '../../../runtime/host/stats.ts';
import type { TokenEvent, TokenId } from '../../../runtime/types.ts';

const token: TokenEvent = { type: 'token', id: 5 as TokenId };
const end: TokenEvent = { type: 'end', reason: 'length', promptTokens: 3, completionTokens: 0, cachedTokens: 0 };

/** One request that was given to a process, with what the parent holds of its prompt. */
function hold(): { requests: Requests; id: number; held: Uint32Array; seen: (TokenEvent | string)[] } {
  const requests = new Requests();
  const seen: (TokenEvent | string)[] = [];
  const sink = { event: (event: TokenEvent) => seen.push(event), fail: ({ code }: InwardError) => seen.push(code) };
  const id = requests.add({ promptIds: Uint32Array.of(7, 8, 9), maxTokens: 4 }, sink, () => undefined);
  const held = requests.take(id)?.promptIds ?? new Uint32Array();
  expect([...held]).toEqual([7, 8, 9]);
  return { requests, id, held, seen };
}

for (const [name, happen] of [
  ['its first event', ({ requests, id }) => requests.event(id, token)],
  ['its end', ({ requests, id }) => requests.event(id, end)],
  ['its failure', ({ requests, id }) => requests.fail(id, new InwardError('internal', { part: 'test' }))],
  ['its being aborted', ({ requests, id }) => requests.remove(id)],
  ['the end of everything', ({ requests }) => requests.failAll(new InwardError('shutting_down'))],
  ['too many lost processes', ({ requests }) => requests.lose(new InwardError('engine_restarted'), 1)],
] as readonly [string, (held: ReturnType<typeof hold>) => void][])
  test(`the held prompt is zeroed with ${name}`, () => {
    const request = hold();
    happen(request);
    expect([...request.held]).toEqual([0, 0, 0]);
  });

test('given once to each process, until its first event; numbers are never used again', () => {
  const { requests, id, seen } = hold();
  const lost = new InwardError('engine_restarted');
  expect(requests.take(id)).toBe(undefined);
  requests.lose(lost, 3);
  expect([...(requests.take(id)?.promptIds ?? [])]).toEqual([7, 8, 9]);
  requests.event(id, token);
  requests.lose(lost, 3);
  expect(requests.take(id)).toBe(undefined);
  requests.event(id, token);
  expect(seen).toEqual([token, 'engine_restarted']);
  expect(requests.count).toBe(0);
  expect(requests.add({ promptIds: Uint32Array.of(1), maxTokens: 1 }, { event: () => undefined, fail: () => undefined }, () => undefined)).toBeGreaterThan(id);
});

test('a later process gets what is left of the deadline', async () => {
  const requests = new Requests();
  const late: number[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const sink = { event: () => undefined, fail: ({ code }: InwardError) => resolve(code) };
  const id = requests.add({ promptIds: Uint32Array.of(1), maxTokens: 1, deadlineMs: 300 }, sink, (request) => late.push(request));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(requests.take(id)?.deadlineMs).toBeLessThan(210);
  expect(await promise).toBe('deadline_exceeded');
  expect(late).toEqual([id]);
});

test('counts of two processes are added, states are those of the later one', () => {
  const earlier = { ...emptyStats, running: 3, steps: 10, generatedTokens: 5, memory: { kv: 1 } };
  const later = { ...emptyStats, running: 1, steps: 4, preemptions: 2, memory: { kv: 7 } };
  expect(addStats(earlier, later)).toEqual({ ...emptyStats, running: 1, steps: 14, generatedTokens: 5, preemptions: 2, memory: { kv: 7 } });
  expect(addStats(addStats(emptyStats, earlier), emptyStats).steps).toBe(10);
});
