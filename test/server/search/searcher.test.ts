/** Long texts in a thread: the same finds, the event loop free, an order, an end of the thread, and refusals. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createDetector } from '../../../server/privacy/deid/detector.ts';
import { findIdentifiers } from '../../../server/privacy/deid/search.ts';
import { longLength, Searcher } from '../../../server/search/searcher.ts';

const long = 'Seen by Dr. Okonkwo on 3/14/2024; MRN 4839201.\n'.repeat(longLength / 40);

test('a long text has the finds that it has in this thread, and the event loop turns meanwhile', async () => {
  await using searcher = new Searcher();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  // Half of a pair, as a text may have it.
  const text = `${long}\ud83d {"mrn":4839201}`;
  const found = await searcher.find(text);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(10);
  expect(found.length).toBeGreaterThan(longLength / 40);
  expect(found.map(({ start, end, type, form }) => [start, end, type, form])).toEqual(
    findIdentifiers(text, createDetector()).map(({ start, end, type, form }) => [start, end, type, form]),
  );
});

test('texts that are not long are searched at once, without a thread', async () => {
  await using searcher = new Searcher({ placeLimit: 0 });
  expect(await searcher.find('Dr. Okonkwo')).toEqual([{ start: 0, end: 11, type: 'NAME' }]);
});

describe('refusals', () => {
  test('more than so many texts, until one has left or is done', async () => {
    await using searcher = new Searcher({ placeLimit: 2 });
    const gone = new AbortController();
    const first = searcher.find(long);
    const second = searcher.find(long, gone.signal);
    await expect(searcher.find(long)).rejects.toMatchObject({ code: 'queue_full' });
    gone.abort(new Error('gone'));
    await expect(second).rejects.toThrow('gone');
    expect(await searcher.find(long)).toEqual(await first);
  });

  test('a search that takes too long, with its thread', async () => {
    await using searcher = new Searcher({ longestMs: 1 });
    const two = await Promise.allSettled([searcher.find(long), searcher.find(long)]);
    expect(two.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(['internal', 'internal']);
  });

  test('what waits at the end', async () => {
    const searcher = new Searcher();
    const found = searcher.find(long);
    found.catch(() => undefined);
    await searcher[Symbol.asyncDispose]();
    await expect(found).rejects.toMatchObject({ code: 'shutting_down' });
  });
});

test('a thread without work ends, and one is started when there is work again', async () => {
  const countThreads = (): number => readdirSync('/proc/self/task').length;
  await using searcher = new Searcher({ idleMs: 1 });
  const first = await searcher.find(long);
  const busy = countThreads();
  await expect.poll(countThreads, { timeout: 10_000 }).toBeLessThan(busy);
  expect(await searcher.find(long)).toEqual(first);
});
