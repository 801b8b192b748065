/** Clients and templates that do harm: what they hold up, and that nothing of them stays. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { openText } from '../../runtime/text/index.ts';
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import { readExposition, readValueOf } from '../exposition.ts';
import { FakeEngine } from '../fake-engine.ts';
import { say } from '../fake-text.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../gguf-file.ts';
import { openTo } from './doorkeeper.ts';
import { type Bench, listen, rawPost, talk, until, user } from './help.ts';

const folder = createFolder();
afterAll(folder.remove);

const json = { 'content-type': 'application/json' };
const base = { model: 'default', messages: [user('Hi')] };
const post = (url: string, body: object, path = '/v1/chat/completions'): Promise<Response> =>
  fetch(`${url}${path}`, { method: 'POST', headers: json, body: JSON.stringify({ model: 'default', ...body }) });

/** What these tests look at in an answer or in a frame of a stream. */
interface Answer {
  readonly choices: readonly [{ readonly text: string; readonly message: { readonly content: string }; readonly delta: { readonly content?: string } }];
  readonly error: { readonly code: string; readonly param: string; readonly message: string };
}
const read = async (response: Response): Promise<Answer> => (await response.json()) as Answer;
const readContent = async (response: Response): Promise<string> => (await read(response)).choices[0].message.content;

async function readState({ url }: Pick<Bench, 'url'>): Promise<{ running: number; waiting: number; parked: number }> {
  const page = readExposition(await (await fetch(`${url}/metrics`)).text());
  const [running, waiting, parked] = ['vllm:num_requests_running', 'vllm:num_requests_waiting', 'inward_requests_parked'].map((name) =>
    readValueOf(page, name),
  );
  return { running: running as number, waiting: waiting as number, parked: parked as number };
}

const countConnections = ({ app }: Bench): Promise<number> =>
  new Promise((resolve, reject) => app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
const countSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

const whole = (stream: boolean): Buffer => rawPost(Buffer.from(JSON.stringify({ ...base, stream, n: 2 })));
/** What a client sends before it leaves, and whether it waits for the first bytes of an answer. */
const visits: readonly (readonly [sent: Buffer | string, waits: boolean])[] = [
  ['', false],
  ['POST /v1/ch', false],
  [whole(false).subarray(0, 60), false],
  [whole(true).subarray(0, -5), false],
  [whole(false), false],
  [whole(true), false],
  [whole(true), true],
  ['\r\n\r\n\0\0', true],
];

test('1,000 connections that open and leave, leave nothing', async () => {
  await using bench = await listen({ stepMs: 1, places: 100, script: say('x'.repeat(2000)) });
  await (await post(bench.url, { ...base, max_tokens: 1 })).text();
  await until(() => bench.life.running === 0);
  // fetch keeps its connection for a while.
  const [connections, sockets] = [await countConnections(bench), countSockets()];
  expect(connections).toBeLessThanOrEqual(1);
  const open: Socket[] = [];
  let asked = 0;
  await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const [sent, waits] = visits[index % visits.length] as (typeof visits)[number];
      const socket = connect(bench.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      open.push(socket);
      if (sent.length > 0) await new Promise((resolve) => socket.write(sent, resolve));
      if (waits) await once(socket, 'data');
      asked += Number(sent === visits[4]?.[0] || sent === visits[5]?.[0] || sent === visits[6]?.[0]);
    }),
  );
  expect(asked).toBe(375);
  // Those that the server has not closed: half of a request, nothing, or an answer that is being made.
  expect(await countConnections(bench)).toBeGreaterThan(500);
  expect(bench.engine.running).toBeGreaterThan(0);
  // The one half says good-bye, the other does not.
  for (const [index, socket] of open.entries()) index % 2 === 0 ? socket.destroy() : socket.resetAndDestroy();

  await until(() => bench.life.running === 0 && bench.engine.running === 0, 20_000);
  await expect.poll(() => countConnections(bench), { timeout: 20_000 }).toBeLessThanOrEqual(connections);
  await expect.poll(countSockets, { timeout: 20_000 }).toBeLessThanOrEqual(sockets);
  // One step each may have been on its way.
  expect(bench.engine.stepsAfterAbort).toBeLessThanOrEqual(bench.engine.aborts);
  const answer = await post(bench.url, { ...base, max_tokens: 3 });
  expect([answer.status, await readContent(answer)]).toEqual([200, 'xxx']);
  await until(() => bench.life.running === 0);
  expect(await readState(bench)).toEqual({ running: 0, waiting: 0, parked: 0 });
});

test('connections that open and stay are closed by the server', async () => {
  await using bench = await listen({}, { requestTimeoutMs: 300 });
  const sent = ['', 'POST /v1/ch', whole(false).subarray(0, 60), whole(true).subarray(0, -5)];
  const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => talk(bench.port, sent[index % sent.length] ?? '', 30_000)));
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 408 .*"code":"request_timeout"/s);
  expect(await readState(bench)).toEqual({ running: 0, waiting: 0, parked: 0 });
});

/** A stream of which nothing is read until somebody does. */
function openSlowly(url: string, body: object): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}/v1/chat/completions`, { method: 'POST', headers: json });
    request.on('response', resolve).on('error', reject);
    request.end(JSON.stringify({ ...base, stream: true, logprobs: true, top_logprobs: 20, ...body }));
  });
}

test('a client that reads slowly parks its own sequence and no other', async () => {
  const text = 'abcdefghijk'.repeat(400);
  const script = (_: unknown, { maxTokens }: { maxTokens: number }): number[] => [...Buffer.from(text)].slice(0, maxTokens);
  await using bench = await listen({ info: { contextLength: 10_000 }, script });
  const [first, second] = [await openSlowly(bench.url, {}), await openSlowly(bench.url, {})];
  await until(() => bench.engine.parked === 2, 20_000);
  const made = bench.engine.generatedTokens;
  expect(made).toBeLessThan(2 * text.length);
  for (let request = 0; request < 20; request++) {
    const answer = await post(bench.url, { ...base, max_tokens: 11 });
    expect(await readContent(answer)).toBe('abcdefghijk');
  }
  await until(() => bench.life.running === 2);
  expect(await readState(bench)).toEqual({ running: 2, waiting: 0, parked: 2 });
  expect(bench.engine.generatedTokens).toBe(made + 20 * 11);
  // One leaves, the other reads on and gets all of it.
  second.destroy();
  await until(() => bench.engine.running === 1);
  let received = '';
  for await (const part of first.setEncoding('utf8')) received += part;
  const frames = received.split('\n\n').filter((frame) => frame.startsWith('data: {'));
  expect(frames.map((frame) => (JSON.parse(frame.slice('data: '.length)) as Answer).choices[0].delta.content ?? '').join('') === text).toBe(true);
  await until(() => bench.life.running === 0);
  expect(await readState(bench)).toEqual({ running: 0, waiting: 0, parked: 0 });
});

test('a template that hangs is ended by its deadline, and holds up nothing but chats', async () => {
  const hang = '{% for i in range(10000) %}{% for j in range(10000) %}{% set k = i + j %}{% endfor %}{% endfor %}';
  const template = `{% if messages[0].content == 'hang' %}${hang}{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}`;
  await using text = await openText({ modelPath: folder.write(ggufBytes(tokenizerPairs({ template }))), deadlineMs: 5000 });
  const engine = new FakeEngine({ script: () => [...Buffer.from('fine')] });
  await using app = buildApp({ ...openTo({ engine, text }), settings: parseSettings({}) });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  let hasEnded = false;
  const hanging = post(url, { messages: [user('hang')] }).finally(() => (hasEnded = true));
  const behind = post(url, { messages: [user('Hi')] });
  const headers = { ...json, 'x-inward-deadline-ms': '100' };
  const late = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body: JSON.stringify(base) });
  expect([late.status, (await read(late)).error.code]).toEqual([504, 'deadline_exceeded']);
  expect(hasEnded).toBe(false);
  for (let round = 0; round < 10; round++) {
    for (const path of ['/health', '/ready', '/metrics', '/v1/models']) expect((await fetch(`${url}${path}`)).status).toBe(200);
    const answer = await post(url, { prompt: [[1, 2, 3]], max_tokens: 4 }, '/v1/completions');
    expect((await read(answer)).choices[0].text).toBe('fine');
  }
  expect(hasEnded).toBe(false);
  const refusal = await hanging;
  const { error } = await read(refusal);
  expect([refusal.status, error.code, error.param]).toEqual([400, 'rejected', 'messages']);
  expect(error.message).toContain('longer than 5000 ms');
  const answer = await behind;
  expect([answer.status, await readContent(answer)]).toEqual([200, 'fine']);
});
