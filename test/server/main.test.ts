import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { InwardError } from '../../runtime/errors.ts';
import { parseSettings, type Settings, SettingsError, type SettingsInput } from '../../server/config.ts';
import { serve } from '../../server/main.ts';
import { openFolder, verifyLog } from '../../server/privacy/audit/verify.mjs';
import { openStore } from '../../server/privacy/store/sqlite.ts';
import type { FakeEngineOptions } from '../fake-engine.ts';
import { say } from '../fake-text.ts';
import { FakeWorld } from './fake-world.ts';
import { until, user } from './help.ts';
import { createSite, day, formatTime } from './privacy/agreed-site.ts';

interface Served {
  readonly world: FakeWorld;
  readonly url: string;
  readonly code: Promise<number>;
}

/** Sites of the tests; each start makes one of its own. */
const folder = mkdtempSync(join(tmpdir(), 'inward-main-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let sites = 0;
const newSite = (): string => join(folder, String(sites++));
const readKey = (site: string): string => readFileSync(join(site, 'evaluation.key'), 'utf8').trim();
const settingsOf = (settings: SettingsInput = {}): Settings => parseSettings({ port: 0, site: newSite(), ...settings });

async function start(options: Partial<FakeEngineOptions> = {}, given: SettingsInput = {}): Promise<Served> {
  const world = new FakeWorld(options);
  const listening = Promise.withResolvers<string>();
  const settings = settingsOf(given);
  const code = serve({ settings, isEvaluation: true, onListening: listening.resolve }, world);
  code.catch(listening.reject);
  key = await listening.promise.then(() => readKey(settings.site ?? ''));
  return { world, url: await listening.promise, code };
}

/** Of the server that was started last. */
let key = '';

function call(url: string, path: string, body?: object, agent?: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      ...(agent ? { agent } : {}),
    });
    request
      .on('response', resolve)
      .on('error', reject)
      .end(body && JSON.stringify(body));
  });
}
const chat = (stream: boolean): object => ({ model: 'default', messages: [user('Hi')], stream });

test.for<[string, Partial<FakeEngineOptions>, string]>([
  ['a decoder', {}, '"content":"Hello, world."'],
  ['an encoder', { info: { encoder: { pooling: 'mean', isNormalized: false, length: 2 } }, embedding: () => Float32Array.of(0.5, 2) }, '"embedding":[0.5,2]'],
])('the panel tells what is served, in which mode, and a curl line that works as pasted: %s', async ([, options, content], context) => {
  const { world, url, code } = await start(options);
  for (const part of [
    'EVALUATION MODE: not for PHI',
    'fake-model',
    'swiftshader',
    'weights 2.0 KiB',
    'KV 2.9 KiB',
    '1 of 2 held; not available: core-handler (piped)',
    url,
  ])
    expect(world.printed).toContain(part);
  const line = world.printed.split('\n').find((entry) => entry.includes('curl ')) ?? '';
  const answer = await promisify(execFile)('sh', ['-c', `command -v curl >/dev/null || exit 99; ${line.trim()}`]).catch((error: { code?: number }) => error);
  world.send('SIGTERM');
  expect(await code).toBe(0);
  if ('code' in answer && answer.code === 99) context.skip('there is no curl on this machine');
  expect((answer as { stdout: string }).stdout).toContain(content);
});

test('a signal lets running answers end, refuses new ones, and is not held up by kept connections', async () => {
  const { world, url, code } = await start({ script: say('abc'.repeat(20)), stepMs: 10 });
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const idle = await call(url, '/health', undefined, agent);
  await readText(idle);
  const streaming = await call(url, '/v1/chat/completions', chat(true), agent);
  const plain = call(url, '/v1/chat/completions', chat(false), agent).then(readText);
  await until(() => world.engine.running === 2);
  world.send('SIGTERM');
  const [ready, refused, health, metrics] = await Promise.all([
    call(url, '/ready'),
    call(url, '/v1/chat/completions', chat(false)),
    call(url, '/health'),
    call(url, '/metrics'),
  ]);
  expect([ready.statusCode, JSON.parse(await readText(ready))]).toEqual([503, { status: 'draining' }]);
  expect(refused.statusCode).toBe(503);
  expect(refused.headers).toMatchObject({ 'retry-after': '2', connection: 'close' });
  expect(JSON.parse(await readText(refused))).toMatchObject({ error: { code: 'shutting_down', type: 'server_error' } });
  expect(health.statusCode).toBe(200);
  health.resume();
  expect(await readText(metrics)).toMatch(/^inward_ready 0$/m);
  expect(await readText(streaming)).toContain('data: [DONE]');
  expect(JSON.parse(await plain)).toMatchObject({ choices: [{ finish_reason: 'stop', message: { content: 'abc'.repeat(20) } }] });
  const before = performance.now();
  expect(await code).toBe(0);
  expect(performance.now() - before).toBeLessThan(1000);
  expect(world.engine.isDisposed).toBe(true);
  expect(world.signals.listenerCount('SIGTERM')).toBe(0);
  await expect(call(url, '/health')).rejects.toThrow('ECONNREFUSED');
  agent.destroy();
});

test.each([
  ['the drain time is over', { drainTimeoutMs: 50 }, 1],
  ['a second signal comes', { drainTimeoutMs: 60_000 }, 2],
] as const)('running answers are cut when %s', async (_, settings, signalCount) => {
  const { world, url, code } = await start({ script: say('x'.repeat(3000)), stepMs: 5 }, settings);
  const streaming = await call(url, '/v1/chat/completions', chat(true));
  const plain = call(url, '/v1/chat/completions', chat(false));
  await until(() => world.engine.running === 2);
  const before = performance.now();
  world.send('SIGTERM');
  if (signalCount === 2) world.send('SIGINT');
  expect(await readText(streaming)).toMatch(/data: \{"error":\{[^\n]*"code":"shutting_down"\}\}\n\n$/);
  expect((await plain).statusCode).toBe(503);
  expect(await code).toBe(0);
  expect(performance.now() - before).toBeLessThan(3000);
  expect(world.engine.stepsAfterAbort).toBeLessThanOrEqual(2);
});

test('a Ctrl-C that npm hands on is no second signal', async () => {
  const { world, url, code } = await start({ script: say('abc'.repeat(20)), stepMs: 5 }, { drainTimeoutMs: 60_000 });
  const streaming = await call(url, '/v1/chat/completions', chat(true));
  world.send('SIGINT');
  world.send('SIGINT');
  expect(await readText(streaming)).toContain('data: [DONE]');
  expect(await code).toBe(0);
});

test('half a request does not hold up the end', async () => {
  const { world, url, code } = await start();
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await new Promise((resolve) => socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n', resolve));
  await readText(await call(url, '/health'));
  const before = performance.now();
  world.send('SIGTERM');
  expect(await code).toBe(0);
  expect(performance.now() - before).toBeLessThan(1000);
  socket.destroy();
});

test('when the engine dies the server says so and ends with 1', async () => {
  const { world, url, code } = await start({ script: say('x'.repeat(3000)), stepMs: 5 });
  const streaming = await call(url, '/v1/chat/completions', chat(true));
  world.engine.die(new InwardError('device_lost', { reason: 'destroyed' }));
  streaming.resume();
  expect(await code).toBe(1);
  expect(world.complained).toContain('The device was lost (destroyed).');
  expect(world.complained).toContain('"event":"engine_failed"');
});

test('an engine that is being started anew: its answers fail as worth another try, /ready says so, the server goes on', async () => {
  const error = new InwardError('engine_restarted');
  const { world, url, code } = await start({ script: say('abc'), failAt: { index: 1, error } });
  const onRestart = world.opened[0]?.onRestart;
  world.engine.isReady = false;
  onRestart?.({ code: 'engine_stopped', count: 0, isReady: false });
  const plain = await call(url, '/v1/chat/completions', chat(false));
  expect(plain.statusCode).toBe(503);
  expect(plain.headers['retry-after']).toBe('2');
  expect(JSON.parse(await readText(plain))).toMatchObject({ error: { code: 'engine_restarted', type: 'server_error' } });
  const streaming = await call(url, '/v1/chat/completions', chat(true));
  expect(streaming.statusCode).toBe(200);
  expect(await readText(streaming)).toMatch(/data: \{"error":\{[^\n]*"code":"engine_restarted"\}\}\n\n$/);
  const restarting = await call(url, '/ready');
  expect([restarting.statusCode, JSON.parse(await readText(restarting))]).toEqual([503, { status: 'restarting' }]);
  world.engine.isReady = true;
  onRestart?.({ code: 'engine_stopped', count: 1, isReady: true });
  const ready = await call(url, '/ready');
  expect([ready.statusCode, JSON.parse(await readText(ready))]).toEqual([200, { status: 'ready' }]);
  expect(world.complained).toMatch(/"level":"error","event":"engine_lost","code":"engine_stopped","count":0\}/);
  expect(world.complained).toMatch(/"level":"warn","event":"engine_restarted","code":"engine_stopped","count":1\}/);
  world.send('SIGTERM');
  expect(await code).toBe(0);
});

/** What is on record of a site, without what made the site: events by another program than the one that wrote them. */
async function readAudit(site: string): Promise<Readonly<Record<string, unknown>>[]> {
  const records: Readonly<Record<string, unknown>>[] = [];
  const onRecord = (_: number, text: string): void => void records.push(JSON.parse(text) as Readonly<Record<string, unknown>>);
  const report = await verifyLog(await openFolder(join(site, 'audit', '1')), { onRecord });
  expect([report.flaws, report.open]).toEqual([[], 0]);
  return records.filter(({ at }) => at === undefined).map(({ seq, time, up, boot, host, ...event }) => event);
}

test('a run is on record: start, model, requests, what the engine told, end; the next one with other settings too', async () => {
  const site = newSite();
  const first = await start({}, { site });
  expect((await call(first.url, '/v1/chat/completions', chat(false))).statusCode).toBe(200);
  const onRestart = first.world.opened[0]?.onRestart;
  onRestart?.({ code: 'engine_stopped', count: 0, isReady: false });
  onRestart?.({ code: 'engine_stopped', count: 1, isReady: true });
  first.world.send('SIGTERM');
  expect(await first.code).toBe(0);
  const second = await start({}, { site, retryAfterSeconds: 7 });
  second.world.engine.die(new InwardError('device_lost', { reason: 'destroyed' }));
  expect(await second.code).toBe(1);

  const records = await readAudit(site);
  const profiles = records.flatMap(({ event, profile }) => (event === 'started' ? [profile] : []));
  const started = { event: 'started', kind: 'server', mode: 'evaluation', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) };
  expect(profiles).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), expect.stringMatching(/^[0-9a-f]{64}$/)]);
  expect(profiles[0]).not.toBe(profiles[1]);
  expect(records).toEqual([
    expect.objectContaining({ event: 'log_created' }),
    { ...started, profile: profiles[0] },
    { event: 'model_loaded', model: 'fake-model' },
    expect.objectContaining({ event: 'intent', route: '/v1/chat/completions' }),
    expect.objectContaining({ event: 'outcome', ending: 'stop', status: 200 }),
    { event: 'engine_lost', error: 'engine_stopped', count: 0 },
    { event: 'engine_restarted', error: 'engine_stopped', count: 1 },
    { event: 'model_unloaded', zeroed: true },
    { event: 'stopped', kind: 'server' },
    { ...started, profile: profiles[1] },
    { event: 'config_changed', profile: profiles[1], before: profiles[0] },
    { event: 'model_loaded', model: 'fake-model' },
    { event: 'engine_failed', error: 'device_lost' },
    { event: 'model_unloaded', zeroed: expect.any(Boolean) },
    { event: 'stopped', kind: 'server' },
  ]);
});

test('a port in use is told before anything is loaded', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  const { port } = blocker.address() as { port: number };
  const world = new FakeWorld();
  await expect(serve({ settings: settingsOf({ port }), isEvaluation: true }, world)).rejects.toThrow(
    `Port ${port} on 127.0.0.1 is in use; choose another with --port`,
  );
  expect(world.opened).toHaveLength(0);
  blocker.close();
});

test('a model without a tokenizer is told before anything is loaded', async () => {
  const world = new FakeWorld();
  world.openText = () => Promise.reject(new InwardError('model_unsupported', { part: 'tokenizer' }));
  await expect(serve({ settings: settingsOf(), isEvaluation: true }, world)).rejects.toMatchObject({ code: 'model_unsupported' });
  expect(world.opened).toHaveLength(0);
});

test('when the engine does not open, the text is closed', async () => {
  const world = new FakeWorld();
  let isClosed = false;
  world.text[Symbol.asyncDispose] = async () => {
    isClosed = true;
  };
  world.openEngine = () => Promise.reject(new InwardError('device_unfit'));
  await expect(serve({ settings: settingsOf(), isEvaluation: true }, world)).rejects.toMatchObject({ code: 'device_unfit' });
  expect(isClosed).toBe(true);
});

test.each(['example.org', '127.1', '256.0.0.1', 'fe80::1%eth0', '[::1]', '10.0.0.0/8', ''])('host %j is refused', (host) => {
  expect(() => parseSettings({ host })).toThrow(`The setting host must be an IP address or localhost; found ${JSON.stringify(host)}.`);
});

test.each(['0.0.0.0', '::', '192.168.1.1', '128.0.0.1', '::ffff:127.0.0.1'])('host %s is refused without TLS', (host) => {
  expect(() => parseSettings({ host })).toThrow(
    new SettingsError(`The setting host is ${host}, which other machines reach: set tlsCert and tlsKey, or a loopback address (127.0.0.1, ::1).`),
  );
  expect(parseSettings({ host, tlsCert: 'a', tlsKey: 'b' }).host).toBe(host);
});

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['127.8.9.10', '127.8.9.10'],
  ['::1', '::1'],
  ['localhost', '127.0.0.1'],
])('host %s listens on %s', (host, address) => {
  expect(parseSettings({ host }).host).toBe(address);
});

async function spawnServer(): Promise<{ child: ChildProcess; url: string; exit: Promise<readonly unknown[]> }> {
  const script = fileURLToPath(new URL('./serve-fake.ts', import.meta.url));
  const site = newSite();
  const child = spawn(process.execPath, [script, 'evaluate', '--port', '0', '--site', site], { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  child.stdout.on('data', (chunk) => (printed += chunk));
  await until(() => /curl http/.test(printed), 30_000);
  expect(printed).toContain('swiftshader (chosen by the test)');
  key = readKey(site);
  return { child, url: /curl (http:\/\/[^/]+)/.exec(printed)?.[1] ?? '', exit: once(child, 'exit') };
}

test.each(['SIGTERM', 'SIGINT'] as const)('a real %s ends the process with code 0', async (signal) => {
  const { child, url, exit } = await spawnServer();
  expect((await call(url, '/ready')).statusCode).toBe(200);
  child.kill(signal);
  expect(await exit).toEqual([0, null]);
});

test('a Ctrl-C that npm hands on after an idle server has stopped leaves its exit code', async () => {
  const { child, exit } = await spawnServer();
  child.kill('SIGINT');
  for (let count = 0; count < 10; count++) {
    await new Promise((resolve) => setTimeout(resolve, 3));
    child.kill('SIGINT');
  }
  expect(await exit).toEqual([0, null]);
});

test('a second real signal ends the process at once', async () => {
  const { child, url, exit } = await spawnServer();
  const streaming = await call(url, '/v1/chat/completions', chat(true));
  child.kill('SIGTERM');
  let status: number | undefined;
  for (let tries = 0; tries < 200 && status !== 503; tries++) status = (await call(url, '/ready')).resume().statusCode;
  expect(status).toBe(503);
  const before = performance.now();
  child.kill('SIGTERM');
  expect(await readText(streaming)).toContain('shutting_down');
  expect(await exit).toEqual([0, null]);
  expect(performance.now() - before).toBeLessThan(3000);
});

test('for PHI nothing is fetched; for an evaluation what is missing is', async () => {
  const site = newSite();
  const now = Date.now();
  {
    const made = await createSite(await openStore(join(site, 'inward.sqlite'), { create: true }));
    await made.deploy(await made.agree({ effective: formatTime(now - day), expires: formatTime(now + day) }));
    await made.store[Symbol.asyncDispose]();
  }
  const world = new FakeWorld();
  // The manifest is of another machine; what is asked for comes before it is compared.
  await expect(serve({ settings: parseSettings({ port: 0, site }) }, world)).rejects.toThrow();
  expect(world.fetching).toEqual([false, false]);
  const evaluation = await start();
  expect(evaluation.world.fetching).toEqual([true, true]);
  evaluation.world.send('SIGTERM');
  expect(await evaluation.code).toBe(0);
});
