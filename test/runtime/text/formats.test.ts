/** Answers of every family in parts: what their own templates write of a call is read back as that call, however the text is split. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { detectFormat } from '../../../runtime/text/formats/detect.ts';
import { createAnswerParser, type ParserOptions } from '../../../runtime/text/formats/parser.ts';
import type { AnswerFormat, AnswerPart, CallFormat } from '../../../runtime/text/formats/types.ts';
import { createTemplate, type TemplateVariables } from '../../../runtime/text/template.ts';
import { findTestData } from '../../test-data.ts';

interface Answer {
  reasoning: string;
  content: string;
  calls: { name: string; id?: string; arguments: string }[];
}

function join_(parts: readonly AnswerPart[]): Answer {
  const answer: Answer = { reasoning: '', content: '', calls: [] };
  for (const part of parts) {
    if (part.kind === 'call') answer.calls.push({ name: part.name, ...(part.id === undefined ? {} : { id: part.id }), arguments: '' });
    else if (part.kind === 'arguments') (answer.calls[part.index] ?? expect.fail('arguments without a call')).arguments += part.text;
    else answer[part.kind] += part.text;
  }
  return answer;
}

function parse(format: AnswerFormat, pieces: readonly string[], options?: ParserOptions): Answer {
  const parser = createAnswerParser(format, options);
  return join_([...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]);
}

/** Whole, split in two at every place, and character by character: all the same. */
function read(format: AnswerFormat, text: string, options?: ParserOptions): Answer {
  const whole = parse(format, [text], options);
  for (let place = 1; place < text.length; place++)
    expect(parse(format, [text.slice(0, place), text.slice(place)], options), `split at ${place}`).toEqual(whole);
  expect(parse(format, Array.from(text), options)).toEqual(whole);
  return whole;
}

const think = { start: '<think>', end: '</think>' };
const weather = { name: 'weather', arguments: { city: 'Bern', days: 2, now: true } };
const answerOf = (calls: CallFormat, text: string, options?: ParserOptions) => {
  const { calls: found, ...rest } = read({ reasoning: think, calls }, text, options);
  return { ...rest, calls: found.map(({ arguments: written, ...call }) => ({ ...call, arguments: JSON.parse(written) })) };
};

describe('one call, with a thought and text before it', () => {
  const json = '{"name": "weather", "arguments": {"city": "Bern", "days": 2, "now": true}}';
  test.each<[CallFormat, string]>([
    ['json-tags', `<tool_call>\n${json}\n</tool_call>`],
    ['json-tags', '<tool_call>{"arguments": {"city": "Bern", "days": 2, "now": true}, "name": "weather"}</tool_call>'],
    ['json-tags', '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Bern\\", \\"days\\": 2, \\"now\\": true}"}</tool_call>'],
    [
      'parameter-tags',
      '<tool_call>\n<function=weather>\n<parameter=city>\nBern\n</parameter>\n<parameter=days>\n2\n</parameter>\n<parameter=now>\nTrue\n</parameter>\n</function>\n</tool_call>',
    ],
    [
      'argument-tags',
      '<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Bern</arg_value>\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n<arg_key>now</arg_key><arg_value>true</arg_value>\n</tool_call>',
    ],
    ['bracket-tags', `[TOOL_CALLS][${json}]`],
    ['bracket-tags', '[TOOL_CALLS]weather[ARGS]{"city": "Bern", "days": 2, "now": true}'],
    ['json-list', `<|tool_call|>[${json}]<|/tool_call|>`],
    ['brace-calls', '<|tool_call>call:weather{city:<|"|>Bern<|"|>,days:2,now:true}<tool_call|>'],
    [
      'section-tags',
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{"city": "Bern", "days": 2, "now": true}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    ],
    [
      'section-tags',
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Bern", "days": 2, "now": true}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    ],
    [
      'invoke-tags',
      '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="weather">\n<｜DSML｜parameter name="city" string="true">Bern</｜DSML｜parameter>\n<｜DSML｜parameter name="days" string="false">2</｜DSML｜parameter>\n<｜DSML｜parameter name="now" string="false">true</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>',
    ],
  ])('%s: %s', (calls, text) => {
    expect(answerOf(calls, `<think>\nBern? {"name"\n</think>\n\nI look < it up.\n\n${text}\n`)).toEqual({
      reasoning: 'Bern? {"name"',
      content: 'I look < it up.',
      calls: [weather],
    });
  });
});

describe('several calls', () => {
  const list = [
    { name: 'f', arguments: { a: '}' } },
    { name: 'g', arguments: {} },
  ];
  test.each<[CallFormat, string]>([
    ['json-tags', '<tool_call>{"name": "f", "arguments": {"a": "}"}}</tool_call>\n<tool_call>{"name": "g", "arguments": {}}</tool_call>'],
    ['json-tags', '<tool_call>{"name": "f", "arguments": {"a": "}"}}\n{"name": "g"}</tool_call>'],
    ['parameter-tags', '<tool_call><function=f><parameter=a>}</parameter></function></tool_call><tool_call><function=g></function></tool_call>'],
    ['argument-tags', '<tool_call>f<arg_key>a</arg_key><arg_value>}</arg_value></tool_call><tool_call>g</tool_call>'],
    ['bracket-tags', '[TOOL_CALLS] [{"name": "f", "arguments": {"a": "}"}}, {"name": "g", "arguments": {}}]'],
    ['bracket-tags', '[TOOL_CALLS]f[ARGS]{"a": "}"}[TOOL_CALLS]g[ARGS]{}'],
    ['bare-json', '{"name": "f", "parameters": {"a": "}"}}; {"name": "g", "parameters": {}}'],
    ['brace-calls', '<|tool_call>call:f{a:<|"|>}<|"|>}<tool_call|><|tool_call>call:g{}<tool_call|>'],
    [
      'invoke-tags',
      '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="f">\n<｜DSML｜parameter name="a" string="true">}</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name="g">\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>',
    ],
  ])('%s: %s', (calls, text) => expect(answerOf(calls, text)).toEqual({ reasoning: '', content: '', calls: list }));
  test('ids', () => {
    expect(answerOf('bracket-tags', '[TOOL_CALLS][{"name": "f", "arguments": {}, "id": "x1"}]').calls).toEqual(
      [{ name: 'f', id: 'x1', arguments: {} }].map(({ id: _, ...call }) => call),
    );
    expect(answerOf('bracket-tags', '[TOOL_CALLS][{"id": "x1", "name": "f", "arguments": {}}]').calls).toEqual([{ name: 'f', id: 'x1', arguments: {} }]);
    expect(answerOf('bracket-tags', '[TOOL_CALLS]f[CALL_ID]x1[ARGS]{}').calls).toEqual([{ name: 'f', id: 'x1', arguments: {} }]);
  });
});

test('numbers between tags keep all their digits', () => {
  const text = '<tool_call>f<arg_key>n</arg_key><arg_value> 12345678901234567890.10\n</arg_value></tool_call>';
  expect(read({ calls: 'argument-tags' }, text).calls).toEqual([{ name: 'f', arguments: '{"n": 12345678901234567890.10}' }]);
});

describe('Llama 3', () => {
  test.each([
    ['a call', '{"name": "f", "parameters": {"a": 1}}', '', [{ name: 'f', arguments: { a: 1 } }]],
    ['a call behind the tag', '<|python_tag|>{"name": "f", "parameters": {"a": 1}}', '', [{ name: 'f', arguments: { a: 1 } }]],
    ['a built-in tool', '<|python_tag|>brave_search.call(query="a, b", n=2)', '', [{ name: 'brave_search', arguments: { query: 'a, b', n: 2 } }]],
    ['code', '<|python_tag|>print(1)\n', '', [{ name: 'python', arguments: { code: 'print(1)\n' } }]],
    ['JSON that is no call', ' {"age": 3, "name": "Ann"} ', ' {"age": 3, "name": "Ann"} ', []],
    ['text', ' Hello {"name": 1}', ' Hello {"name": 1}', []],
  ])('%s', (_, text, content, calls) => expect(answerOf('bare-json', text)).toEqual({ reasoning: '', content, calls }));
});

describe('harmony', () => {
  const harmony: AnswerFormat = { calls: 'harmony' };
  test('thought, preamble, call', () => {
    const text =
      '<|channel|>analysis<|message|>Look it up.<|end|><|start|>assistant<|channel|>commentary<|message|>One moment.<|end|><|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": "Bern"}<|call|>';
    expect(read(harmony, text)).toEqual({ reasoning: 'Look it up.', content: 'One moment.', calls: [{ name: 'weather', arguments: '{"city": "Bern"}' }] });
  });
  test('a recipient in the role, and the final answer, cut off', () => {
    expect(read(harmony, ' to=functions.f<|channel|>commentary json<|message|>{}<|call|>').calls).toEqual([{ name: 'f', arguments: '{}' }]);
    expect(read(harmony, '<|channel|>final<|message|>4 < 5\n')).toEqual({ reasoning: '', content: '4 < 5\n', calls: [] });
  });
});

describe('thoughts', () => {
  const format: AnswerFormat = { reasoning: think, calls: 'json-tags' };
  test.each([
    ['begun by the prompt', 'a\n</think>\n\nb', { isThinking: true }, 'a', 'b'],
    ['that never end', '<think>a', {}, 'a', ''],
    ['none', ' b < c\n', {}, '', ' b < c\n'],
    ['empty', '<think>\n\n</think>\n\nb', {}, '', 'b'],
  ])('%s', (_, text, options, reasoning, content) => expect(read(format, text, options)).toEqual({ reasoning, content, calls: [] }));
});

describe('what is no call', () => {
  test.each<[CallFormat, string, string]>([
    ['json-tags', 'a <tool_call>no JSON</tool_call> b', 'a <tool_call>no JSON b'],
    ['json-tags', 'a <tool_call>{"age": 3}</tool_call>', 'a <tool_call>{"age": 3}'],
    ['none', '<tool_call>{"name": "f"}</tool_call>', '<tool_call>{"name": "f"}</tool_call>'],
  ])('%s: %s', (calls, text, content) => {
    const answer = read({ calls }, text);
    expect([answer.content.replaceAll(/\s/g, ''), answer.calls]).toEqual([content.replaceAll(/\s/g, ''), []]);
  });
  test('without tools calls are text', () => {
    const text = '<tool_call>{"name": "f", "arguments": {}}</tool_call>';
    expect(read({ reasoning: think, calls: 'json-tags' }, text, { hasTools: false })).toEqual({ reasoning: '', content: text, calls: [] });
  });
  test('a call that is cut off stays as far as it came', () => {
    expect(read({ calls: 'json-tags' }, '<tool_call>{"name": "f", "arguments": {"a": "b')).toEqual({
      reasoning: '',
      content: '',
      calls: [{ name: 'f', arguments: '{"a": "b' }],
    });
  });
});

test('arguments come while they are written', () => {
  const parser = createAnswerParser({ calls: 'json-tags' });
  const parts = ['<tool_call>{"name": "f", "arg', 'uments": {"a": "x', 'y', 'z"}', '}'].map((piece) => parser.push(piece));
  expect(parts[1]?.[0]).toEqual({ kind: 'call', index: 0, name: 'f' });
  expect(parts.slice(2).flatMap((part) => part.map((one) => ('text' in one ? one.text : '')))).toEqual(['y', 'z', '"', '}']);
});

test.each<[CallFormat, string]>([
  ['json-tags', '<'],
  ['json-tags', ' '],
  ['json-tags', '<tool_call>{"name": "f", "arguments": {"a": "'],
  ['json-tags', '<tool_call>{"name": "'],
  ['parameter-tags', '<tool_call><function=f><parameter=a>'],
  ['argument-tags', '<tool_call>f<arg_key>'],
  ['bracket-tags', '[TOOL_CALLS]'],
  ['brace-calls', '<|tool_call>call:f{'],
  ['section-tags', '<｜tool▁calls▁begin｜>'],
  ['invoke-tags', '<｜DSML｜tool_calls><｜DSML｜invoke name="f">'],
  ['bare-json', '{"name":'],
  ['harmony', '<|message|>'],
])('long runs take time in proportion, %s: %s', (calls, start) => {
  const started = process.cpuUsage();
  for (const run of ['"', '{', ' ', '<', '\\', start]) {
    const text = start + run.repeat(30_000 / run.length);
    parse({ reasoning: think, calls }, [text]);
    parse({ reasoning: think, calls }, text.match(/[\s\S]{1,4}/g) ?? []);
  }
  // Of the processor, not of the clock. The square would be a thousand million steps for each.
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(5000);
});

test('types of arguments by the schema, where the format has none', () => {
  const isText = (tool: string, argument: string) => tool === 'f' && argument === 'zip';
  const text = '<tool_call><function=f><parameter=zip>\n3012\n</parameter><parameter=n>\n3012\n</parameter></function></tool_call>';
  expect(JSON.parse(read({ calls: 'parameter-tags' }, text, { isText }).calls[0]?.arguments ?? '')).toEqual({ zip: '3012', n: 3012 });
});

/** By reading the templates; those of other forms are not among them. */
const families = {
  'llamacpp:GLM-4.6': 'argument-tags',
  'llamacpp:MiMo-VL': 'json-tags',
  'llamacpp:Qwen-Qwen2.5-7B-Instruct': 'json-tags',
  'llamacpp:Qwen-Qwen3-0.6B': 'json-tags',
  'llamacpp:Reka-Edge': 'json-tags',
  'llamacpp:StepFun3.5-Flash': 'parameter-tags',
  'llamacpp:deepseek-ai-DeepSeek-R1-Distill-Llama-8B': 'section-tags',
  'llamacpp:google-gemma-4-31B-it': 'brace-calls',
  'llamacpp:ibm-granite-granite-4.0': 'json-tags',
  'llamacpp:meta-llama-Llama-3.1-8B-Instruct': 'bare-json',
  'llamacpp:meta-llama-Llama-3.3-70B-Instruct': 'bare-json',
  'llamacpp:mistralai-Mistral-Nemo-Instruct-2407': 'bracket-tags',
  'llamacpp:openai-gpt-oss-120b': 'harmony',
  'llamacpp:stepfun-ai-Step-3.5-Flash': 'parameter-tags',
  'llamacpp:unsloth-mistral-Devstral-Small-2507': 'bracket-tags',
  'minja:Qwen-Qwen3-Coder-30B-A3B-Instruct': 'parameter-tags',
  'mistral-common:v11_audio': 'bracket-tags',
  'mistral-common:v11_image_think': 'bracket-tags',
  'mistral-common:v11_think': 'bracket-tags',
  'mistral-common:v13': 'bracket-tags',
  'mistral-common:v13_image': 'bracket-tags',
  'mistral-common:v15_image': 'bracket-tags',
  'mistral-common:v3': 'bracket-tags',
  'mistral-common:v3_image': 'bracket-tags',
  'mistral-common:v3_image_spm': 'bracket-tags',
  'mistral-common:v7_image': 'bracket-tags',
  'mistral-common:v7_spm': 'bracket-tags',
  'ollama-index:24-llama3-instruct': 'bare-json',
};
const data = findTestData('tool calls of 63 chat templates, read back');
describe.skipIf(data === undefined)('what templates write of calls is read back', () => {
  const read_ = (name: string) => readFileSync(join(data ?? '', 'data', 'chat', name), 'utf8');
  const rows: { template_name: string; template: string }[] =
    data === undefined
      ? []
      : read_('templates.dev.jsonl')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line));
  const formats = rows.map(({ template_name: name, template }) => ({ name, template, format: detectFormat([template], () => false) }));
  const known = formats.filter(({ format }) => format.calls !== 'none');
  test('families that are told apart', () =>
    expect(Object.fromEntries(formats.map(({ name, format }) => [name, format.calls]).filter(([, calls]) => calls !== 'none'))).toEqual(families));
  test.each(known)('$name', ({ template, format }) => {
    const context: TemplateVariables = JSON.parse(read_('contexts.json'))['tool_use_obj_args'];
    // DeepSeek R1's writes calls only where there is no content at all, and wants their arguments as text.
    const content = template.includes("['content'] is none") ? null : '';
    const call = (value: object) => ({ role: 'assistant', content, tool_calls: [{ id: 'call_1___', type: 'function', function: value }] });
    const wanted = { name: 'test', arguments: { condition: true } };
    const told = template.includes("['content'] is none") ? { ...wanted, arguments: JSON.stringify(wanted.arguments) } : wanted;
    const user = { role: 'user', content: 'Test it.' };
    const render = (messages: object[], prompt: boolean) =>
      createTemplate(template, {}).render({ ...context, messages: messages as never, add_generation_prompt: prompt });
    const before = render([user], false);
    const after = render([user, call(told)], false);
    let same = 0;
    while (same < before.length && before[same] === after[same]) same++;
    // Without the escapes that Python's Jinja2 makes where a template joins safe and other texts; and without the role where the prompt would end.
    const text = after
      .slice(same)
      .replaceAll('&#34;', '"')
      .replace(/^[\s\S]*<\|start_header_id\|>assistant<\|end_header_id\|>/, '');
    const { calls } = parse(format, [text], { isText: () => false });
    expect(calls.map(({ name, arguments: written }) => ({ name, arguments: JSON.parse(written) }))).toEqual([wanted]);
  });
});
