/**
 * Random markers in requests that meet a fault: the device is lost, its memory is full, the engine's process is killed as a system does that
 * has no memory left, the template raises an error with what it was given or fills the memory of its process. All is real: server, gate,
 * store, trail, engine and text process; only the device is made to fail. No marker is in an answer, a log line, a metric, a file of the
 * site or a standard stream. What is refused before it is computed: audit-markers.test.ts.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { chooseDriver } from '../../runtime/drivers.ts';
import { openHostedEngine } from '../../runtime/host/host.ts';
import { launchEngine } from '../../runtime/host/launcher.ts';
import { openText } from '../../runtime/text/index.ts';
import type { TextModel, TextOptions } from '../../runtime/text/types.ts';
import type { Engine, EngineOptions } from '../../runtime/types.ts';
import { parseSettings } from '../../server/config.ts';
import { serve } from '../../server/main.ts';
import { Markers } from '../../server/prove/markers.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../gguf-file.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { FakeWorld } from './fake-world.ts';
import { until } from './help.ts';

const program = { file: new URL('../runtime/engine/losing-process.ts', import.meta.url), reads: [join(import.meta.dirname, '../runtime/engine')] };
const template =
  "{% if messages[0].role == 'system' %}{{ raise_exception(messages[0].content) }}{% endif %}" +
  "{% if messages[0].role == 'assistant' %}{% for i in range(100000000) %}{{ messages[0].content }}{% endfor %}{% endif %}" +
  '{% for m in messages %}{{ m.content }}{% endfor %}';

/** A server's world, but that its engine can be made to fail. */
class FaultyWorld extends FakeWorld {
  readonly processes: ChildProcess[] = [];
  real: Engine | undefined;
  readonly #textPath: string;

  constructor(textPath: string) {
    super();
    this.#textPath = textPath;
  }

  override async openEngine(options: EngineOptions): Promise<never> {
    this.real = await openHostedEngine(options, {
      launch: (plain, driver) => {
        const started = launchEngine(plain, driver, program);
        this.processes.push(started.process);
        return started;
      },
      ...{ firstDelayMs: 5, longestDelayMs: 20, failureLimit: 100 },
    });
    return this.real as never;
  }

  override async openText(options: TextOptions): Promise<never> {
    const text: TextModel = await openText({ ...options, modelPath: this.#textPath });
    return text as never;
  }
}

/** Requests a fault: each that ends an engine waits some seconds for the next one. */
const count = process.env['INWARD_FULL'] === undefined ? 1 : 8;
/** Time for another engine to come, in ms, on a machine that has much to do. */
const startMs = 100_000;
const files = createFolder();
const folder = mkdtempSync(join(tmpdir(), 'inward-faulty-'));
const site = join(folder, 'site');
const world = new FaultyWorld(files.write(ggufBytes(tokenizerPairs({ template }))));
const markers = new Markers();
/** Answers, metrics, and what this process wrote to its standard streams. */
const said: string[] = [];
let url = '';
let key = '';
let code: Promise<number>;

beforeAll(async () => {
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockImplementation((chunk: unknown) => said.push(String(chunk)) > 0);
  const listening = Promise.withResolvers<string>();
  const settings = parseSettings({
    ...{ port: 0, site, model: readOracle('gguf_llama_q4_1').modelPath, device: chooseDriver(testDevice()).name, maxSequences: 1, context: 1024, tune: false },
    ...{ log: 'json', textMemoryMib: 64 },
  });
  code = serve({ settings, isEvaluation: true, onListening: listening.resolve }, world);
  code.catch(listening.reject);
  url = await listening.promise;
  key = readFileSync(join(site, 'evaluation.key'), 'utf8').trim();
}, startMs);
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
  files.remove();
});

const faults = ['device lost', 'device full', 'engine killed', 'template error', 'text process full'] as const;
type Fault = (typeof faults)[number];
const signals: Readonly<Partial<Record<Fault, NodeJS.Signals>>> = { 'device lost': 'SIGUSR2', 'device full': 'SIGHUP', 'engine killed': 'SIGKILL' };
/** By these the template knows what to do. */
const roles: Readonly<Partial<Record<Fault, string>>> = { 'template error': 'system', 'text process full': 'assistant' };

/** Of a signal, while the engine works for it. */
async function meet(fault: Fault, text: string, isStream: boolean, isChat: boolean): Promise<string> {
  const shared = { model: 'default', max_tokens: 600, ignore_eos: true, stream: isStream, user: text };
  const body = isChat ? { ...shared, metadata: { [text]: text }, messages: [{ role: roles[fault] ?? 'user', content: text }] } : { ...shared, prompt: text };
  const made = world.real?.stats().generatedTokens ?? 0;
  const answer = post(isChat ? '/v1/chat/completions' : '/v1/completions', JSON.stringify(body));
  const signal = signals[fault];
  if (signal !== undefined) {
    await until(() => (world.real?.stats().generatedTokens ?? 0) > made, startMs);
    world.processes.at(-1)?.kill(signal);
  }
  const got = await answer;
  await until(() => world.real?.isReady === true, startMs);
  return got;
}

function post(path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
    httpRequest(`${url}${path}`, { method: 'POST', headers }, (answer: IncomingMessage) => {
      let text = `${answer.statusCode} ${JSON.stringify(answer.headers)} `;
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.once('close', () => resolve(text));
    })
      .on('error', reject)
      .end(body);
  });
}

/** Everything that anybody could read afterwards. */
function gather(): Buffer {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = entries.flatMap(({ parentPath, name }) => [Buffer.from(name), readFileSync(join(parentPath, name))]);
  return Buffer.concat([...bytes, ...[world.printed, world.complained, ...said].map((text) => Buffer.from(text))]);
}

const asked = fc.record({
  before: fc.constantFrom('', 'Patient ', 'Müller 患者 ', '"},{"event":"', '{{ raise }} {% x %}', '\\u0022\\', '😀\t'),
  /** A template is of chats only. */
  isChat: fc.boolean(),
});
/** What the answers to each fault say. */
const codes: Readonly<Record<Fault, string>> = {
  ...{ 'device lost': 'engine_restarted', 'device full': 'engine_restarted', 'engine killed': 'engine_restarted' },
  ...{ 'template error': 'rejected', 'text process full': 'rejected' },
};

test.each(faults)('%s: no marker in any output', { timeout: count * startMs }, async (fault) => {
  const made = markers.count;
  for (const [index, { before, isChat }] of fc.sample(asked, { seed: faults.indexOf(fault), numRuns: count }).entries()) {
    const isStream = (index + faults.indexOf(fault)) % 2 === 0;
    const answer = await meet(fault, `${before}${markers.next()}`, isStream, isChat || roles[fault] !== undefined);
    expect(answer).toContain(`"code":"${codes[fault]}"`);
    expect(answer.slice(0, 3)).toMatch(roles[fault] !== undefined ? /400/ : isStream ? /200|503/ : /503/);
    said.push(answer);
  }
  expect(markers.count - made).toBe(count);
  const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  said.push(await metrics.text());
  expect(markers.countIn(gather())).toBe(0);
});

test('the server has seen all of it, and a marker would be found', async () => {
  const lines = world.complained.split('\n');
  const lost = lines.filter((line) => line.includes('"event":"engine_lost"'));
  for (const reason of ['device_lost', 'engine_stopped']) expect(lost.some((line) => line.includes(`"code":"${reason}"`))).toBe(true);
  expect(lost.length).toBe(3 * count);
  world.send('SIGTERM');
  expect(await code).toBe(0);
  expect(markers.countIn(gather())).toBe(0);
  said.push(Buffer.from(markers.next()).toString('base64'));
  expect(markers.countIn(gather())).toBe(1);
});
