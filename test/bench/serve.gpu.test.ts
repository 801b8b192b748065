/** The load bench with a tiny model and its own server: that all of it runs, and what it leaves behind. Speed is not judged: a test machine is busy. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { stepParts } from '../../bench/profile.ts';
import type { ServeRecord } from '../../bench/serve/record.ts';
import { startServer } from '../../bench/serve/server.ts';
import { testDevice } from '../gpu.ts';
import { listKeys } from './records.ts';
import { parseSvg } from './svg.ts';

const root = join(import.meta.dirname, '../..');
const model = 'test/fixtures/oracles/gguf_llama_q4_1/model.gguf';
const own = ['--model', model, '--device', testDevice()];

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function runBench(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['bin/inward.mjs', 'bench', 'serve', ...args], { cwd: root, timeout: 110_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
    );
  });
}

/** Written by hand: what is not in this list must not be in the record of a load. */
const closedKeys = [
  ...['.date', '.version', '.device', '.model', '.rounds', '.level.ttftMs', '.level.itlMs'],
  ...['cpu', 'cores', 'memoryBytes', 'node'].map((key) => `.machine.${key}`),
  ...['source', 'requests', 'seed', 'rate'].map((key) => `.load.${key}`),
  ...['name', 'requests', 'complete', 'promptTokens', 'completionTokens', 'durationMs', 'tokensPerSecond', 'retryAfterSeconds'].map(
    (key) => `.summaries[].${key}`,
  ),
  ...['ttft', 'itl', 'endToEnd', 'lag'].flatMap((time) => ['count', 'p50', 'p95', 'p99', 'max', 'curve[]'].map((key) => `.summaries[].${time}.${key}`)),
  ...['good', 'share', 'perSecond'].map((key) => `.summaries[].goodput.${key}`),
];

const lastLine = ({ out }: Ended): ServeRecord => JSON.parse(out.trimEnd().split('\n').at(-1) ?? '');

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('a trace: every request with as many tokens as asked, a picture and the record in a file', async () => {
  const folder = createFolder();
  const [trace, svg, json] = ['trace.csv', 'serve.svg', 'serve.json'].map((name) => join(folder, name)) as [string, string, string];
  writeFileSync(trace, 't_ms,prompt_tokens,output_tokens\n0,20,5\n30,9,3\n30,30,7\n90,1,1\n');
  const ended = await runBench(...own, '--trace', trace, '--scale-time', '1', '--svg', svg, '--json', json);
  expect(ended.err).toMatch(/4 requests: done/);
  expect(ended.code).toBe(0);
  const record = lastLine(ended);
  expect(listKeys(record).sort()).toEqual(closedKeys.toSorted());
  expect(record.load).toEqual({ source: 'trace', requests: 4, seed: 1, rate: 3000 / 90 });
  expect(record.summaries).toHaveLength(1);
  const [all] = record.summaries;
  expect(all).toMatchObject({ name: 'all', requests: 4, complete: 4, promptTokens: 60, completionTokens: 16, failures: {} });
  expect([all?.ttft?.count, all?.endToEnd?.count]).toEqual([4, 4]);
  // All tokens but those that came first; a character may hold some of them back, and then they come together.
  expect(all?.itl?.count ?? 0).toBeLessThanOrEqual(12);
  expect(all?.itl?.count ?? 0).toBeGreaterThan(0);
  expect(JSON.parse(readFileSync(json, 'utf8'))).toEqual(record);
  expect(parseSvg(readFileSync(svg, 'utf8')).filter(({ name }) => name === 'polyline').length).toBe(2);
});

test('all experiments, with little work: every one is found, none is judged', async () => {
  const ended = await runBench(...own, '--experiment', 'all', '--quick', '--rounds', '1');
  expect(ended.err).not.toContain('failed');
  expect(ended.code).toBe(0);
  const { experiments } = lastLine(ended);
  expect(experiments.map(({ name }) => name)).toEqual(['streams', 'mixed', 'prefix', 'queued', 'host', 'drafts', 'isolation']);
  for (const { name, found, isMet } of experiments) {
    expect(isMet).toBeNull();
    if (name !== 'isolation') expect(found?.median).toBeGreaterThan(0);
  }
  const [host, drafts, isolation] = experiments.slice(-3);
  expect(drafts?.details.map(({ unit }) => unit)).toEqual(['tokens', 'tokens', '%']);
  expect(host?.details.map(({ name }) => name)).toEqual([...stepParts, 'the whole step']);
  const [step, ...parts] = (host?.details ?? []).map(({ value }) => value).toReversed();
  expect(Math.min(...parts)).toBeGreaterThanOrEqual(0);
  // Medians of parts and of their sum are of different steps.
  expect(parts.reduce((sum, part) => sum + part, 0)).toBeLessThan(2 * (step ?? 0));
  expect(isolation?.details).toHaveLength(4);
});

test('a server that runs already, bursts; what only our own can show is said to be missing', async () => {
  await using server = await startServer({ model: join(root, model), device: testDevice(), more: ['--queue', '0', '--max-sequences', '2'] });
  const folder = mkdtempSync(join(tmpdir(), 'inward-bench-key-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, server.key);
  const ended = await runBench(
    '--url',
    server.url,
    '--key-file',
    keyFile,
    '--vocabulary',
    '256',
    '--concurrency',
    '6',
    '--requests',
    '8',
    '--prompt-tokens',
    '8',
    '--new-tokens',
    '4',
  );
  expect(ended.code).toBe(0);
  const { summaries, device, load, model: name } = lastLine(ended);
  expect([device, load?.source, load?.rate, name]).toEqual([null, 'bursts', null, 'model']);
  // Two at a time and nobody in the queue: of a first burst of six some are refused.
  expect(summaries[0]?.requests).toBe(8);
  expect(summaries[0]?.failures['status 429']).toBeGreaterThan(0);
  expect(summaries[0]?.retryAfterSeconds?.min).toBeGreaterThan(0);
  expect(summaries[0]?.complete).toBeGreaterThan(0);
  // The same refusals leave an experiment without a result, and the others with theirs.
  const served = await runBench('--url', server.url, '--key-file', keyFile, '--vocabulary', '256', '--experiment', 'all', '--quick', '--rounds', '1');
  const [, mixed, prefix, queued] = lastLine(served).experiments;
  expect(queued).toMatchObject({ name: 'queued', found: null, isMet: null, sides: [] });
  expect(queued?.reason).toMatch(/^\d of 4 requests failed \(status 429\)$/);
  expect(mixed?.name).toBe('mixed');
  expect(prefix?.found?.median).toBeGreaterThan(0);
  const inside = await runBench('--url', server.url, '--key-file', keyFile, '--experiment', 'isolation');
  expect(lastLine(inside).experiments[0]).toMatchObject({ found: null, isMet: null, reason: 'it looks inside the engine, which --url does not show' });
});

test('what cannot be measured is refused with one sentence', async () => {
  const folder = createFolder();
  const trace = join(folder, 'bad.csv');
  writeFileSync(trace, 't_ms,prompt_tokens,output_tokens\n0,secret,5\n');
  const [bad, long, nowhere] = await Promise.all([
    runBench(...own, '--trace', trace),
    runBench(...own, '--concurrency', '1', '--prompt-tokens', '100000'),
    runBench('--url', 'http://127.0.0.1:1'),
  ]);
  for (const { code } of [bad, long, nowhere]) expect(code).toBe(2);
  expect(bad.err).toContain('Line 2 of the trace is not usable');
  expect(bad.err).not.toContain('secret');
  expect(long.err).toMatch(/A request has 100032 tokens and the context holds \d+: raise --context, or ask for shorter ones\./);
  expect(nowhere.err).toContain('Expected a server at http://127.0.0.1:1, found none that answers');
});
