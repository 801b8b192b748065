/** Every stream adds up to exactly the whole answer, in every dialect and over all features. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endId } from '../../fake-text.ts';
import { listen, user } from '../help.ts';
import { answers, format } from './answering.ts';

type Value = Record<string, unknown>;

interface Case {
  readonly url: string;
  /** A body of the route from what is wanted. */
  readonly ask: (wanted: Wanted) => object;
  /** What a client has at the end of a stream. */
  readonly fold: (events: readonly Value[]) => unknown;
  /** The same of a whole answer. */
  readonly whole: (answer: Value) => unknown;
}

interface Wanted {
  readonly n: number;
  readonly hasTools: boolean;
  readonly isParallel: boolean;
  readonly stop: readonly string[] | null;
  /** Alternatives; undefined: no log-probabilities. */
  readonly logprobs: number | undefined;
  readonly maxTokens: number;
  readonly tier: 'auto' | 'flex' | 'priority' | undefined;
  /** Of the route that takes several. */
  readonly prompts: readonly string[];
  readonly isEchoed: boolean;
}

/** Ids are random. */
const unnamed = (calls: unknown): unknown => (calls as Value[] | undefined)?.map(({ id: _, ...call }) => call);

const cases: readonly Case[] = [
  {
    url: '/v1/chat/completions',
    ask: ({ n, hasTools, isParallel, stop, logprobs, maxTokens, tier }) => ({
      ...{ model: 'default', messages: [user('Hi')], n, seed: 0, stop, max_tokens: maxTokens, service_tier: tier },
      ...(logprobs !== undefined && { logprobs: true, top_logprobs: logprobs }),
      ...(hasTools && { tools: [{ type: 'function', function: { name: 'f' } }], parallel_tool_calls: isParallel }),
    }),
    fold: (events) => {
      const choices: { content: string; reasoning?: string; calls: { name: string; arguments: string }[]; scored: unknown[] | null; reason: unknown }[] = [];
      for (const { index, delta, logprobs, finish_reason } of events.flatMap((event) => event['choices'] as Value[])) {
        const mine = (choices[index as number] ??= { content: '', calls: [], scored: null, reason: null });
        const { content, reasoning_content, tool_calls = [] } = delta as { content?: string; reasoning_content?: string; tool_calls?: Value[] };
        mine.content += content ?? '';
        if (reasoning_content !== undefined) mine.reasoning = (mine.reasoning ?? '') + reasoning_content;
        for (const { index: place, function: piece } of tool_calls) {
          const { name, arguments: json } = piece as { name?: string; arguments: string };
          if (name === undefined) (mine.calls[place as number] as { arguments: string }).arguments += json;
          else mine.calls[place as number] = { name, arguments: json };
        }
        if (logprobs !== null) mine.scored = [...(mine.scored ?? []), ...(logprobs as { content: unknown[] }).content];
        mine.reason = finish_reason;
      }
      return { ...foldEnvelope(events), choices };
    },
    whole: ({ choices, ...answer }) => ({
      ...withoutHead(answer),
      choices: (choices as Value[]).map(({ message, logprobs, finish_reason: reason }) => {
        const {
          content,
          reasoning_content: reasoning,
          tool_calls = [],
        } = message as { content: string | null; reasoning_content?: string; tool_calls?: Value[] };
        const calls = (unnamed(tool_calls) as { function: object }[]).map((call) => call.function);
        return {
          content: content ?? '',
          ...(reasoning === undefined ? {} : { reasoning }),
          calls,
          scored: (logprobs as { content: unknown[] } | null)?.content ?? null,
          reason,
        };
      }),
    }),
  },
  {
    url: '/v1/completions',
    ask: ({ n, stop, logprobs, maxTokens, tier, prompts, isEchoed }) => ({
      ...{ model: 'default', prompt: prompts, n, seed: 0, stop, logprobs, max_tokens: maxTokens, service_tier: tier, echo: isEchoed },
    }),
    fold: (events) => {
      const choices: { text: string; index: number; logprobs: Record<string, unknown[]> | null; finish_reason: unknown }[] = [];
      for (const { index, text, logprobs, finish_reason } of events.flatMap((event) => event['choices'] as Value[])) {
        const mine = (choices[index as number] ??= { text: '', index: index as number, logprobs: null, finish_reason: null });
        mine.text += String(text);
        for (const [name, values] of Object.entries((logprobs as Record<string, unknown[]> | null) ?? {})) {
          mine.logprobs ??= {};
          mine.logprobs[name] = [...(mine.logprobs[name] ?? []), ...values];
        }
        mine.finish_reason = finish_reason;
      }
      return { ...foldEnvelope(events), choices };
    },
    whole: withoutHead,
  },
  {
    url: '/v1/messages',
    ask: ({ hasTools, isParallel, stop, maxTokens }) => ({
      ...{ model: 'default', messages: [user('Hi')], stop_sequences: stop, max_tokens: maxTokens },
      ...(hasTools && { tools: [{ name: 'f', input_schema: {} }], tool_choice: { type: 'auto', disable_parallel_tool_use: !isParallel } }),
    }),
    fold: (events) => {
      let message: Value = {};
      const content: Value[] = [];
      for (const event of events) {
        const { type, index, delta } = event as { type: string; index: number; delta: Record<string, string> };
        if (type === 'message_start') message = { ...(event['message'] as Value), content };
        if (type === 'content_block_start') content[index] = { ...(event['content_block'] as Value), json: '' };
        const block = content[index] as Value;
        if (type === 'content_block_delta') {
          if (delta['type'] === 'text_delta') block['text'] += delta['text'] ?? '';
          if (delta['type'] === 'thinking_delta') block['thinking'] += delta['thinking'] ?? '';
          if (delta['type'] === 'input_json_delta') block['json'] += delta['partial_json'] ?? '';
        }
        if (type === 'message_delta') message = { ...message, ...delta, usage: event['usage'] };
      }
      return withoutIds({
        ...message,
        content: content.map(({ json, ...block }) => (block['type'] === 'tool_use' ? { ...block, input: parseWhole(json) } : block)),
      });
    },
    whole: withoutIds,
  },
  {
    url: '/v1/responses',
    ask: ({ hasTools, isParallel, logprobs, maxTokens, tier }) => ({
      ...{ model: 'default', input: 'Hi', max_output_tokens: maxTokens, service_tier: tier },
      ...(logprobs !== undefined && { include: ['message.output_text.logprobs'], top_logprobs: logprobs }),
      ...(hasTools && { tools: [{ type: 'function', name: 'f', parameters: {} }], parallel_tool_calls: isParallel }),
    }),
    fold: (events) => {
      const items: { text: string; logprobs: unknown[] }[] = [];
      let response: Value = {};
      const ended: Value[] = [];
      for (const event of events) {
        const { type, output_index: place } = event as { type: string; output_index: number };
        if (type === 'response.output_item.added') items[place] = { text: '', logprobs: [] };
        if (type.endsWith('.delta')) {
          const item = items[place] as { text: string; logprobs: unknown[] };
          item.text += String(event['delta']);
          item.logprobs.push(...((event['logprobs'] as unknown[] | undefined) ?? []));
        }
        if (type === 'response.output_item.done') ended[place] = event['item'] as Value;
        if (event['response'] !== undefined) response = event['response'] as Value;
      }
      // The deltas of each item are what the item has in the end.
      expect(items).toEqual(ended.map(readItem));
      expect(ended).toEqual(response['output']);
      return withoutItemIds(response);
    },
    whole: withoutItemIds,
  },
];

/** What all chunks say alike, with the usage that the last one has alone. */
function foldEnvelope(events: readonly Value[]): Value {
  const { choices: _, usage, object, ...head } = events.at(-1) as Value;
  for (const { choices: __, usage: early, object: ___, ...other } of events.slice(0, -1)) expect([other, early]).toEqual([head, null]);
  return withoutHead({ ...head, object: String(object).replace('.chunk', ''), usage });
}

/** Random, and of the clock. */
function withoutHead({ id: _, created: __, ...answer }: Value): Value {
  return answer;
}

function readItem({ type, content, arguments: json }: Value): { text: string; logprobs: unknown[] } {
  if (type === 'function_call') return { text: String(json), logprobs: [] };
  const [part] = content as { text: string; logprobs?: unknown[] }[];
  return { text: part?.text ?? '', logprobs: part?.logprobs ?? [] };
}

function withoutItemIds({ id: _, created_at: __, ...response }: Value): Value {
  return { ...response, output: (response['output'] as Value[]).map(({ id: ___, call_id: ____, ...item }) => item) };
}

/** As a client does; what is cut is nothing. */
function parseWhole(json: unknown): unknown {
  try {
    return JSON.parse(String(json));
  } catch {
    return {};
  }
}

function withoutIds({ id: _, ...message }: Value): Value {
  return { ...message, content: unnamed(message['content']) };
}

const parse = (body: string): Value[] =>
  body.split('\n').flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice('data: '.length)) as Value] : []));

const runCount = process.env['INWARD_FULL'] === '1' ? 1000 : 60;

test.each(cases)('$url', async ({ url, ask, fold, whole }) => {
  const wanted = fc.record({
    n: fc.constantFrom(1, 1, 2),
    hasTools: fc.boolean(),
    isParallel: fc.boolean(),
    stop: fc.constantFrom(null, ['STOP'], ['b', ' ']),
    logprobs: fc.constantFrom(undefined, 0, 2),
    maxTokens: fc.integer({ min: 1, max: 120 }),
    tier: fc.constantFrom(undefined, 'auto', 'flex', 'priority'),
    prompts: fc.constantFrom(['Hi'], ['a', '€b']),
    isEchoed: fc.boolean(),
  });
  let scripts: readonly string[] = [];
  await using bench = await listen({ script: (_, { sampling }) => [...Buffer.from(scripts[sampling?.seed ?? 0] ?? ''), endId] });
  bench.text.format = format;
  const hasUsage = url.endsWith('completions');
  await fc.assert(
    fc.asyncProperty(fc.array(answers, { minLength: 2, maxLength: 2 }), wanted, async (written, given) => {
      scripts = written;
      const post = async (more: object): Promise<string> => {
        const response = await bench.app.inject({ method: 'POST', url, payload: { ...ask(given), ...more } });
        expect(response.statusCode).toBe(200);
        return response.body;
      };
      const streamed = await post({ stream: true, ...(hasUsage && { stream_options: { include_usage: true } }) });
      expect(fold(parse(streamed))).toEqual(whole(JSON.parse(await post({})) as Value));
    }),
    { numRuns: runCount, seed: 12 },
  );
});
