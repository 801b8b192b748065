/** Command line, report and picture of the load bench. */
import { CommanderError } from 'commander';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { parseLoadOptions } from '../../bench/serve/options.ts';
import { drawLoad } from '../../bench/serve/plot.ts';
import type { ServeRecord } from '../../bench/serve/record.ts';
import { formatServeRecord } from '../../bench/serve/report.ts';
import { describeSamples } from '../../bench/serve/statistics.ts';
import type { LoadSummary } from '../../bench/serve/summary.ts';
import { UsageError } from '../../server/cli/options.ts';
import { parseSvg } from './svg.ts';

function summary(name: string, ttft: readonly number[], itl: readonly number[]): LoadSummary {
  return {
    name,
    requests: 5,
    complete: 3,
    promptTokens: 30,
    completionTokens: 60,
    durationMs: 20_000,
    tokensPerSecond: 3,
    ttft: describeSamples(ttft) ?? null,
    itl: describeSamples(itl) ?? null,
    endToEnd: describeSamples([1000]) ?? null,
    lag: describeSamples([0.25]) ?? null,
    goodput: { good: 2, share: 0.4, perSecond: 0.1 },
    failures: { 'status 429': 2 },
    retryAfterSeconds: { median: 3, min: 2, max: 4 },
  };
}

const record: ServeRecord = {
  date: '2026-01-02',
  version: '1.2.3',
  machine: { cpu: 'A <fast> CPU', cores: 2, memoryBytes: 2 ** 33, node: '24.0.0' },
  device: 'lavapipe',
  model: 'm.gguf',
  level: { ttftMs: 5000, itlMs: 200 },
  load: { source: 'mix', requests: 5, seed: 1, rate: 0.5 },
  summaries: [summary('all', [100, 200], [10, 20]), summary('chat', [100], [10, 20]), summary('<long>', [200], [])],
  rounds: 1,
  experiments: [],
};

const experiments: ServeRecord = {
  ...record,
  load: null,
  summaries: [],
  rounds: 3,
  experiments: [
    { name: 'streams', limit: 3, found: { median: 3.5, min: 3, max: 4 }, isMet: true, reason: null, sides: [summary('one stream', [5], [5])], details: [] },
    {
      name: 'host',
      limit: 10,
      found: { median: 12, min: 12, max: 12 },
      isMet: false,
      reason: null,
      sides: [],
      details: [{ name: 'upload', value: 0.1234, unit: 'ms' }],
    },
    { name: 'isolation', limit: 0.01, found: null, isMet: null, reason: 'it was cloudy', sides: [], details: [{ name: 'control', value: 0.00004, unit: 'p' }] },
  ],
};

const parse = (line: string) => parseLoadOptions(line.split(' ').filter((word) => word !== ''));

/** What commander says on standard error. */
function refused(line: string): string {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  onTestFinished(() => said.mockRestore());
  expect(() => parse(line)).toThrow(CommanderError);
  return said.mock.calls.map(([text]) => String(text)).join('');
}

test('without arguments: thirty requests of a mix, by a server of our own', () => {
  expect(parse('')).toEqual({
    device: 'auto',
    ignoreEos: true,
    serve: [],
    limit: 50,
    mix: { chat: 6, prompt: 2, answer: 2 },
    rate: 0.2,
    promptTokens: 64,
    newTokens: 32,
    seed: 1,
    sloTtft: 10_000,
    sloItl: 500,
    timeout: 900,
    rounds: 3,
    quick: false,
  });
});

test('what is not named in a mix has no part; a path of the URL is left away', () => {
  expect(parse('--mix chat=1.5,answer=2').mix).toEqual({ chat: 1.5, prompt: 0, answer: 2 });
  expect(parse('--url http://127.0.0.1:8000/v1').url).toBe('http://127.0.0.1:8000');
  expect(parseLoadOptions(['--serve', '--max-sequences 16  --kv q8']).serve).toEqual(['--max-sequences', '16', '--kv', 'q8']);
});

test.for([
  ['--mix chat=0', 'Expected a part above 0.'],
  ['--mix poem=1', 'Expected parts of chat, prompt, answer'],
  ['--rate 0', 'Expected a number above 0.'],
  ['--rate', 'argument missing'],
  ['--url ftp://x', 'Expected a URL like http://127.0.0.1:8000.'],
  ['--url x', 'Expected a URL like http://127.0.0.1:8000.'],
  ['--experiment speed', 'Allowed choices are streams, mixed, prefix, queued, host, drafts, isolation, all.'],
  ['--concurrency 0', 'Expected a whole number'],
  ['--poem', "unknown option '--poem'"],
] as const)('%s is refused', ([line, sentence]) => {
  expect(refused(line)).toContain(sentence);
});

test.for([
  ['--url http://127.0.0.1:1 --model m.gguf', '--url measures a server that runs: leave --model and --serve out.'],
  ['--served-model m', '--served-model needs --url.'],
  ['--trace t.csv --concurrency 4', '--trace and --concurrency are different loads: choose one.'],
  ['--concurrency 4 --experiment all', '--concurrency and --experiment are different loads: choose one.'],
  ['--scale-time 2', '--scale-time and --scale-length need --trace.'],
] as const)('%s: one of them would have no effect', ([line, sentence]) => {
  expect(() => parse(line)).toThrow(new UsageError(sentence));
});

test('the report of a load: every time of every kind, failures, rate, goodput with its limits', () => {
  const text = formatServeRecord(record).join('\n');
  expect(text).toContain('load     mix: 5 requests, 0.50 a second, seed 1');
  expect(text).toMatch(/^first token, all +150 +195 +199 +200 +2$/m);
  expect(text).toMatch(/^between tokens, chat +15\.0 +19\.5 +19\.9 +20\.0 +2$/m);
  expect(text).not.toContain('between tokens, <long>');
  expect(text).toContain('answers  3 of 5 complete; failed: 2 x status 429; told to wait 3.00 (2.00 to 4.00) s');
  expect(text).toContain('tokens   60 in 20.0 s: 3.00 tok/s');
  expect(text).toContain('goodput  2 of 5 (40.0 %), 0.10 requests/s: first token within 5000 ms, tokens within 200 ms of each other on average');
});

test('the report of experiments: a table of targets, what was found, the verdict', () => {
  const lines = formatServeRecord(experiments);
  const row = (begin: string) => lines.findLast((line) => line.startsWith(begin));
  expect(row('tokens/s of 8 streams')).toMatch(/ >= 3 x +3\.50 \(3\.00 to 4\.00\) x +met$/);
  expect(row('work of scheduler')).toMatch(/ <= 10 % +12\.0 % +missed$/);
  expect(row('time to first token of a tenant')).toMatch(/ >= 0\.01 +- +not measured: it was cloudy$/);
  expect(lines.join('\n')).toMatch(/upload +0\.123 ms/);
  expect(lines.join('\n')).toMatch(/control +p = 4\.0e-5/);
});

test('a server that ran already is named so', () => {
  expect(formatServeRecord({ ...record, device: null })[1]).toBe('server   one that ran already, m.gguf');
});

test('the picture: a line for each kind in each panel that has its times, told apart without colour too', () => {
  const elements = parseSvg(drawLoad(record));
  const lines = elements.filter(({ name }) => name === 'polyline');
  // Times between tokens are there for chats alone.
  expect(lines).toHaveLength(3);
  const [chat, long] = lines.map(({ attributes }) => [attributes['stroke'], attributes['stroke-dasharray']]);
  expect(chat?.[0]).not.toBe(long?.[0]);
  expect(chat?.[1]).not.toBe(long?.[1]);
  const texts = elements.filter(({ name }) => name === 'text').map(({ text }) => text);
  expect(texts).toEqual(expect.arrayContaining(['chat', '<long>', 'time to first token, ms', 'time between tokens, ms', 'p50', 'p99', '10', '100']));
  expect(texts.at(-1)).toBe('mix, 5 requests; m.gguf, lavapipe on A <fast> CPU, 2 cores; 2026-01-02');
  // All samples of a kind are one value: the line stands upright.
  const xs = lines[0]?.attributes['points']?.split(' ').map((point) => point.split(',')[0]);
  expect(new Set(xs).size).toBe(1);
});

test('a longer time stands further right, its share of the requests higher up', () => {
  const spread = { ...record, summaries: [summary('all', [1, 10, 100], [5])] };
  const [line] = parseSvg(drawLoad(spread)).filter(({ name }) => name === 'polyline');
  const points = (line?.attributes['points'] ?? '').split(' ').map((point) => point.split(',').map(Number));
  const [first, middle, last] = [points[0], points[50], points[100]];
  // A decade each.
  expect((last?.[0] ?? 0) - (middle?.[0] ?? 0)).toBeCloseTo((middle?.[0] ?? 0) - (first?.[0] ?? 0), 0);
  expect((first?.[1] ?? 0) - (middle?.[1] ?? 0)).toBeCloseTo((middle?.[1] ?? 0) - (last?.[1] ?? 0), 0);
  expect(last?.[0]).toBeGreaterThan(first?.[0] ?? Number.NaN);
  expect(last?.[1]).toBeLessThan(first?.[1] ?? Number.NaN);
});

test('whatever the times and names, the picture is well-formed and everything lies inside', () => {
  const times = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 1e-3, max: 1e7, noNaN: true })), { maxLength: 20 });
  const kinds = fc.array(fc.record({ name: fc.string({ unit: 'grapheme-ascii', maxLength: 40 }), ttft: times, itl: times }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(kinds, (all) => {
      const summaries = all.map(({ name, ttft, itl }) => summary(name, ttft, itl));
      const [root, ...elements] = parseSvg(drawLoad({ ...record, summaries }));
      const [width, height] = [Number(root?.attributes['width']), Number(root?.attributes['height'])];
      for (const { attributes } of elements) {
        const points = (attributes['points'] ?? '').split(/[ ,]/).filter((word) => word !== '');
        for (const [index, value] of points.map(Number).entries()) {
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(index % 2 === 0 ? width : height);
        }
        for (const key of ['y', 'y1', 'y2']) if (attributes[key] !== undefined) expect(Number(attributes[key])).toBeLessThan(height);
        for (const key of ['x', 'x1', 'x2']) if (attributes[key] !== undefined) expect(Number(attributes[key])).toBeLessThan(width);
      }
    }),
    { numRuns: 200 },
  );
});
