/** Tokens of texts and chats, and texts of tokens, in vLLM's shapes. */
import { expect, test } from 'vitest';
import { InwardError } from '../../../runtime/errors.ts';
import { buildApp } from '../../../server/app.ts';
import { parseSettings } from '../../../server/config.ts';
import type { Use } from '../../../server/privacy/gate.ts';
import { FakeEngine } from '../../fake-engine.ts';
import { FakeText, say, silentId } from '../../fake-text.ts';
import { openTo } from '../doorkeeper.ts';
import { type Bench, listen, until, user } from '../help.ts';

const post = async (bench: Bench, url: string, body: object) => {
  const response = await bench.app.inject({ method: 'POST', url, payload: body });
  return { status: response.statusCode, body: response.json() };
};
const bytes = (text: string): number[] => [...Buffer.from(text)];
const start = 257;

test('a text, with its special tokens or without', async () => {
  await using bench = await listen();
  expect((await post(bench, '/tokenize', { model: 'default', prompt: 'a€' })).body).toEqual({
    ...{ count: 5, max_model_len: 4096, tokens: [start, ...bytes('a€')], token_strs: null },
  });
  const named = await post(bench, '/tokenize', { prompt: 'a€', add_special_tokens: false, return_token_strs: true });
  expect(named.body).toMatchObject({ tokens: bytes('a€'), token_strs: ['a', '\\xe2', '\\x82', '\\xac'] });
  expect((await post(bench, '/tokenize', { prompt: '', return_token_strs: true })).body).toMatchObject({ tokens: [start], token_strs: ['<|start|>'] });
});

test('a chat, as a completion would begin with it', async () => {
  await using bench = await listen({ script: say('x') });
  const tools = [{ type: 'function', function: { name: 'f' } }];
  const chat = { messages: [user('Hi')], tools, chat_template_kwargs: { enable_thinking: false } };
  const { body } = await post(bench, '/tokenize', { ...chat, add_generation_prompt: false });
  expect(body.tokens).toEqual([start, ...bytes('user:Hi\n')]);
  expect(bench.text.options[0]).toMatchObject({ addGenerationPrompt: false, variables: { enable_thinking: false } });
  const rendered = await post(bench, '/v1/chat/completions/render', { model: 'default', ...chat, max_tokens: 5, stream: true });
  expect(rendered.body).toEqual({ model: 'fake-model', token_ids: [start, ...bytes('user:Hi\n')] });
  await post(bench, '/v1/chat/completions', { model: 'default', ...chat, max_tokens: 5 });
  expect(bench.engine.requests.map(({ promptIds }) => [...promptIds])).toEqual([rendered.body.token_ids]);
  expect(bench.text.options[2]).toEqual(bench.text.options[1]);
});

test('tokens as text: characters of several tokens are whole, tokens without text have their names', async () => {
  await using bench = await listen();
  const tokens = [start, ...bytes('a€'), silentId, ...bytes('é').slice(0, 1)];
  expect((await post(bench, '/detokenize', { tokens })).body).toEqual({ prompt: '<|start|>a€<|silent|>\ufffd' });
  expect((await post(bench, '/detokenize', { tokens: [] })).body).toEqual({ prompt: '' });
});

test('nothing runs, and no ids are left', async () => {
  await using bench = await listen();
  await post(bench, '/tokenize', { prompt: 'abc' });
  await post(bench, '/v1/chat/completions/render', { model: 'default', messages: [user('abc')] });
  expect(bench.engine.requests).toEqual([]);
  expect(bench.text.given.length).toBe(2);
  await until(() => bench.text.given.every((ids) => ids.every((id) => id === 0)));
});

test('what is refused is recorded as that, and what was answered as answered', async () => {
  const [text, used] = [new FakeText(), [] as Use[]];
  const engine = new FakeEngine({ script: say('x') });
  await using app = buildApp({ ...openTo({ engine, text }, { settle: (use) => void used.push(use) }), settings: parseSettings({}) });
  const ask = async (): Promise<number> => (await app.inject({ method: 'POST', url: '/tokenize', payload: { prompt: 'a' } })).statusCode;
  expect(await ask()).toBe(200);
  text.failure = new InwardError('text_unencodable');
  expect(await ask()).toBe(400);
  expect(used.map(({ ending }) => ending)).toEqual(['stop', 'refused']);
});

test.each([
  ['/tokenize', {}, 400, 'invalid_value', 'prompt'],
  ['/tokenize', { prompt: ['a'] }, 400, 'invalid_value', 'prompt'],
  ['/tokenize', { prompt: 'a', model: 'other' }, 404, 'model_not_found', 'model'],
  ['/tokenize', { prompt: 'a', messages: [user('a')] }, 400, 'unknown_parameter', 'body'],
  ['/tokenize', { messages: [user('a')], continue_final_message: true }, 400, 'unsupported_parameter', 'continue_final_message'],
  ['/detokenize', { tokens: 'a' }, 400, 'invalid_value', 'tokens'],
  ['/detokenize', { tokens: [300] }, 400, 'invalid_value', 'tokens'],
  ['/detokenize', { tokens: [1.5] }, 400, 'invalid_value', 'tokens'],
  ['/v1/chat/completions/render', { model: 'default', messages: [] }, 400, 'invalid_value', 'messages'],
])('%s %j is refused', async (url, body, status, code, param) => {
  await using bench = await listen();
  const answer = await post(bench, url, body);
  expect([answer.status, answer.body.error.code, answer.body.error.param]).toEqual([status, code, param]);
});
