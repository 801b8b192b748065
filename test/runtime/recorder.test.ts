/** Times of requests and steps, on a clock that the test moves. */
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { InwardError } from '../../runtime/errors.ts';
import { firstTokenBounds, Histogram, requestBounds, tokenBounds } from '../../runtime/histogram.ts';
import { Recorder } from '../../runtime/recorder.ts';
import type { LatencyHistogram, TokenEvent, TokenId } from '../../runtime/types.ts';

afterEach(() => {
  vi.useRealTimers();
});

const token: TokenEvent = { type: 'token', id: 5 as TokenId };
const end = (reason: 'stop' | 'length'): TokenEvent => ({ type: 'end', reason, promptTokens: 3, completionTokens: 1, cachedTokens: 0 });
const nowhere = { event: () => undefined, fail: () => undefined };
const countOf = ({ counts }: LatencyHistogram): number => counts.reduce((sum, count) => sum + count, 0);
/** Bucket and count of every bucket that has any, by the bound that is its upper end. */
const filled = ({ bounds, counts }: LatencyHistogram): unknown[] =>
  counts.flatMap((count, i) => (count > 0 ? [[bounds[i] ?? Number.POSITIVE_INFINITY, count]] : []));

test('a histogram counts every time in the one bucket whose bounds hold it, and adds all of them up', () => {
  const bounds = fc.uniqueArray(fc.integer({ min: 1, max: 50 }), { minLength: 1 }).map((all) => all.sort((a, b) => a - b));
  fc.assert(
    fc.property(bounds, fc.array(fc.integer({ min: 0, max: 60 })), (limits, times) => {
      const histogram = new Histogram(limits);
      for (const time of times) histogram.observe(time);
      const { counts, sum } = histogram.read();
      const edges = [Number.NEGATIVE_INFINITY, ...limits, Number.POSITIVE_INFINITY];
      expect(counts).toEqual(edges.slice(1).map((high, i) => times.filter((time) => time > (edges[i] ?? 0) && time <= high).length));
      expect(sum).toBe(times.reduce((a, b) => a + b, 0));
    }),
  );
});

test('what was read does not change afterwards', () => {
  const histogram = new Histogram([1]);
  const before = histogram.read();
  histogram.observe(0.5);
  expect([before.counts, histogram.read().counts]).toEqual([
    [0, 0],
    [1, 0],
  ]);
});

test.each([firstTokenBounds, tokenBounds, requestBounds])('bounds ascend from above zero', (...bounds) => {
  expect(bounds.every((bound, i) => bound > (bounds[i - 1] ?? 0))).toBe(true);
});

test('each part of a request is timed from where it began, and events and errors are handed on', () => {
  let now = 1000;
  const recorder = new Recorder(() => now);
  const seen: unknown[] = [];
  const record = recorder.arrived({ event: (event) => seen.push(event), fail: (error) => seen.push(error) });
  now += 400;
  record.admitted();
  now += 300; // preempted, and in a step once more
  record.admitted();
  record.event({ type: 'prompt', position: 0 });
  now += 100;
  record.event(token);
  now += 20;
  record.event(token);
  now += 6000;
  record.event(token);
  record.event(end('stop'));
  const { timeToFirstToken, interTokenLatency, endToEnd, queueTime } = recorder.read().histograms;
  expect([filled(queueTime), queueTime.sum]).toEqual([[[0.5, 1]], 0.4]);
  expect([filled(timeToFirstToken), timeToFirstToken.sum]).toEqual([[[1, 1]], 0.8]);
  expect(filled(interTokenLatency)).toEqual([
    [0.025, 1],
    [7.5, 1],
  ]);
  expect(interTokenLatency.sum).toBeCloseTo(6.02, 9);
  expect([filled(endToEnd), endToEnd.sum]).toEqual([[[10, 1]], 6.82]);
  expect(seen.map((event) => (event as TokenEvent).type)).toEqual(['prompt', 'token', 'token', 'token', 'end']);
  const failing = recorder.arrived({ event: () => undefined, fail: (error) => seen.push(error) });
  const error = new InwardError('shutting_down');
  failing.fail(error);
  expect(seen.at(-1)).toBe(error);
});

test('every request ends once, by what happened first, and only a finished one has a time to its end', () => {
  const recorder = new Recorder();
  const records = Array.from({ length: 5 }, () => recorder.arrived(nowhere));
  records[0]?.event(end('stop'));
  records[1]?.event(end('length'));
  records[2]?.fail(new InwardError('deadline_exceeded', { limit: 1 }));
  records[3]?.ended('cancelled');
  records[3]?.fail(new InwardError('shutting_down'));
  records[0]?.ended('cancelled');
  const { finished, histograms } = recorder.read();
  expect(finished).toEqual({ stop: 1, length: 1, failed: 1, cancelled: 1 });
  expect(Object.values(histograms).map(countOf)).toEqual([0, 0, 2, 0]);
});

test('parts of steps add up', () => {
  const recorder = new Recorder();
  recorder.spent('wait', 5);
  recorder.spent('commit', 1);
  recorder.spent('wait', 2.5);
  expect(recorder.read().stepMs).toEqual({ schedule: 0, submit: 0, wait: 7.5, commit: 1 });
});

test.each(['1970-01-01', '2100-01-01'])('a clock that is set to %s moves no time', (date) => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const recorder = new Recorder();
  const record = recorder.arrived(nowhere);
  vi.setSystemTime(date);
  record.event(token);
  const { timeToFirstToken } = recorder.read().histograms;
  expect(countOf(timeToFirstToken)).toBe(1);
  expect(timeToFirstToken.sum).toBeGreaterThanOrEqual(0);
  expect(timeToFirstToken.sum).toBeLessThan(60);
});
