/** Identifiers in requests: what reaches the model, what comes back, what is counted, and what is refused. */
import { describe, expect, test, vi } from 'vitest';
import { buildApp } from '../../../server/app.ts';
import { parseSettings } from '../../../server/config.ts';
import type { Use } from '../../../server/privacy/gate.ts';
import type { DeidMode } from '../../../server/privacy/words.ts';
import { FakeEngine } from '../../fake-engine.ts';
import { FakeText, say } from '../../fake-text.ts';
import { openTo } from '../doorkeeper.ts';
import { format, writeCall } from './answering.ts';

const message = 'PID|1||77-1234^^^HOSP^MR||Smith^John';
const hidden = 'PID|1||[MRN-1]^^^HOSP^MR||[NAME-1]^[NAME-2]';

interface Answered {
  readonly status: number;
  readonly body: string;
  readonly header: string | undefined;
  /** Contents that reached the template, or texts of prompts. */
  readonly seen: readonly unknown[];
  readonly used: readonly Use[];
}

async function ask(mode: DeidMode, payload: object, answer = 'none', url = '/v1/chat/completions'): Promise<Answered> {
  const [text, used] = [new FakeText(), [] as Use[]];
  text.format = format;
  const engine = new FakeEngine({ script: say(answer) });
  await using app = buildApp({ ...openTo({ engine, text }, { deid: mode, settle: (use) => void used.push(use) }), settings: parseSettings({}) });
  const reply = await app.inject({ method: 'POST', url, payload: { model: 'default', ...payload } });
  const seen = url.endsWith('chat/completions') ? text.chats.flatMap((chat) => chat.map(({ content }) => content)) : text.texts;
  return { status: reply.statusCode, body: reply.body, header: reply.headers['x-inward-identifiers']?.toString(), seen, used };
}

const chat = (...contents: string[]): object => ({ messages: contents.map((content) => ({ role: 'user', content })) });
const contentOf = (body: string): string => JSON.parse(body).choices[0].message.content;
/** The text of a stream's frames. */
const joinDeltas = (body: string): string =>
  body
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)).choices[0]?.delta?.content ?? '')
    .join('');

test('off and report change nothing; report counts', async () => {
  const off = await ask('off', chat(message), '[NAME-1]');
  expect([off.seen, contentOf(off.body), off.header, off.used[0]?.found]).toEqual([[message], '[NAME-1]', undefined, undefined]);
  const report = await ask('report', chat(message), '[NAME-1]');
  expect([report.seen, contentOf(report.body), report.header]).toEqual([[message], '[NAME-1]', 'NAME=2, MRN=1']);
  expect(report.used[0]).toMatchObject({ found: { NAME: 2, MRN: 1 }, ending: 'stop' });
  expect((await ask('report', chat('flu'))).header).toBe('none');
});

test('deidentify: the model sees tags, and so does the client, also of what the model makes up', async () => {
  const answer = `[NAME-1] again, and\n${message}`;
  const { seen, body, header } = await ask('deidentify', chat(message), answer);
  expect(seen).toEqual([hidden]);
  expect(contentOf(body)).toBe(`[NAME-1] again, and\n${hidden}`);
  expect(header).toBe('NAME=2, MRN=1');
  expect(joinDeltas((await ask('deidentify', { ...chat(message), stream: true }, answer)).body)).toBe(`[NAME-1] again, and\n${hidden}`);
});

test('deidentify+restore: the model sees tags, the client the originals, whole and as a stream of bytes', async () => {
  const answer = "Mr. [NAME-1]'s number is [mrn-1]; [NAME-7] stays.";
  const expected = "Mr. Smith's number is 77-1234; [NAME-7] stays.";
  const whole = await ask('deidentify+restore', { ...chat(message), n: 2 }, answer);
  expect(whole.seen).toEqual([hidden]);
  expect(JSON.parse(whole.body).choices.map((choice: { message: { content: string } }) => choice.message.content)).toEqual([expected, expected]);
  const stream = await ask('deidentify+restore', { ...chat(message), stream: true }, answer);
  expect(joinDeltas(stream.body)).toBe(expected);
  expect(stream.header).toBe('NAME=2, MRN=1');
  const legacy = await ask('deidentify+restore', { prompt: [message, 'of [NAME-1]'] }, answer, '/v1/completions');
  expect(legacy.seen).toEqual([hidden.replaceAll(/NAME-(\d)/g, (_, number) => `NAME-${Number(number) + 1}`), 'of [NAME-1]']);
});

test('several messages are searched as one: a name that is certain in one goes from the others', async () => {
  const { seen } = await ask('deidentify', chat('Who is Smith?', message, 'And John?'));
  expect(seen).toEqual(['Who is [NAME-1]?', 'PID|1||[MRN-1]^^^HOSP^MR||[NAME-1]^[NAME-2]', 'And [NAME-2]?']);
});

const tools = [{ type: 'function', function: { name: 'find', parameters: { type: 'object' } } }];
const called = `<think>of [NAME-1]</think>I find [NAME-2].\n${writeCall('find', { who: '[NAME-1]', where: 'at [GEO-1]' })}`;
const street = 'MSH|^~\\&|A\nPID|1||77-1234^^^HOSP^MR||Smith^John||||||5 "Old" Road';

test('thoughts, text and arguments of calls get the originals; arguments stay JSON, also in a stream', async () => {
  const { body, seen } = await ask('deidentify+restore', { ...chat(street), tools }, called);
  expect(seen[0]).toContain('[GEO-1]');
  const { message } = JSON.parse(body).choices[0];
  expect([message.reasoning_content, message.content.trim()]).toEqual(['of Smith', 'I find John.']);
  const expected = { who: 'Smith', where: 'at 5 "Old" Road' };
  expect(JSON.parse(message.tool_calls[0].function.arguments)).toEqual(expected);
  const stream = await ask('deidentify+restore', { ...chat(street), tools, stream: true }, called);
  const deltas = stream.body.split('\n').flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6)).choices[0]?.delta] : []));
  const calls = deltas.flatMap((delta) => delta?.tool_calls ?? []);
  expect(calls[0].function.name).toBe('find');
  expect(JSON.parse(calls.map((call) => call.function.arguments).join(''))).toEqual(expected);
  expect(deltas.map((delta) => delta?.reasoning_content ?? '').join('')).toBe('of Smith');
});

test('deidentify: arguments that name somebody get tags, and stay JSON', async () => {
  const { body } = await ask('deidentify', { ...chat('x'), tools }, writeCall('find', { patientName: 'Smith', n: 5, mrn: 771234 }));
  expect(JSON.parse(JSON.parse(body).choices[0].message.tool_calls[0].function.arguments)).toEqual({ patientName: '[NAME-1]', n: 5, mrn: '[MRN-1]' });
});

describe('surrogate+restore', () => {
  const note = 'Patient: Theresa Vance. Admitted 03/14/2024, MRN: 4839201.';

  /** What the model saw, and the answer to it. */
  async function talk(payload: object, answerOf: (seen: string) => string): Promise<{ readonly seen: string; readonly body: string }> {
    const text = new FakeText();
    text.format = format;
    const engine = new FakeEngine({ script: () => say(answerOf(text.texts.at(-1) ?? ''))() });
    await using app = buildApp({ ...openTo({ engine, text }, { deid: 'surrogate+restore' }), settings: parseSettings({}) });
    const { body } = await app.inject({ method: 'POST', url: '/v1/chat/completions', payload: { model: 'default', ...payload } });
    return { seen: text.texts.at(-1) ?? '', body };
  }

  const read = (seen: string): readonly string[] => /Patient: (.+?)\. Admitted (\S+), MRN: (\S+)\./.exec(seen)?.slice(1) ?? [];

  test('the model sees values of the same form, the client the originals', async () => {
    const { seen, body } = await talk(chat(note), (prompt) => {
      const [name, date, number] = read(prompt);
      return `${name} (${number}) came on ${date}.`;
    });
    expect(seen).not.toMatch(/Theresa|Vance|4839201|03\/14\/2024/);
    expect(read(seen)).toEqual([
      // The second may be a McAllen.
      expect.stringMatching(/^\p{Lu}\p{Ll}+ (?:\p{Lu}\p{Ll}+){1,2}$/u),
      expect.stringMatching(/^\d\d\/\d\d\/202[345]$/),
      expect.stringMatching(/^\d{7}$/),
    ]);
    expect(contentOf(body)).toBe('Theresa Vance (4839201) came on 03/14/2024.');
  });

  test('a date comes back in the form of the answer; one that the request had not is no date but a tag', async () => {
    const answerOf = (prompt: string): string => {
      const [month = 1, day = 1, year] = (read(prompt)[1] ?? '').split('/').map(Number);
      const date = new Date(Date.UTC(year ?? 0, month - 1, day));
      const later = new Date(date.getTime() + 864e5);
      return `Came on ${date.toISOString().slice(0, 10)}, left on ${later.toISOString().slice(0, 10)}.`;
    };
    expect(contentOf((await talk(chat(note), answerOf)).body)).toMatch(/^Came on 2024-03-14, left on \[DATE-\d+\]\.$/);
    const stream = await talk({ ...chat(note), stream: true }, answerOf);
    expect(joinDeltas(stream.body)).toMatch(/^Came on 2024-03-14, left on \[DATE-\d+\]\.$/);
  });
});

describe('definitions', () => {
  const properties = {
    title: { type: 'string', title: 'MRN: 4839201', enum: ['Dr. Okonkwo', 'nobody'] },
    description: { items: [{ description: 'of Dr. Okonkwo', default: 'Dr. Okonkwo', examples: [{ patientName: 'Okonkwo' }, 7] }] },
    // A name that somebody chose, not the keyword.
    default: { const: 'Dr. Okonkwo', type: 'string' },
  };
  const parameters = { type: 'object', description: 'Asked by Dr. Okonkwo.', properties, required: ['title'], additionalProperties: false };
  const hiddenParameters = {
    ...parameters,
    description: 'Asked by [NAME-1].',
    properties: {
      title: { type: 'string', title: 'MRN: [MRN-1]', enum: ['[NAME-1]', 'nobody'] },
      description: { items: [{ description: 'of [NAME-1]', default: '[NAME-1]', examples: [{ patientName: '[NAME-1.2]' }, 7] }] },
      default: { const: '[NAME-1]', type: 'string' },
    },
  };

  interface Sent {
    readonly text: FakeText;
    /** What the answer was held to. */
    readonly held: string;
    readonly body: string;
    readonly status: number;
  }

  async function send(mode: DeidMode, payload: object, answer: string): Promise<Sent> {
    const text = new FakeText();
    text.format = format;
    const demand = vi.spyOn(text, 'createAnswerGrammar');
    const engine = new FakeEngine({ script: say(answer) });
    await using app = buildApp({ ...openTo({ engine, text }, { deid: mode }), settings: parseSettings({}) });
    const { body, statusCode } = await app.inject({ method: 'POST', url: '/v1/chat/completions', payload: { model: 'default', ...payload } });
    return { text, held: JSON.stringify(demand.mock.calls.map(([{ tools, schema }]) => ({ tools, schema }))), body, status: statusCode };
  }

  const tool = (strict: boolean): object => ({ type: 'function', function: { name: 'find', description: 'For Dr. Okonkwo.', parameters, strict } });

  test('of tools: what is written for a reader and values to choose from are searched, names and types stay', async () => {
    const { text, status } = await send('deidentify', { ...chat('x'), tools: [tool(false)] }, 'none');
    expect(status).toBe(200);
    expect(text.options[0]?.tools).toEqual([
      expect.objectContaining({ function: expect.objectContaining({ name: 'find', description: 'For [NAME-1].', parameters: hiddenParameters }) }),
    ]);
  });

  test('calls are held to what the model was shown, and come back with what stood there', async () => {
    const { held, body } = await send('deidentify+restore', { ...chat('x'), tools: [tool(true)] }, writeCall('find', { title: '[NAME-1]' }));
    expect(held).toContain('"enum":["[NAME-1]","nobody"]');
    expect(held).not.toContain('Okonkwo');
    expect(JSON.parse(JSON.parse(body).choices[0].message.tool_calls[0].function.arguments)).toEqual({ title: 'Dr. Okonkwo' });
  });

  test('of answers: the model is held to the tags that it was shown, the client gets what its schema has', async () => {
    const schema = { type: 'object', properties: { seenBy: { enum: ['Dr. Okonkwo', 'nobody'] } }, required: ['seenBy'], additionalProperties: false };
    const payload = { ...chat('Seen by Dr. Okonkwo.'), response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } };
    const { held, body, status } = await send('deidentify+restore', payload, '{"seenBy":"[NAME-1]"}');
    expect(held).toContain('[NAME-1]');
    expect(held).not.toContain('Okonkwo');
    expect([status, JSON.parse(contentOf(body))]).toEqual([200, { seenBy: 'Dr. Okonkwo' }]);
  });

  test('block: refused for a value to choose from', async () => {
    const { status, body } = await send(
      'block',
      { ...chat('x'), tools: [{ type: 'function', function: { name: 'find', parameters: { enum: ['Dr. Okonkwo'] } } }] },
      'none',
    );
    expect([status, JSON.parse(body).error.code]).toEqual([422, 'identifiers_found']);
  });
});

test('what a chat had before: thoughts, calls and results of tools lose their identifiers too', async () => {
  const call = { id: 'call_1', type: 'function', function: { name: 'find', arguments: '{"patientName":"Smith"}' } };
  const messages = [
    { role: 'user', content: message },
    { role: 'assistant', reasoning_content: 'Smith?', tool_calls: [call] },
    { role: 'tool', tool_call_id: 'call_1', content: 'Smith is in' },
  ];
  const text = new FakeText();
  const engine = new FakeEngine({ script: say('none') });
  await using app = buildApp({ ...openTo({ engine, text }, { deid: 'deidentify' }), settings: parseSettings({}) });
  expect((await app.inject({ method: 'POST', url: '/v1/chat/completions', payload: { model: 'default', messages, tools } })).statusCode).toBe(200);
  expect(JSON.stringify(text.chats)).not.toMatch(/Smith|John|77-1234/);
  expect(text.chats[0]?.[1]).toMatchObject({ reasoning: '[NAME-1]?', toolCalls: [{ function: { name: 'find', arguments: { patientName: '[NAME-1]' } } }] });
});

test('vectors of texts are refused where identifiers must not pass', async () => {
  const { status, body } = await ask('deidentify', { input: 'x' }, 'none', '/v1/embeddings');
  expect([status, JSON.parse(body).error.param]).toEqual([400, 'input']);
});

test('block: identifiers are refused by category and number, never by value, and nothing is computed', async () => {
  const { status, body, header, seen, used } = await ask('block', chat(message));
  expect([status, header, seen]).toEqual([422, 'NAME=2, MRN=1', []]);
  expect(JSON.parse(body).error).toMatchObject({ code: 'identifiers_found', message: expect.stringContaining('(NAME=2, MRN=1)') });
  expect(body).not.toMatch(/Smith|77-1234/);
  expect(used).toEqual([{ promptTokens: 0, completionTokens: 0, ending: 'refused', found: { NAME: 2, MRN: 1 } }]);
  expect((await ask('block', chat('flu'))).status).toBe(200);
});

test('what cannot be searched or put back is refused by its field', async () => {
  for (const [mode, payload, url, path] of [
    ['deidentify', { prompt: [1, 2] }, '/v1/completions', 'prompt'],
    ['block', { prompt: [[1, 2]] }, '/v1/completions', 'prompt'],
    ['deidentify+restore', { ...chat('x'), logprobs: true }, undefined, 'logprobs'],
    ['deidentify', chat('a\n\u001e\u001e\nb'), undefined, 'The prompt'],
    ['report', chat('x'.repeat(600_000)), undefined, 'The prompt'],
  ] as const) {
    const { status, body } = await ask(mode, payload, 'none', url);
    expect([status, JSON.parse(body).error.code, body.includes(path)]).toEqual([400, 'invalid_value', true]);
  }
  expect((await ask('report', { prompt: [97] }, 'none', '/v1/completions')).status).toBe(200);
});

describe('POST /v1/deidentify', () => {
  const send = async (payload: object): Promise<Answered> => ask('off', { ...payload, model: undefined }, 'none', '/v1/deidentify');

  test('text, spans and counts, by tags or as asked; counted on record', async () => {
    const { status, body, header, used } = await send({ text: message });
    expect(status).toBe(200);
    const { text, spans, counts } = JSON.parse(body);
    expect([text, counts, header]).toEqual([hidden, { NAME: 2, MRN: 1 }, 'NAME=2, MRN=1']);
    expect(spans.map(({ start, end, type }: { start: number; end: number; type: string }) => `${type} ${message.slice(start, end)}`)).toEqual([
      ...['MRN 77-1234', 'NAME Smith', 'NAME John'],
    ]);
    expect(used).toEqual([{ promptTokens: 0, completionTokens: 0, ending: 'stop', found: { NAME: 2, MRN: 1 } }]);
    expect(JSON.parse((await send({ text: message, actions: { NAME: 'remove', MRN: 'keep' } })).body).text).toBe('PID|1||77-1234^^^HOSP^MR||^');
    expect(JSON.parse((await send({ text: message, actions: 'remove', language: 'es' })).body).text).toBe('PID|1||^^^HOSP^MR||^');
    expect(JSON.parse((await send({ text: '' })).body)).toEqual({ text: '', spans: [], counts: {} });
  });

  test('works while no model is loaded', async () => {
    await using app = buildApp({
      gate: openTo({ engine: new FakeEngine({ script: say('') }), text: new FakeText() }).gate,
      models: { current: undefined },
      settings: parseSettings({}),
    });
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/v1/deidentify', payload: { text: message } });
    expect([statusCode, JSON.parse(body).text]).toEqual([200, hidden]);
  });

  test('a long text', async () => {
    const long = `${message}\n`.repeat(1000);
    const { status, body } = await send({ text: long });
    expect([status, JSON.parse(body).text]).toEqual([200, `${hidden}\n`.repeat(1000)]);
  });

  test.each([
    [{}, 'text'],
    [{ text: 5 }, 'text'],
    [{ text: 'a', actions: 'shred' }, 'actions'],
    [{ text: 'a', actions: { WHAT: 'tag' } }, 'actions'],
    [{ text: 'a', language: 'fr' }, 'language'],
    [{ text: 'x'.repeat(600_000) }, 'text'],
    [{ text: 'a', other: 1 }, 'body'],
  ])('refused: case %#', async (payload, param) => {
    const { status, body } = await send(payload);
    expect([status, JSON.parse(body).error.param]).toEqual([400, param]);
  });
});
