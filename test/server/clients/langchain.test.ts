/** LangChain's client of OpenAI's API, as it is. */
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { until } from '../help.ts';
import { answer, finding, listenAsAgent } from './agent.ts';

const open = (url: string) => new ChatOpenAI({ model: 'default', apiKey: 'none', maxRetries: 0, configuration: { baseURL: `${url}/v1` } });
const find = tool(async ({ ward }) => JSON.stringify({ ...finding, ward }), {
  name: 'find',
  description: 'Finds a patient.',
  schema: z.object({ ward: z.string() }),
});

test('a round with a bound tool', async () => {
  await using bench = await listenAsAgent();
  const model = open(bench.url).bindTools([find]);
  const question = new HumanMessage('Where is he?');
  const first = await model.invoke([question]);
  expect(first.tool_calls).toMatchObject([{ name: 'find', args: { ward: 'Ä3' } }]);
  const result = (await find.invoke(first.tool_calls?.[0] as never)) as ToolMessage;
  expect(result).toBeInstanceOf(ToolMessage);
  const second = await model.invoke([question, first, result]);
  expect(second.content).toBe(answer);
  expect(second.usage_metadata).toMatchObject({ output_tokens: answer.length + 1 });
});

test('a stream adds up', async () => {
  await using bench = await listenAsAgent();
  const stream = await open(bench.url).bindTools([find]).stream('Where is he?');
  let whole: Awaited<ReturnType<ReturnType<typeof open>['invoke']>> | undefined;
  for await (const chunk of stream) whole = whole === undefined ? chunk : (whole as typeof chunk).concat(chunk);
  expect(whole?.tool_calls).toMatchObject([{ name: 'find', args: { ward: 'Ä3' } }]);
});

test('an abort ends the generation', async () => {
  await using bench = await listenAsAgent('x'.repeat(3000), { stepMs: 2 });
  const abort = new AbortController();
  const reading = open(bench.url)
    .invoke('Hi', { signal: abort.signal })
    .catch(() => 'aborted');
  await until(() => bench.engine.steps > 5);
  abort.abort();
  expect(await reading).toBe('aborted');
  await until(() => bench.engine.running === 0);
});

test('an error has its status and code', async () => {
  await using bench = await listenAsAgent();
  const model = open(bench.url).bindTools([find], { tool_choice: 'other' });
  await expect(model.invoke('Hi')).rejects.toMatchObject({ status: 400, code: 'invalid_value', param: 'tool_choice' });
});
