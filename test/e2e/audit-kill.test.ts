/**
 * kill -9 at random moments of a server under load (its start, its work, the end of a segment, its drain): the log always opens, and
 * nothing was answered without its intent. What is in the log is read by the verifier alone, which shares no code with the writer.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type LogReport, openFolder, verifyLog } from '../../server/privacy/audit/verify.mjs';
import type { Listening } from './serve-audited.ts';

/** Kills of one site, and sites. */
const kills = 20;
const sites = process.env['INWARD_FULL'] === undefined ? 1 : 10;
/** A start that takes longer has failed, in ms. */
const startMs = 30_000;
const longestRun = 400;

interface Server {
  readonly child: ChildProcess;
  readonly exit: Promise<unknown>;
  readonly listening: Promise<Listening>;
}

const children = new Set<ChildProcess>();
const folders = new Set<string>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function launch(folder: string): Server {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'serve-audited.ts'), folder], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  children.add(child);
  let complaint = '';
  child.stderr?.on('data', (chunk) => (complaint += chunk));
  const exit = once(child, 'exit').finally(() => children.delete(child));
  const ended = exit.then(() => Promise.reject(new Error(`the server has ended before it listened: ${complaint}`)));
  const late = AbortSignal.timeout(startMs);
  const listening = Promise.race([once(child, 'message', { signal: late }).then(([message]) => message as Listening), ended]);
  listening.catch(() => undefined);
  return { child, exit, listening };
}

/** Numbers from 0 to 1 that are the same at each run (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Load {
  readonly first: Promise<void>;
  readonly end: Promise<void>;
}

/** Clients that ask again and again until their server is gone. `answered` gets the ids of requests of which they have seen the head of an answer. */
function ask({ url, key }: Listening, answered: Set<string>): Load {
  const first = Promise.withResolvers<void>();
  const client = async (number: number): Promise<void> => {
    for (let turn = 0; turn < 2000; turn++) {
      const stream = (number + turn) % 2 === 0;
      const body = JSON.stringify({ model: 'default', prompt: 'Hi', max_tokens: turn % 5 === 4 ? 300 : 2 + number, stream });
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
      const answer = await fetch(`${url}/v1/completions`, { method: 'POST', headers, body });
      if (answer.status !== 200) return;
      answered.add(answer.headers.get('x-request-id') ?? 'without an id');
      first.resolve();
      await answer.text();
    }
  };
  const clients = Array.from({ length: 6 }, (_, number) => client(number).catch(() => undefined));
  return { first: first.promise, end: Promise.all(clients).then(() => first.resolve()) };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Fields = Readonly<Record<string, unknown>>;

async function readLog(folder: string): Promise<{ readonly report: LogReport; readonly records: readonly Fields[] }> {
  const records: Fields[] = [];
  const report = await verifyLog(await openFolder(join(folder, 'audit', '1')), { onRecord: (_, text) => records.push(JSON.parse(text) as Fields) });
  // What no checkpoint covers was never acknowledged.
  return { report, records: records.slice(0, report.records) };
}

function findOpen(records: readonly Fields[]): Set<unknown> {
  const open = new Set<unknown>();
  for (const { event, request } of records) {
    if (event === 'intent') open.add(request);
    if (event === 'outcome') open.delete(request);
  }
  return open;
}

test.each(Array.from({ length: sites }, (_, index) => index + 1))(
  'site %d: killed again and again, it has an intent of all that was answered and an outcome of every intent',
  async (seed) => {
    const folder = mkdtempSync(join(tmpdir(), 'inward-kill-'));
    folders.add(folder);
    const random = createRandom(seed);
    const answered = new Set<string>();
    const orphans = new Set<unknown>();
    let startTime = 0;
    for (let round = 0; round < kills; round++) {
      const start = performance.now();
      const { child, exit, listening } = launch(folder);
      // The first round says how long a start takes.
      const when = round % 5 === 3 ? 'start' : round % 5 === 4 ? 'drain' : 'work';
      if (when === 'start') await wait(startTime * (0.5 + random() / 2));
      else {
        const load = ask(await listening, answered);
        startTime ||= performance.now() - start;
        await load.first;
        await wait(random() * longestRun);
        if (when === 'drain') {
          child.kill('SIGTERM');
          await wait(random() * 50);
        }
        child.kill('SIGKILL');
        await load.end;
      }
      child.kill('SIGKILL');
      await exit;
      for (const request of findOpen((await readLog(folder)).records)) orphans.add(request);
    }
    const { child, exit, listening } = launch(folder);
    await listening;
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);

    const { report, records } = await readLog(folder);
    expect(report.flaws).toEqual([]);
    expect(report.open).toBe(0);
    expect(records.map(({ seq }) => seq)).toEqual([...records.keys()]);
    const intents: unknown[] = records.flatMap(({ event, request }) => (event === 'intent' ? [request] : []));
    const known = new Set(intents);
    const outcomes = records.flatMap(({ event, request }) => (event === 'outcome' ? [request] : []));
    expect([...answered].filter((request) => !known.has(request))).toEqual([]);
    expect(known.size).toBe(intents.length);
    expect([...outcomes].sort()).toEqual([...intents].sort());
    const crashed = records.flatMap(({ ending, request }) => (ending === 'crashed' ? [request] : []));
    expect(new Set(crashed)).toEqual(orphans);
    // Before the next process says that it is there.
    for (const [index, { event }] of records.entries()) if (event === 'started') expect(findOpen(records.slice(0, index)).size).toBe(0);
    // It was no easy time.
    expect(crashed.length).toBeGreaterThan(kills / 2);
    expect(report.segments).toBeGreaterThan(3);
    expect(answered.size).toBeGreaterThan(kills);
  },
  sites * 300_000,
);
