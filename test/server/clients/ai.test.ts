/** The AI SDK as it is, over both dialects. */
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, isStepCount, type LanguageModel, streamText, tool } from 'ai';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { collect, until } from '../help.ts';
import { answer, finding, listenAsAgent } from './agent.ts';

// It warns that it does not know the model.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

const models: readonly (readonly [string, (url: string) => LanguageModel])[] = [
  ['openai-compatible', (url) => createOpenAICompatible({ name: 'inward', baseURL: `${url}/v1`, apiKey: 'none', includeUsage: true })('default')],
  ['anthropic', (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: 'none' })('default')],
];

describe.each(models)('%s', (_, open) => {
  const tools = {
    find: tool({ description: 'Finds a patient.', inputSchema: z.object({ ward: z.string() }), execute: async ({ ward }) => ({ ...finding, ward }) }),
  };
  const ask = (url: string) => ({ model: open(url), prompt: 'Where is he?', tools, maxRetries: 0, stopWhen: isStepCount(3) });

  test('a loop with a tool, whole', async () => {
    await using bench = await listenAsAgent();
    const { text, steps } = await generateText(ask(bench.url));
    expect(text).toBe(answer);
    expect(steps[0]?.reasoningText).toBe('Which ward?');
    expect(steps[0]?.toolCalls).toMatchObject([{ toolName: 'find', input: { ward: 'Ä3' } }]);
    expect(steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop']);
  });

  test('the same as a stream, with thoughts apart', async () => {
    await using bench = await listenAsAgent();
    const result = streamText(ask(bench.url));
    const parts = await collect(result.stream);
    const join = (type: string) => parts.map((part) => (part.type === type && 'text' in part ? part.text : '')).join('');
    expect(join('reasoning-delta')).toBe('Which ward?');
    expect(join('text-delta')).toBe(answer);
    // The thought goes back with the call.
    expect(bench.text.chats[1]).toMatchObject([{ role: 'user' }, { role: 'assistant', reasoning: 'Which ward?' }, { role: 'tool' }]);
    expect(parts).toContainEqual(expect.objectContaining({ type: 'tool-result', output: { ...finding, ward: 'Ä3' } }));
    expect((await result.usage).outputTokens).toBeGreaterThan(answer.length);
  });

  test('an abort ends the generation', async () => {
    await using bench = await listenAsAgent('x'.repeat(3000), { stepMs: 2 });
    const abort = new AbortController();
    const reading = collect(streamText({ ...ask(bench.url), abortSignal: abort.signal, onError: () => undefined }).textStream).catch(() => 'aborted');
    await until(() => bench.engine.steps > 5);
    abort.abort();
    await reading;
    await until(() => bench.engine.running === 0);
    expect(bench.engine.aborts).toBe(1);
  });

  test('an error has its status and sentence', async () => {
    await using bench = await listenAsAgent();
    const failure = await generateText({ ...ask(bench.url), toolChoice: { type: 'tool', toolName: 'other' as 'find' } }).catch((error: unknown) => error);
    expect(APICallError.isInstance(failure) && [failure.statusCode, failure.message]).toEqual([400, 'tool_choice must name one of "tools".']);
  });
});
