/** Calls and schemas that each dialect can demand: the grammar that the engine gets takes what was demanded and nothing else, and is wiped with the prompt. */
import { describe, expect, test } from 'vitest';
import { takes } from '../../../bench/grammar/reach.ts';
import { compileGrammar } from '../../../runtime/grammar/grammars.ts';
import { InwardError } from '../../../runtime/index.ts';
import { say } from '../../fake-text.ts';
import { type Bench, listen, user } from '../help.ts';
import { format, writeCall } from './answering.ts';

const parameters = { type: 'object', properties: { ward: { enum: ['A', 'B'] } }, required: ['ward'], additionalProperties: false };
const schema = { type: 'object', properties: { age: { type: 'integer' } }, required: ['age'], additionalProperties: false };

interface Demand {
  readonly choice?: 'required' | 'find';
  readonly isStrict?: boolean;
  readonly isSingle?: boolean;
  readonly hasSchema?: boolean;
}

/** The same demand in the words of each API. */
const dialects: Readonly<Record<string, (demand: Demand) => object>> = {
  '/v1/chat/completions': ({ choice, isStrict = false, isSingle = false, hasSchema }) => ({
    ...{ model: 'default', messages: [user('Hi')], parallel_tool_calls: !isSingle },
    tools: ['find', 'count'].map((name) => ({ type: 'function', function: { name, parameters, strict: isStrict && name === 'find' } })),
    ...(choice && { tool_choice: choice === 'required' ? choice : { type: 'function', function: { name: choice } } }),
    ...(hasSchema && { response_format: { type: 'json_schema', json_schema: { name: 'n', schema } } }),
  }),
  '/v1/responses': ({ choice, isStrict = false, isSingle = false, hasSchema }) => ({
    ...{ model: 'default', input: 'Hi', parallel_tool_calls: !isSingle },
    tools: ['find', 'count'].map((name) => ({ type: 'function', name, parameters, strict: isStrict && name === 'find' })),
    ...(choice && { tool_choice: choice === 'required' ? choice : { type: 'function', name: choice } }),
    ...(hasSchema && { text: { format: { type: 'json_schema', name: 'n', schema } } }),
  }),
  '/v1/messages': ({ choice, isStrict = false, isSingle = false, hasSchema }) => ({
    ...{ model: 'default', max_tokens: 1000, messages: [user('Hi')] },
    tools: ['find', 'count'].map((name) => ({ name, input_schema: parameters, strict: isStrict && name === 'find' })),
    tool_choice: {
      type: choice === undefined ? 'auto' : choice === 'required' ? 'any' : 'tool',
      ...(choice === 'find' && { name: choice }),
      disable_parallel_tool_use: isSingle,
    },
    ...(hasSchema && { output_config: { format: { type: 'json_schema', schema } } }),
  }),
};
/** Where a schema stands. */
const fields: Readonly<Record<string, string>> = {
  '/v1/chat/completions': 'response_format',
  '/v1/responses': 'text.format',
  '/v1/messages': 'output_config.format',
};
const call = writeCall('find', { ward: 'A' });
const other = writeCall('count', { ward: 'B' });
const wrong = writeCall('find', { ward: 'C' });
const thought = '<think>\nWhich?\n</think>\n\n';

async function ask(bench: Bench, url: string, body: object): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await bench.app.inject({ method: 'POST', url, headers: { 'anthropic-version': '2023-06-01' }, payload: body });
  return { status: response.statusCode, body: response.json() };
}

describe.each(Object.keys(dialects))('%s', (url) => {
  test.each<[name: string, demand: Demand, taken: readonly string[], refused: readonly string[]]>([
    ['a call must be made', { choice: 'required' }, [call, `${thought}${call}\n${other}`], ['', 'Hello', thought, wrong, `${call} `, writeCall('other', {})]],
    ['one call', { choice: 'required', isSingle: true }, [call, other], [`${call}\n${other}`]],
    ['this tool', { choice: 'find' }, [call], [other, `${call}\n${call}`]],
    ['strict arguments', { isStrict: true }, ['Hello', call, `Ok. ${call}\n${writeCall('count', { any: 1 })}`], [wrong, writeCall('other', {})]],
    ['a schema', { hasSchema: true }, ['{"age":3}', `${thought}{"age": 3}`, writeCall('find', { any: 1 })], ['Hello', '{"age":"3"}', `{"age":3}${call}`]],
    ['a schema, and a call in any case', { hasSchema: true, choice: 'required' }, [call], ['{"age":3}']],
  ])('%s', async (_, demand, taken, refused) => {
    await using bench = await listen({ script: say(`${thought}${call}`) });
    bench.text.format = format;
    expect(await ask(bench, url, dialects[url]!(demand))).toMatchObject({ status: 200 });
    const start = compileGrammar(bench.text.grammars.at(-1)!);
    expect([taken, refused].map((texts) => texts.filter((text) => takes(start, text)))).toEqual([taken, []]);
    const held = bench.engine.requests.at(-1)!.grammar!;
    expect([held.kind, held.source.length, held.source.every((byte) => byte === 0)]).toEqual(['gbnf', bench.text.grammars.at(-1)!.source.length, true]);
  });

  test.each<[name: string, demand: Demand, answer: string, looked: readonly unknown[] | undefined]>([
    ['a value', { hasSchema: true }, '{"age":3}', [[schema, { age: 3 }]]],
    ['a value that is none', { hasSchema: true }, '{"age":"three Quills"}', undefined],
    ['text in place of a value', { hasSchema: true }, 'Quill', undefined],
    ['a call beside a schema', { hasSchema: true }, writeCall('find', { any: 1 }), []],
    ['calls', { choice: 'required' }, `${call}\n${other}`, [[parameters, { ward: 'A' }], [parameters, { ward: 'B' }]]],
    ['no call', { choice: 'required' }, 'Quill', undefined],
    ['wrong arguments', { choice: 'required' }, wrong, undefined],
    ['another tool', { choice: 'find' }, other, undefined],
    ['a tool that nobody knows', { choice: 'required' }, writeCall('Quill', {}), undefined],
    ['strict ones among others', { isStrict: true }, `${call}\n${writeCall('count', { any: 1 })}`, [[parameters, { ward: 'A' }]]],
    ['strict ones that are wrong', { isStrict: true }, wrong, undefined],
    ['text that may be', { isStrict: true }, 'Hello', []],
  ])('%s is looked at a second time when it is whole', async (_, demand, answer, looked) => {
    await using bench = await listen({ script: say(answer) });
    bench.text.format = format;
    const whole = await ask(bench, url, dialects[url]!(demand));
    const stream = await bench.app.inject({ method: 'POST', url, payload: { ...dialects[url]!(demand), stream: true } });
    const [, last = ''] = stream.body.trim().split(/\n\n(?=[^\n]*(?:\n[^\n]*)?$)/);
    if (looked === undefined) {
      const told = 'The server failed to answer; the request itself may be fine.';
      expect([whole.status, JSON.stringify(whole.body).includes(told), JSON.stringify(whole.body).includes('Quill'), last.includes(told)]).toEqual([500, true, false, true]);
      expect(bench.lines.filter((line) => line.includes('answer_invalid'))).toHaveLength(2);
      expect(bench.lines.join()).not.toContain('Quill');
      return;
    }
    expect([whole.status, stream.body.includes('failed to answer')]).toEqual([200, false]);
    const found = bench.text.looked.map((held) => [JSON.parse(held.schema), JSON.parse(held.text)]);
    expect(found).toEqual([...looked, ...looked].map((each) => [expect.objectContaining((each as unknown[])[0] as object), (each as unknown[])[1]]));
  }); // biome-ignore format: a table

  test('what was cut is not looked at', async () => {
    await using bench = await listen({ script: say('{"age":3') });
    bench.text.format = format;
    const [limit, stop] = { '/v1/chat/completions': ['max_tokens', 'stop'], '/v1/responses': ['max_output_tokens'], '/v1/messages': ['max_tokens', 'stop_sequences'] }[url]!; // biome-ignore format: one line
    expect(await ask(bench, url, { ...dialects[url]!({ hasSchema: true }), [limit!]: 3 })).toMatchObject({ status: 200 });
    if (stop !== undefined) expect(await ask(bench, url, { ...dialects[url]!({ hasSchema: true }), [stop]: ['age'] })).toMatchObject({ status: 200 });
    expect(bench.text.looked).toEqual([]);
  });

  test('nothing is held where nothing is demanded', async () => {
    await using bench = await listen({ script: say('a') });
    bench.text.format = format;
    expect(await ask(bench, url, dialects[url]!({}))).toMatchObject({ status: 200 });
    expect([bench.text.grammars, bench.engine.requests.at(-1)?.grammar]).toEqual([[], undefined]);
  });

  test('what cannot be enforced is the fault of its field', async () => {
    await using bench = await listen({ script: say('a') });
    bench.text.format = format;
    // Not of the prompt, which is encoded before.
    Object.assign(bench.text, {
      checkGrammar: async () => Promise.reject(new InwardError('grammar_unenforceable', { keyword: 'uniqueItems', path: '#/properties/0' })),
    });
    const told = async (demand: Demand) => (await ask(bench, url, dialects[url]!(demand))).body['error'] as { param: string; message: string };
    expect(await told({ hasSchema: true })).toMatchObject({
      param: fields[url],
      message: expect.stringContaining('The keyword uniqueItems at #/properties/0 cannot be enforced'),
    });
    expect(await told({ choice: 'required' })).toMatchObject({ param: 'tools' });
  });

  test.each([false, true])('so is a grammar that fails in the middle of an answer, as a stream: %s', async (stream) => {
    const error = new InwardError('grammar_too_large', { what: 'parts', limit: 1 });
    await using bench = await listen({ script: say('{"age": 7}'), failAt: { index: 2, error } });
    bench.text.format = format;
    const told = async (demand: Demand): Promise<string> =>
      (await bench.app.inject({ method: 'POST', url, headers: { 'anthropic-version': '2023-06-01' }, payload: { ...dialects[url]!(demand), stream } })).body;
    expect(await told({ hasSchema: true })).toContain(`"param":"${fields[url]}"`);
    expect(await told({ choice: 'required' })).toContain('"param":"tools"');
    expect(await told({ hasSchema: true })).toContain('The grammar needs more than 1 parts.');
  });
});
