/**
 * Grammars of answers in every format of calls: whatever a random walk through one writes is read by the format's parser as what was demanded, with arguments
 * and values that ajv accepts; and what the templates of the families write of a call is taken.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { takes } from '../../../../bench/grammar/reach.ts';
import { advance, isComplete, type Place, tokenBase } from '../../../../runtime/grammar/frame.ts';
import { compileGbnf } from '../../../../runtime/grammar/index.ts';
import { deepseekV4Template } from '../../../../runtime/text/deepseek-v4.ts';
import { detectFormat } from '../../../../runtime/text/formats/detect.ts';
import { type AnswerDemand, type Thought, writeAnswerGrammar } from '../../../../runtime/text/formats/held.ts';
import { createAnswerParser, listMarks } from '../../../../runtime/text/formats/parser.ts';
import type { WriteMark } from '../../../../runtime/text/formats/symbols.ts';
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
  const marks = [...listMarks(format), ...(format.calls === 'invoke-tags' ? ['</｜DSML｜parameter>'] : [])];
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
  { calls: 'brace-calls', reasoning: { start: '<|channel>thought\n', end: '<channel|>' } },
  { calls: 'invoke-tags', reasoning },
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
  test('a value of a schema, or calls', ({ skip }) => {
    skip(format.calls === 'bare-json', 'a call has no mark there: a value of a schema could be one');
    for (const { calls, content } of collect(format, { tools, schema: JSON.stringify(schema), strict: ['find', 'find_all'] }))
      if (calls.length === 0) expect([content, isValue(JSON.parse(content))]).toEqual([content, true]);
      else expect(content).toBe('');
  });
  test('behind a thought that the prompt has begun, ended, or neither', ({ skip }) => {
    skip(format.reasoning === undefined, 'the format has no thoughts');
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

/** What arguments of a hospital's tools are made of. */
const nested = {
  type: 'object',
  properties: {
    zone: { $ref: '#/$defs/zone' },
    drugs: {
      type: 'array',
      minItems: 1,
      maxItems: 3,
      items: {
        type: 'object',
        properties: { name: { type: 'string', pattern: '^[A-Z]' }, doses: { type: 'array', items: { type: 'number', minimum: 0, multipleOf: 0.5 } }, prn: { type: 'boolean' } },
        required: ['name', 'prn'],
        additionalProperties: false,
      },
    },
    since: { anyOf: [{ type: 'string', pattern: '^[12]\\d{3}-[01]\\d$' }, { type: 'integer', minimum: 1900 }, { type: 'null' }] },
    code: { enum: ['"<x>"', 7, null, false] },
    Ask: { oneOf: [{ type: 'object', properties: { who: { const: 'nurse' } }, required: ['who'], additionalProperties: false }, { type: 'string', maxLength: 3 }] },
    plan: { $ref: '#/$defs/plan' },
    never: false,
  },
  required: ['drugs', 'code', 'plan'],
  additionalProperties: false,
  $defs: {
    zone: { type: ['string', 'null'], enum: ['A', 'B', null] },
    plan: {
      type: 'object',
      properties: { step: { type: 'string' }, next: { anyOf: [{ $ref: '#/$defs/plan' }, { type: 'null' }] } },
      required: ['step'],
      additionalProperties: false,
    },
  },
}; // biome-ignore format: a table
const isNested = ajv.compile(nested);

describe.each<AnswerFormat>([{ calls: 'brace-calls' }, { calls: 'invoke-tags' }])('$calls, arguments of every kind', (format) => {
  const demand = { tools: [tool('order', nested)], choice: { name: 'order' } } as const;
  test('what is written is read as arguments that ajv accepts', () => {
    const start = compileGbnf(write(format, demand)!);
    const hints = [...listMarks(format), '</｜DSML｜parameter>', '"', ',', '}'];
    const texts = Array.from({ length: process.env['INWARD_FULL'] === undefined ? 25 : 500 }, (_, seed) => walk(start, createRandom((seed + 1) * 7919), hints));
    const found = texts.flatMap((text) => (text === undefined ? [] : read(format, text, undefined).calls));
    expect(found.length).toBeGreaterThan(texts.length / 2);
    for (const { name, arguments: value } of found) expect([name, value, isNested(value)]).toEqual(['order', value, true]);
    // Each optional one is written now and then.
    const keys = new Set(found.flatMap(({ arguments: value }) => Object.keys(value as object)));
    expect([...keys].sort()).toEqual(['Ask', 'code', 'drugs', 'plan', 'since', 'zone']);
  });
});

const [braces, dsml] = [{ calls: 'brace-calls' }, { calls: 'invoke-tags' }] as const satisfies AnswerFormat[];
const order = (format: AnswerFormat, parameters: object) => compileGbnf(write(format, { tools: [tool('f', parameters)], choice: 'required' })!);

test('Gemma 4: keys in the order of its template, texts as they are, whatever they spell but their mark', () => {
  const start = order(braces, { properties: { B: { type: 'integer' }, a: { type: 'string' }, c: {} }, required: ['B'] });
  const call = (text: string): string => `<|tool_call>call:f{${text}}<tool_call|>`;
  const spelled = 'say "no" \\ {x:[1]}<tool_call|>\nend';
  expect(
    [`a:<|"|>${spelled}<|"|>,B:1`, 'B:1', 'B:1,c:{k:[null,<|"|>v<|"|>,{}]}', 'B:1,a:<|"|>x<|"|>', 'a:<|"|>x<|"|>', 'B:"1"', 'B:1,d:2', 'a:x,B:1'].map((text) =>
      takes(start, call(text)),
    ),
  ).toEqual([true, true, true, false, false, false, false, false]);
  expect(read(braces, call(`a:<|"|>${spelled}<|"|>,B:1`), undefined).calls).toEqual([{ name: 'f', arguments: { a: spelled, B: 1 } }]);
  expect(read(braces, call('B:1,c:{k:[null,<|"|>v<|"|>,{}]}'), undefined).calls).toEqual([{ name: 'f', arguments: { B: 1, c: { k: [null, 'v', {}] } } }]);
});

test('DeepSeek-V4: an argument says whether it is text, and JSON may spell its end', () => {
  const start = order(dsml, { properties: { a: { type: 'string' }, b: { type: ['string', 'integer'] }, c: { type: 'array', items: { type: 'string' } } } });
  const argument = (name: string, isText: boolean, value: string): string =>
    `<｜DSML｜parameter name="${name}" string="${isText}">${value}</｜DSML｜parameter>\n`;
  const call = (...written: readonly string[]): string =>
    `\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name="f">\n${written.join('')}</｜DSML｜invoke>\n</｜DSML｜tool_calls>`;
  const all = call(argument('a', true, ' "x"\n'), argument('b', true, '7'), argument('c', false, '["</｜DSML｜parameter>"]'));
  expect(
    [all, call(), call(argument('b', false, '7')), call(argument('b', false, '"7"')), call(argument('a', false, '"x"')), call(argument('c', true, '[]'))].map((text) => takes(start, text)),
  ).toEqual([true, true, true, false, false, false]); // biome-ignore format: one line
  expect(read(dsml, all, undefined).calls).toEqual([{ name: 'f', arguments: { a: ' "x"\n', b: '7', c: ['</｜DSML｜parameter>'] } }]);
});

test('a mark within DeepSeek-V4`s tags may be a token', () => {
  const mark: WriteMark = (text) => (text === '｜DSML｜' ? '<[7]>' : quote(text));
  const start = compileGbnf(writeAnswerGrammar(dsml, { tools: [tool('f', { properties: { a: {} } })], choice: 'required' }, undefined, mark)!);
  const parts = ['<', 'tool_calls>\n<', 'invoke name="f">\n<', 'parameter name="a" string="false">1</', 'parameter>\n</', 'invoke>\n</', 'tool_calls>'];
  const steps = parts.flatMap((part, i) => [...(i === 0 ? [] : [tokenBase + 7]), ...Buffer.from(part)]);
  const place = steps.reduce<Place | undefined>((at, step) => at && advance(at, step), { frame: start, stack: null });
  expect(place !== undefined && isComplete(place)).toBe(true);
});

test.each<[keyword: string, parameters: object]>([
  ['minProperties', { properties: {}, minProperties: 1 }],
  ['uniqueItems', { properties: { a: { type: 'array', uniqueItems: true } } }],
  ['not', { properties: { a: { not: { type: 'object' } } } }],
  ['allOf', { properties: { a: { allOf: [{ type: 'object' }, { properties: {} }] } } }],
  ['anyOf', { properties: { a: { type: 'object', properties: {}, anyOf: [{ required: ['a'] }] } } }],
  ['oneOf', { properties: { a: { oneOf: [{ type: 'array' }, { type: 'array', maxItems: 2 }] } } }],
  ['enum', { properties: { a: { enum: [[1]] } } }],
  ['required', { properties: {}, required: ['Ida Quill'] }],
  ['$ref', { properties: { a: { $ref: '#/properties/b' }, b: {} } }],
  ['items', { properties: { a: { type: 'array', items: [{}] } } }],
  ['properties', { properties: { 'Ida:Quill': {} } }],
])('Gemma 4: %s is refused, and no name is said', (keyword, parameters) => {
  expect(() => order(braces, parameters)).toThrow(
    expect.objectContaining({
      code: 'grammar_unenforceable',
      fields: { keyword: expect.stringContaining(keyword), path: '#' },
      message: expect.not.stringContaining('Quill'),
    }),
  );
});

test('a reference to the whole from within a part of it is not taken for the part', () => {
  const parameters = { properties: { a: { type: 'object', properties: { next: { $ref: '#' } } } } };
  for (const calls of ['parameter-tags', 'argument-tags', 'invoke-tags'] as const)
    expect(() => order({ calls }, parameters)).toThrow(expect.objectContaining({ fields: { keyword: expect.stringContaining('$ref'), path: '#' } }));
});

test('a name of a tool is quoted where it stands in JSON, and refused where it cannot be told from what stands around it', () => {
  const name = 'say "hi" \\ {now}';
  const demand = { tools: [tool(name, { properties: {}, additionalProperties: false })], choice: { name } } as const;
  for (const format of formats.filter(({ calls, isOlder = false }) => ['json-tags', 'json-list', 'bare-json'].includes(calls) || (calls === 'bracket-tags' && isOlder))) {
    const start = compileGbnf(write(format, demand, 'over')!);
    const text = walk(start, createRandom(7919)) ?? expect.fail('no end');
    expect(read(format, text, undefined).calls[0]).toEqual({ name, arguments: {} });
  }
  for (const calls of ['parameter-tags', 'argument-tags', 'bracket-tags', 'section-tags', 'harmony', 'brace-calls', 'invoke-tags'] as const)
    expect(() => write({ calls }, demand)).toThrow(expect.objectContaining({ code: 'grammar_invalid', message: expect.not.stringContaining('say') }));
}); // biome-ignore format: one line

test('nothing is held where nothing is demanded', () => {
  for (const format of formats) expect(write(format, { tools })).toBeUndefined();
  expect(write({ calls: 'none' }, { schema: '{}' })).toBeUndefined();
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
  rows.push({ template_name: 'deepseek-v4', template: deepseekV4Template });
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
          '<|tool_call>call:test',
          '<｜DSML｜tool_calls>',
        ].map((mark) => text.lastIndexOf(mark)),
      ),
    );
    const ends = Array.from(written, (_, i) => written.slice(0, i + 1)).flatMap((part) => [part, `${part}<｜tool▁calls▁end｜>`]);
    expect(ends.filter((part) => takes(start, part))).toHaveLength(1);
  });
});
