/**
 * Grammars of answers in every format of calls: whatever a random walk through one writes is read by the format's parser as what was demanded, with arguments
 * and values that ajv accepts; and what the templates of the families write of a call is taken.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { takes } from '../../../../bench/grammar/reach.ts';
import { compileGbnf } from '../../../../runtime/grammar/index.ts';
import { detectFormat } from '../../../../runtime/text/formats/detect.ts';
import { type AnswerDemand, type Thought, writeAnswerGrammar } from '../../../../runtime/text/formats/held.ts';
import { createAnswerParser, listMarks } from '../../../../runtime/text/formats/parser.ts';
import type { AnswerFormat, CallFormat } from '../../../../runtime/text/formats/types.ts';
import { createTemplate, type TemplateVariables } from '../../../../runtime/text/template.ts';
import { findTestData } from '../../../test-data.ts';
import { createRandom, walk } from '../../grammar/walk.ts';

const tool = (name: string, parameters?: object) => ({ type: 'function', function: { name, description: '', ...(parameters && { parameters }) } });
const ward = {
  type: 'object',
  properties: {
    ward: { enum: ['A"1', 'B<2', 'é'] },
    days: { type: 'integer', minimum: 1, maximum: 90 },
    note: { type: 'string', pattern: '^[^x]', maxLength: 40 },
    more: {},
  },
  required: ['ward'],
  additionalProperties: false,
};
const tools = [
  tool('find', ward),
  tool('find_all', { properties: { n: { type: 'array', items: { type: 'boolean' } } }, additionalProperties: false }),
  tool('ping'),
];
const schema = { type: 'object', properties: { age: { type: 'integer' }, notes: { type: 'null' } }, required: ['age'], additionalProperties: false };
const ajv = new Ajv({ strict: false });
const validators = new Map(tools.map(({ function: { name, parameters } }) => [name, ajv.compile({ ...parameters, type: 'object' })]));
const isValue = ajv.compile(schema);

const quote = (mark: string): string => JSON.stringify(mark);
const write = (format: AnswerFormat, demand: AnswerDemand, thought?: Thought): string | undefined => writeAnswerGrammar(format, demand, thought, quote);

interface Answer {
  readonly reasoning: string;
  readonly content: string;
  readonly calls: readonly { readonly name: string; readonly arguments: unknown }[];
}

function read(format: AnswerFormat, text: string, thought: Thought): Answer {
  const parser = createAnswerParser(format, { isThinking: thought === 'open', isText: (_, argument) => ({ note: true, days: false, n: false })[argument] });
  const answer = { reasoning: '', content: '', calls: [] as { name: string; arguments: string }[] };
  for (const part of [...parser.push(text), ...parser.end()]) {
    if (part.kind === 'call') answer.calls.push({ name: part.name, arguments: '' });
    else if (part.kind === 'arguments') answer.calls[part.index]!.arguments += part.text;
    else answer[part.kind] += part.text;
  }
  return { ...answer, calls: answer.calls.map(({ name, arguments: written }) => ({ name, arguments: JSON.parse(written) })) };
}

/** Answers that random walks write, as they are read. */
function collect(format: AnswerFormat, demand: AnswerDemand, thought?: Thought): Answer[] {
  const start = compileGbnf(write(format, demand, thought) ?? expect.fail('no grammar'));
  const marks = listMarks(format);
  const texts = Array.from({ length: process.env['INWARD_FULL'] === undefined ? 6 : 400 }, (_, seed) => walk(start, createRandom((seed + 1) * 104_729), marks));
  const answers = texts.flatMap((text) => (text === undefined ? [] : [read(format, text, thought)]));
  expect(answers.length).toBeGreaterThan(texts.length / 2);
  for (const { calls } of answers)
    for (const { name, arguments: value } of calls) expect([name, value, validators.get(name)?.(value)]).toEqual([name, value, true]);
  return answers;
}

const reasoning = { start: '<think>', end: '</think>' };
const formats: readonly AnswerFormat[] = [
  { calls: 'json-tags', reasoning },
  { calls: 'parameter-tags', reasoning },
  { calls: 'argument-tags', reasoning },
  { calls: 'bare-json' },
  { calls: 'bare-json', reasoning },
  { calls: 'bracket-tags', reasoning: { start: '[THINK]', end: '[/THINK]' } },
  { calls: 'bracket-tags', isOlder: true },
  { calls: 'json-list' },
  { calls: 'section-tags', reasoning },
  { calls: 'section-tags', isOlder: true, reasoning },
  { calls: 'harmony' },
];

describe.each(formats)('$calls, older: $isOlder', (format) => {
  test('a call that must be made', () => {
    for (const { calls, content } of collect(format, { tools, choice: 'required' })) expect([calls.length > 0, content]).toEqual([true, '']);
  });
  test('one call alone, and of one tool', () => {
    for (const { calls } of collect(format, { tools, choice: 'required', callLimit: 1 })) expect(calls).toHaveLength(1);
    for (const { calls } of collect(format, { tools, choice: { name: 'find_all' } })) expect(calls.map(({ name }) => name)).toEqual(['find_all']);
  });
  test('calls that may be made', () => {
    const demand = { tools, strict: ['find', 'find_all', 'ping'] };
    collect(format, demand);
    expect(takes(compileGbnf(write(format, demand)!), format.calls === 'harmony' ? '<|channel|>final<|message|>Hello.' : 'Hello.')).toBe(true);
  });
  test.runIf(format.calls !== 'bare-json')('a value of a schema, or calls', () => {
    for (const { calls, content } of collect(format, { tools, schema: JSON.stringify(schema), strict: ['find', 'find_all'] }))
      if (calls.length === 0) expect([content, isValue(JSON.parse(content))]).toEqual([content, true]);
      else expect(content).toBe('');
  });
  test.runIf(format.reasoning !== undefined)('behind a thought that the prompt has begun, ended, or neither', () => {
    const demand = { tools, choice: 'required', callLimit: 1 } as const;
    for (const thought of ['open', 'over', undefined] as const) {
      const thoughts = collect(format, demand, thought).map((answer) => answer.reasoning !== '');
      expect([thought, thoughts.some((has) => has)]).toEqual([thought, thought !== 'over']);
    }
    const { start, end } = format.reasoning!;
    const one = (thought?: Thought) => compileGbnf(write(format, { schema: '{"const":1}' }, thought)!);
    expect([
      takes(one(), `${start}x${end}\n\n1`),
      takes(one(), '1'),
      takes(one(), `${start}1`),
      takes(one('open'), `x${end}1`),
      takes(one('open'), '1'),
    ]).toEqual([true, true, false, true, false]);
  });
});

test('tools whose arguments nothing is demanded of take any object', () => {
  const grammar = compileGbnf(write({ calls: 'json-tags' }, { tools, strict: ['find'] })!);
  const call = (name: string, value: string): string => `Ok. <tool_call>\n{"name": "${name}", "arguments": ${value}}\n</tool_call>`;
  expect(
    [call('find', '{"ward":"é"}'), call('find', '{}'), call('ping', '{"x":1}'), call('ping', '1'), call('other', '{}')].map((text) => takes(grammar, text)),
  ).toEqual([true, false, true, false, false]);
});

test('texts between tags are written as they are', () => {
  const tagged = '<tool_call>\n<function=find>\n<parameter=ward>\n"é"\n</parameter>\n<parameter=note>\n"a\n\n</parameter>\n</function>\n</tool_call>';
  const format: AnswerFormat = { calls: 'parameter-tags' };
  const start = compileGbnf(write(format, { tools, choice: 'required' })!);
  expect(takes(start, tagged)).toBe(true);
  expect(read(format, tagged, undefined).calls).toEqual([{ name: 'find', arguments: { ward: 'é', note: '"a\n' } }]);
  expect(
    [tagged.replace('"a', 'xa'), tagged.replace('"é"', 'é'), tagged.replace(/<parameter=ward>[\s\S]*?<\/parameter>\n/, '')].filter((text) =>
      takes(start, text),
    ),
  ).toEqual([]);
});

test('nothing is held where nothing is demanded', () => {
  for (const format of formats) expect(write(format, { tools })).toBeUndefined();
  expect(write({ calls: 'none' }, { schema: '{}' })).toBeUndefined();
  expect(write({ calls: 'brace-calls' }, { tools, schema: '{}' })).toBeUndefined();
});

test.each<[name: string, parameters: object]>([
  ['anyOf', { anyOf: [{ required: ['a'] }] }],
  ['required', { properties: { a: {} }, required: ['b'] }],
  ['properties', { properties: { 'a b': {} } }],
])('arguments between tags: %s is refused', (keyword, parameters) => {
  const demand = { tools: [tool('f', parameters)], choice: 'required' } as const;
  expect(() => write({ calls: 'parameter-tags' }, demand)).toThrow(
    expect.objectContaining({ code: 'grammar_unenforceable', fields: { keyword: expect.stringContaining(keyword), path: '#' } }),
  );
});

test('a key that a client made up is refused, and not repeated', () => {
  const demand = { tools: [tool('f', { properties: {}, 'Ida Quill': 1 })], choice: 'required' } as const;
  const refusal = expect.objectContaining({ code: 'grammar_unenforceable', message: expect.not.stringContaining('Quill') });
  expect(() => write({ calls: 'parameter-tags' }, demand)).toThrow(refusal);
});

test.each<[CallFormat, AnswerDemand, string]>([
  ['brace-calls', { tools, choice: 'required' }, 'calls_unenforceable'],
  ['none', { tools, strict: ['ping'] }, 'calls_unenforceable'],
  ['json-tags', { tools, choice: { name: 'other' } }, 'grammar_invalid'],
  ['json-tags', { tools: [...tools, tool('find')], choice: 'required' }, 'grammar_invalid'],
])('%s refuses what it cannot enforce', (calls, demand, code) => {
  expect(() => write({ calls }, demand)).toThrow(expect.objectContaining({ code }));
});

const data = findTestData('tool calls of 63 chat templates, taken by their grammars');
describe.skipIf(data === undefined)('what templates write of a call is taken', () => {
  const read_ = (name: string): string => readFileSync(join(data ?? '', 'data', 'chat', name), 'utf8');
  const rows: { template_name: string; template: string }[] = data === undefined ? [] : read_('templates.dev.jsonl').trim().split('\n').map((line) => JSON.parse(line)); // biome-ignore format: one line
  const known = rows.map(({ template_name: name, template }) => ({ name, template, format: detectFormat([template], () => false) }));
  test.each(known.filter(({ format }) => formats.some(({ calls }) => calls === format.calls)))('$name', ({ template, format }) => {
    const context: TemplateVariables = JSON.parse(read_('contexts.json'))['tool_use_obj_args'];
    const wanted = { name: 'test', arguments: { condition: true } };
    const isRaw = template.includes("['content'] is none");
    const call = { id: 'abcdef123', type: 'function', function: isRaw ? { ...wanted, arguments: JSON.stringify(wanted.arguments) } : wanted };
    const messages = [
      { role: 'user', content: 'Test it.' },
      { role: 'assistant', content: isRaw ? null : '', tool_calls: [call] },
    ];
    const text = createTemplate(template, {})
      .render({ ...context, messages: messages as never, add_generation_prompt: false })
      .replaceAll('&#34;', '"');
    const start = compileGbnf(write(format, { tools: [tool('test', { properties: { condition: { type: 'boolean' } } })], choice: 'required' }, 'over')!);
    // Of an answer that goes on with what the tool says a template leaves the end out.
    const written = text.slice(
      Math.max(
        ...[
          '<tool_call>\n<function=test',
          '<tool_call>test',
          '<tool_call>\n{"name": "test',
          '[TOOL_CALLS]',
          '<｜tool▁calls▁begin｜>',
          '{"name": "test", "parameters',
          ' to=functions',
        ].map((mark) => text.lastIndexOf(mark)),
      ),
    );
    const ends = Array.from(written, (_, i) => written.slice(0, i + 1)).flatMap((part) => [part, `${part}<｜tool▁calls▁end｜>`]);
    expect(ends.filter((part) => takes(start, part))).toHaveLength(1);
  });
});
