/**
 * The server as it is started by a user, with a real model where the machine has it, talked to by the official client.
 * Here stands only what fakes cannot show (test/server has the rest): real answers, real ends, real files.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTreeMemory } from '../../bench/memory.ts';
import { cacheFolder } from '../../runtime/drivers.ts';
import { openText } from '../../runtime/text/index.ts';
import { defaultModel } from '../../scripts/setup/model.ts';
import { readExposition, readValueOf } from '../exposition.ts';
import { readOracle } from '../oracle.ts';
import { type Server, serve } from './command.ts';

const smollm2 = join(cacheFolder(), 'models', defaultModel.file);
const isHere = existsSync(smollm2);

const openClient = ({ url, key }: Server): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const authorize = ({ key }: Server): { authorization: string } => ({ authorization: `Bearer ${key}` });
const user = (content: string) => ({ role: 'user', content }) as const;

/** Ends the server by a signal; its exit code. */
async function stop(server: Server, signal: NodeJS.Signals = 'SIGTERM'): Promise<unknown> {
  server.process.kill(signal);
  return server.ended;
}

describe('a tiny model', () => {
  const { modelPath } = readOracle('gguf_llama_q4_1');

  test('start, state, models, refusals that leave it standing, and exit code 0', async () => {
    await using server = await serve(modelPath, '--context', '256');
    const client = openClient(server);
    for (const path of ['/health', '/ready']) expect((await fetch(`${server.url}${path}`)).status).toBe(200);
    const [model] = (await client.models.list()).data;
    expect(model?.id).toBeTruthy();
    const post = async (body: string | Buffer): Promise<number> =>
      (
        await fetch(`${server.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...authorize(server) },
          body: Uint8Array.from(Buffer.from(body)),
        })
      ).status;
    expect(await post('{"model": ')).toBe(400);
    expect(await post(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))).toBe(400);
    expect(await post(JSON.stringify({ model: 'default', messages: [] }))).toBe(400);
    expect(await post(JSON.stringify({ model: 'another', messages: [user('Hi')] }))).toBe(404);
    const tooLong = client.chat.completions.create({ model: 'default', messages: [user('a long text '.repeat(200))] });
    await expect(tooLong).rejects.toThrow(/^400 The prompt has \d+ tokens and the context holds 256,/);
    const request = { model: model?.id ?? '', messages: [user('Hi')], max_tokens: 12, seed: 3, temperature: 1 };
    const answer = await client.chat.completions.create(request);
    expect(answer.usage?.completion_tokens).toBe(12);
    let streamed = '';
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) streamed += chunk.choices[0]?.delta.content ?? '';
    expect(streamed).toBe(answer.choices[0]?.message.content);
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    expect(await stop(server)).toBe(0);
    expect(server.out).toContain('EVALUATION MODE: not for PHI');
  });

  test('every dialect gives the same answer, and counts the same tokens', async () => {
    await using server = await serve(modelPath, '--context', '256');
    const openai = openClient(server);
    const anthropic = new Anthropic({ baseURL: server.url, apiKey: server.key, maxRetries: 0 });
    const chat = { model: 'default', messages: [user('Hi')] };
    const { choices, usage } = await openai.chat.completions.create({ ...chat, max_tokens: 12, temperature: 0, top_p: 1 });
    const text = choices[0]?.message.content ?? '';
    const message = await anthropic.messages.stream({ ...chat, max_tokens: 12, ...({ temperature: 0 } as object) }).finalMessage();
    const response = await openai.responses.create({ model: 'default', input: 'Hi', max_output_tokens: 12, temperature: 0 });
    expect(text).not.toBe('');
    expect([message.content.map((block) => (block.type === 'text' ? block.text : '')).join(''), response.output_text]).toEqual([text, text]);
    const count = usage?.prompt_tokens ?? 0;
    const { input_tokens: fresh, cache_read_input_tokens: kept } = message.usage;
    expect([fresh + (kept ?? 0), response.usage?.input_tokens, (await anthropic.messages.countTokens(chat)).input_tokens]).toEqual([count, count, count]);
    const post = async (path: string, body: object) => {
      const init = { method: 'POST', headers: { 'content-type': 'application/json', ...authorize(server) }, body: JSON.stringify(body) };
      return (await fetch(`${server.url}${path}`, init)).json() as Promise<{ tokens: number[]; token_ids: number[]; prompt: string }>;
    };
    const { token_ids: rendered } = await post('/v1/chat/completions/render', chat);
    expect(rendered).toHaveLength(count);
    expect((await post('/tokenize', { messages: chat.messages })).tokens).toEqual(rendered);
    const { tokens } = await post('/tokenize', { prompt: 'Grüße, Ward 4', add_special_tokens: false });
    expect((await post('/detokenize', { tokens })).prompt).toBe('Grüße, Ward 4');
    expect((await fetch(`${server.url}/docs`)).status).toBe(200);
  });

  test('/metrics counts what was answered', async () => {
    await using server = await serve(modelPath, '--context', '256');
    const client = openClient(server);
    const scrape = async () => readExposition(await (await fetch(`${server.url}/metrics`, { headers: authorize(server) })).text());
    const idle = await scrape();
    expect(readValueOf(idle, 'vllm:kv_cache_usage_perc')).toBe(0);
    expect(readValueOf(idle, 'inward_device_memory_bytes', { owner: 'weights' })).toBeGreaterThan(0);
    let [promptTokens, completionTokens] = [0, 0];
    for (const prompt of ['Hi', 'How are you?', 'Once upon a time']) {
      const request = { model: 'default', prompt, max_tokens: 6, ignore_eos: true };
      const { usage } = await client.completions.create(request);
      promptTokens += usage?.prompt_tokens ?? 0;
      completionTokens += usage?.completion_tokens ?? 0;
    }
    // The engine's process reports ten times a second.
    await expect.poll(async () => readValueOf(await scrape(), 'vllm:e2e_request_latency_seconds_count')).toBe(3);
    const page = await scrape();
    const read = (name: string, labels = {}): number => readValueOf(page, name, labels);
    expect([read('vllm:prompt_tokens_total'), read('vllm:generation_tokens_total')]).toEqual([promptTokens, completionTokens]);
    expect(read('vllm:request_success_total', { finished_reason: 'length' })).toBe(3);
    expect(read('vllm:time_to_first_token_seconds_count')).toBe(3);
    expect(read('vllm:inter_token_latency_seconds_count')).toBe(completionTokens - 3);
    // One request after the other: what its parts took is what it took.
    expect(read('vllm:time_to_first_token_seconds_sum') + read('vllm:inter_token_latency_seconds_sum')).toBeCloseTo(
      read('vllm:e2e_request_latency_seconds_sum'),
      1,
    );
    expect(read('vllm:request_queue_time_seconds_sum')).toBeLessThan(read('vllm:time_to_first_token_seconds_sum'));
    for (const part of ['schedule', 'submit', 'wait', 'commit']) expect(read('inward_step_seconds_total', { part })).toBeGreaterThan(0);
    expect(page.get('vllm:cache_config_info')?.samples[0]?.labels).toMatchObject({ block_size: '16' });
  });

  test('the engine process is killed: the stream says so, the next request waits and is answered', async () => {
    await using server = await serve(modelPath, '--context', '512');
    const client = openClient(server);
    const request = { model: 'default', messages: [user('Hi')], max_tokens: 6, seed: 3, temperature: 1 };
    const before = await client.chat.completions.create(request);
    const endless = { ...request, max_tokens: 400, ignore_eos: true } as typeof request;
    const stream = await client.chat.completions.create({ ...endless, stream: true });
    const engine = findEngine(server.process.pid ?? 0);
    const broken = (async () => {
      let count = 0;
      for await (const _ of stream) if (count++ === 0) process.kill(engine, 'SIGKILL');
    })();
    await expect(broken).rejects.toMatchObject({ code: 'engine_restarted' });
    expect((await fetch(`${server.url}/ready`)).status).toBe(503);
    const after = await client.chat.completions.create(request);
    expect(after.choices[0]?.message).toEqual(before.choices[0]?.message);
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    expect(server.err).toMatch(/"event":"engine_lost".*\n(?:.*\n)*.*"event":"engine_restarted","code":"engine_stopped","count":1/);
    expect(await stop(server)).toBe(0);
  });

  test('two servers on one port: the second says so in one sentence', async () => {
    await using server = await serve(modelPath, '--context', '256');
    const port = new URL(server.url).port;
    await expect(serve(modelPath, '--port', port)).rejects.toThrow(
      `ended with 1: Port ${port} on 127.0.0.1 is in use; choose another with --port, or end what uses it.`,
    );
    expect(await stop(server, 'SIGINT')).toBe(0);
  });
});

function checkSmolLM2(): void {
  let server: Server;
  let client: OpenAI;
  beforeAll(async () => {
    server = await serve(smollm2, '--context', '1024');
    client = openClient(server);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const question = { model: 'default', messages: [user('What is the capital of France? Answer in one short sentence.')], temperature: 0, max_tokens: 24 };

  test('answers a question; the stream is the same answer', async () => {
    const answer = await client.chat.completions.create(question);
    const text = answer.choices[0]?.message.content ?? '';
    expect(text).toContain('Paris');
    expect(answer.choices[0]?.finish_reason).toBe('stop');
    const stream = await client.chat.completions.create({ ...question, stream: true, stream_options: { include_usage: true } });
    let streamed = '';
    let usage: typeof answer.usage;
    for await (const chunk of stream) {
      streamed += chunk.choices[0]?.delta.content ?? '';
      usage ??= chunk.usage ?? undefined;
    }
    expect(streamed).toBe(text);
    const { prompt_tokens_details: details, ...counts } = usage ?? {};
    expect(answer.usage).toMatchObject(counts);
    // The prompt was there already; its last block is always computed.
    expect(details?.cached_tokens).toBeGreaterThan(0);
  });

  test('a client that goes away frees its place at once', async () => {
    const abort = new AbortController();
    const stream = await client.chat.completions.create(
      { ...question, messages: [user('Count from 1 to 500.')], max_tokens: 700, stream: true },
      { signal: abort.signal },
    );
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    abort.abort();
    await expect.poll(() => server.err.includes('"finished":false'), { timeout: 5000 }).toBe(true);
    expect((await client.chat.completions.create({ ...question, max_tokens: 4 })).usage?.completion_tokens).toBe(4);
  });

  test('eight clients at once get what one gets alone', async () => {
    const alone = await client.chat.completions.create({ ...question, max_tokens: 8 });
    const together = await Promise.all(Array.from({ length: 8 }, () => client.chat.completions.create({ ...question, max_tokens: 8 })));
    for (const answer of together) expect(answer.choices[0]?.message).toEqual(alone.choices[0]?.message);
  });

  test('memory of all its processes: at most twice the model file and 400 MB', () => {
    const { shared, resident } = readMemory(server.process.pid ?? 0);
    const limit = 2 * statSync(smollm2).size + 400e6;
    const inMb = (size: number) => `${Math.round(size / 1e6)} MB`;
    console.log(`memory: ${inMb(shared)}, limit ${inMb(limit)} (${inMb(resident)} when pages that processes share count several times)`);
    expect(shared).toBeGreaterThan(statSync(smollm2).size);
    expect(shared).toBeLessThan(limit);
  });

  test('nothing of a request reaches a file, standard output or the log', async () => {
    const marker = `Marker${randomBytes(12).toString('hex')}`;
    // A second of some file systems.
    const begun = Date.now() - 1000;
    await client.chat.completions.create({ ...question, messages: [user(marker)], max_tokens: 8 });
    await expect(client.chat.completions.create({ ...question, messages: [user(marker)], temperature: marker as never })).rejects.toMatchObject({
      status: 400,
    });
    for await (const _ of await client.chat.completions.create({ ...question, messages: [user(marker)], stream: true })) break; // goes away
    await using text = await openText({ modelPath: smollm2 });
    const ids = Buffer.from((await text.encode(marker, { addSpecial: false })).slice(1, 9).buffer);
    const files = [server.folder, cacheFolder()].flatMap((folder) => findFiles(folder));
    expect(files.length).toBeGreaterThan(5);
    // Others have been written before; a cache may hold gigabytes of them.
    for (const file of files.filter((path) => statSync(path).mtimeMs >= begun)) {
      const bytes = readFileSync(file);
      expect(bytes.includes(marker) || bytes.includes(ids), file.split('/').at(-1)).toBe(false);
    }
    expect(server.out + server.err).not.toContain(marker);
  });

  test('SIGTERM: the running answer ends, new ones are refused, exit code 0', async () => {
    const stream = await client.chat.completions.create({ ...question, messages: [user('Write a long poem.')], max_tokens: 40, stream: true });
    let finish: string | null = null;
    let late: Promise<unknown> | undefined;
    for await (const chunk of stream) {
      if (late === undefined) {
        server.process.kill('SIGTERM');
        await expect.poll(() => server.err.includes('"event":"draining"')).toBe(true);
        late = client.chat.completions.create(question).then(
          () => 'answered',
          () => 'refused',
        );
      }
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    expect([finish, await late]).toEqual(['length', 'refused']);
    expect(await server.ended).toBe(0);
  });
}

if (isHere) describe('SmolLM2', checkSmolLM2);
else test('SmolLM2', ({ skip }) => skip('its file is not in the cache: node scripts/setup.mjs fetches it'));

/** The engine's process below another one. */
function findEngine(pid: number): number {
  const isBelow = (name: string): boolean => name === String(pid) || (Number(name) > 1 && isBelow(readParent(name)));
  const isEngine = (name: string): boolean => readFileSync(`/proc/${name}/cmdline`, 'latin1').includes('/host/process');
  return Number(readdirSync('/proc').find((name) => /^\d+$/.test(name) && isBelow(name) && isEngine(name)));
}

/** Bytes that the processes of a tree hold; `shared`: a page that several hold counts as one. */
function readMemory(pid: number): { shared: number; resident: number } {
  const { processes, resident } = readTreeMemory(pid);
  const parents = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const isBelow = (name: string): boolean => name === String(pid) || (Number(name) > 1 && isBelow(readParent(name)));
  const tree = parents.filter(isBelow);
  expect(tree.length).toBe(processes);
  const sizes = tree.map((name) => Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${name}/smaps_rollup`, 'utf8'))?.[1]) * 1024);
  return { shared: sizes.reduce((a, b) => a + b), resident };
}

function readParent(pid: string): string {
  try {
    return /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  } catch {
    return '0'; // ended meanwhile
  }
}

/** All plain files below a folder that can be read. */
function findFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
