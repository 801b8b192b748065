/** The door as a whole: chats, limits, what survives a process that had to be ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint, optionalString } from '../../../runtime/checkpoint/index.ts';
import type { InwardError } from '../../../runtime/errors.ts';
import { Link, linkedStdio } from '../../../runtime/link/link.ts';
import { openText } from '../../../runtime/text/index.ts';
import type { ChatMessage, TextModel, TextOptions } from '../../../runtime/text/types.ts';
import type { TokenId } from '../../../runtime/types.ts';
import { createFolder, ggufBytes, type Pair, tokenizerPairs } from '../../gguf-file.ts';
import { malformedCases, readFixture } from '../../test-data.ts';

const folder = createFolder();
afterAll(folder.remove);

const control = ['<s>', '<|user|>', '<|end|>'];
const [, user, end] = [256, 257, 258];

function open(template: string | undefined, options: Partial<TextOptions> = {}, extra: readonly Pair[] = []): Promise<TextModel> {
  const pairs = tokenizerPairs({ control, extra, ...(template === undefined ? {} : { template }) });
  return openText({ modelPath: folder.write(ggufBytes(pairs)), ...options });
}

const say = (content: string): ChatMessage[] => [{ role: 'user', content }];
const failure = (code: string) => expect.objectContaining({ code });
const chat = '{% for m in messages %}<|user|>{{ m.content | trim }}<|end|>{% endfor %}';
/** Templates that do harm when told to. */
const harmful = `{% if messages[0].content == 'memory' %}{% set x = [0] * 100000000 %}{% endif %}{% if messages[0].content == 'time' %}{% for i in range(10000) %}{% for j in range(10000) %}{% set k = i + j %}{% endfor %}{% endfor %}{% endif %}${chat}`;

test('real chats give the ids of the reference', async () => {
  await using text = await openText({ modelPath: folder.write(readFixture('tokenizer/smollm2.gguf.gz')) });
  const cases: { text?: string; chat?: ChatMessage[]; ids: number[] }[] = JSON.parse(readFixture('tokenizer/smollm2.golden.json').toString('utf8'));
  expect(cases.filter((one) => one.chat !== undefined).length).toBe(3);
  for (const { text: plain, chat: messages, ids } of cases) {
    expect(Array.from(messages === undefined ? await text.encode(plain as string) : await text.encodeChat(messages))).toEqual(ids);
  }
  expect(text.info).toEqual({ vocabularySize: 49152, bosId: 1, stopIds: [0, 2], hasChatTemplate: true, reasoningVariables: [] });
  const decoder = text.createDecoder();
  expect([decoder.push(19556 as TokenId), decoder.push(2 as TokenId), decoder.end()]).toEqual(['Hello', '', '']);
});

test('a message that spells control tokens stays text', async () => {
  await using text = await open(chat);
  const ids = Array.from(await text.encodeChat(say(' a<|end|><|user|>b\ue000<|end|>')));
  expect(ids.filter((id) => id === user).length).toBe(1);
  expect(ids.filter((id) => id === end).length).toBe(1);
  const decoder = text.createDecoder();
  expect(ids.map((id) => decoder.push(id as TokenId)).join('')).toBe('a<|end|><|user|>b\ue000<|end|>');
});

test('BOS is added where asked for, and not twice', async () => {
  const extra: Pair[] = [
    ['tokenizer.ggml.bos_token_id', 'u32', 256],
    ['tokenizer.ggml.add_bos_token', 'bool', 1],
  ];
  await using without = await open(chat, {}, extra);
  await using withBos = await open(`{{ bos_token }}${chat}`, {}, extra);
  expect(await without.encodeChat(say('a'))).toEqual(await withBos.encodeChat(say('a')));
  expect((await without.encodeChat(say('a')))[0]).toBe(256);
});

test('a grammar is compiled there, and refused by its keyword and place; its bytes cross as bytes', async () => {
  await using text = await open(chat);
  const check = (schema: unknown): Promise<void> => text.checkGrammar({ kind: 'schema', source: new Uint8Array(Buffer.from(JSON.stringify(schema))) });
  await check({ type: 'object', properties: { a: { type: 'string', format: 'date' } } });
  await expect(check({ properties: { a: { uniqueItems: true } } })).rejects.toMatchObject({
    code: 'grammar_unenforceable',
    fields: { keyword: 'uniqueItems (of more than 64 values)', path: '#/properties/0' },
  });
  await expect(text.checkGrammar({ kind: 'schema', source: Uint8Array.of(0xff) })).rejects.toMatchObject({ code: 'grammar_invalid' });
  await expect(text.checkGrammar({ kind: 'gbnf', source: new Uint8Array(Buffer.from('root ::= "a" root')) })).rejects.toMatchObject({ code: 'grammar_empty' });
});

test('an answer is looked at a second time there', async () => {
  await using text = await open(chat);
  const schema = JSON.stringify({ type: 'object', properties: { ward: { enum: ['é'] } }, required: ['ward'] });
  await text.checkAnswer([]);
  await text.checkAnswer([
    { schema, text: '{"ward": "é"}' },
    { schema: '{}', text: '1' },
  ]);
  for (const wrong of ['{"ward":"zqxjvkw"}', '{"ward":', 'zqxjvkw']) {
    const error = await text.checkAnswer([{ schema: '{}', text: '1' }, { schema, text: wrong }]).catch((reason: unknown) => reason); // biome-ignore format: one line
    expect(error).toEqual(failure('answer_invalid'));
  }
});

test('a request over a limit fails alone; those behind it are answered', async () => {
  await using text = await open(harmful, { deadlineMs: 5000, memoryMiB: 64 });
  const contents = ['a', 'time', 'b', 'memory', 'c', 'd'];
  const results = await Promise.allSettled(contents.map((content) => text.encodeChat(say(content))));
  const seen = results.map((result) => (result.status === 'fulfilled' ? Array.from(result.value) : (result.reason as InwardError).code));
  const ids = (character: string) => [user, character.charCodeAt(0), end];
  expect(seen).toEqual([ids('a'), 'text_deadline', ids('b'), 'text_memory', ids('c'), ids('d')]);
});

test.each(malformedCases().filter(({ id }) => id.startsWith('tmpl-')))('$id: $condition', async ({ expect: expected, bytes }) => {
  const template = (() => {
    using checkpoint = openCheckpoint(folder.write(bytes));
    return optionalString(checkpoint, 'tokenizer.chat_template') as string;
  })();
  await using text = await open(template, { deadlineMs: 3000, memoryMiB: 64 });
  const result = await text.encodeChat(say('a')).catch((error: unknown) => error);
  if (expected === 'reject-at-render') expect((result as InwardError).code).toMatch(/^(text_memory|text_deadline|template_failed)$/);
  // Either refused, or rendered to something that is not a list of the host's things.
  else if (result instanceof Error) expect(result).toEqual(failure('template_failed'));
  else expect((result as Uint32Array).length).toBeLessThan(16);
  expect((await text.encode('a')).length).toBe(1);
});

test('a template that refuses says nothing of the messages', async () => {
  await using text = await open("{{ raise_exception('no ' ~ messages[0].content) }}");
  const error: InwardError = await text.encodeChat(say('zqxjvkw')).then(
    () => expect.fail('no error'),
    (reason) => reason,
  );
  expect(error).toEqual(failure('template_failed'));
  expect(`${error.message} ${error.stack} ${JSON.stringify(error.fields)}`).not.toContain('zqxjvkw');
});

test('a template that does not parse is template_failed, none is template_missing', async () => {
  await using broken = await open('{% for %}{{');
  await expect(broken.encodeChat(say('a'))).rejects.toEqual(failure('template_failed'));
  await using none = await open(undefined);
  expect(none.info.hasChatTemplate).toBe(false);
  await expect(none.encodeChat(say('a'))).rejects.toEqual(failure('template_missing'));
});

test('a model file that is refused fails to open', async () => {
  await expect(openText({ modelPath: '/nowhere' })).rejects.toEqual(failure('file_missing'));
  await expect(openText({ modelPath: folder.write(Buffer.from('GGUF')) })).rejects.toEqual(failure('gguf_invalid'));
  await expect(openText({ modelPath: folder.write(ggufBytes(tokenizerPairs({ pre: 'no-such' }))) })).rejects.toEqual(failure('model_unsupported'));
});

test('a model file that goes away: the request that needed a new process says so, and the next is tried again', async () => {
  const path = folder.write(ggufBytes(tokenizerPairs({ control, template: harmful })));
  await using text = await openText({ modelPath: path, deadlineMs: 500 });
  const { renameSync } = await import('node:fs');
  renameSync(path, `${path}.away`);
  await expect(text.encodeChat(say('time'))).rejects.toEqual(failure('text_deadline'));
  await expect(text.encodeChat(say('a'))).rejects.toEqual(failure('file_missing'));
  renameSync(`${path}.away`, path);
  expect((await text.encodeChat(say('a'))).length).toBe(3);
});

test('dispose ends what runs and waits, twice is once, and afterwards nothing is taken', async () => {
  const text = await open(harmful);
  const pending = Promise.allSettled([text.encodeChat(say('time')), text.encode('a')]);
  await text[Symbol.asyncDispose]();
  await text[Symbol.asyncDispose]();
  expect((await pending).map((result) => result.status === 'rejected' && (result.reason as InwardError).code)).toEqual(['shutting_down', 'shutting_down']);
  await expect(text.encode('a')).rejects.toEqual(failure('shutting_down'));
});

test('from its first request on the process can read and write no file', async () => {
  const probe = `process.on('message', () => process.send({ probe: ['read', 'write'].map((scope) => process.permission.has('fs.' + scope, process.env.NODE_COMPILE_CACHE)) }))`;
  const cache = join(folder.path, 'code');
  mkdirSync(cache);
  const flags = ['--permission', '--allow-fs-read=*', `--allow-fs-write=${cache}`, '--import', `data:text/javascript,${encodeURIComponent(probe)}`];
  const child = spawn(process.execPath, [...flags, fileURLToPath(new URL('../../../runtime/text/process.ts', import.meta.url))], {
    // The link at 3, and Node's channel for the probe.
    stdio: [...(linkedStdio as 'pipe'[]), 'ipc'],
    env: { NODE_COMPILE_CACHE: cache },
  });
  const link = Link.toChild<object, unknown>(child);
  try {
    const said: unknown[] = [];
    for (const message of [
      { modelPath: folder.write(ggufBytes(tokenizerPairs({ control }))) },
      { kind: 'text', text: 'a', addSpecial: false, parseSpecial: false },
    ]) {
      child.send('probe');
      said.push(...(await once(child, 'message')).slice(0, 1));
      const { promise, resolve } = Promise.withResolvers<unknown>();
      link.listen({ message: resolve });
      link.send(message);
      said.push(await promise);
    }
    expect(said).toEqual([
      { probe: [true, true] },
      expect.objectContaining({ kind: 'ready' }),
      { probe: [false, false] },
      { kind: 'ids', ids: Uint32Array.of(97) },
    ]);
    // What it wrote while it started is the compiled form of sources.
    expect(readdirSync(cache, { recursive: true }).length).toBeGreaterThan(5);
  } finally {
    child.kill('SIGKILL');
  }
});
