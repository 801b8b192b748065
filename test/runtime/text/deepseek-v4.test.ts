/**
 * Prompts of DeepSeek-V4 against the tests of the release's own program where those are at hand, and against its rules by hand; and how its answers are
 * read.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../../runtime/checkpoint/json.ts';
import { deepseekV4Template } from '../../../runtime/text/deepseek-v4.ts';
import { detectFormat } from '../../../runtime/text/formats/detect.ts';
import { findReasoningVariables, knowsGreatestEffort } from '../../../runtime/text/reasoning.ts';
import { createTemplate } from '../../../runtime/text/template.ts';
import { findTestData } from '../../test-data.ts';

const [bos, eos, user, assistant] = ['<｜begin▁of▁sentence｜>', '<｜end▁of▁sentence｜>', '<｜User｜>', '<｜Assistant｜>'];
const template = createTemplate(deepseekV4Template, { bos_token: bos, eos_token: eos });

interface Message {
  readonly [key: string]: Json;
}

const render = (messages: readonly Message[], more: Readonly<Record<string, Json>> = {}): string =>
  template.render({ messages: messages as Json, add_generation_prompt: true, ...more });

const data = findTestData('prompts of DeepSeek-V4');

/** Arguments of calls as the server hands them to templates. */
function parseArguments(message: Message): Message {
  const calls = message['tool_calls'] as { function: { name: string; arguments: string } }[] | undefined;
  if (calls === undefined) return message;
  return { ...message, tool_calls: calls.map((call) => ({ ...call, function: { ...call.function, arguments: JSON.parse(call.function.arguments) } })) as Json };
}

test.each(data === undefined ? [] : [1, 3])('test %i of the release', (number) => {
  const folder = join(data ?? '', 'data/chat/deepseek-v4');
  const input = JSON.parse(readFileSync(join(folder, `test_input_${number}.json`), 'utf8'));
  const messages: Message[] = Array.isArray(input) ? input : input.messages;
  const tools = Array.isArray(input) ? {} : { tools: input.tools };
  const rendered = render(messages.map(parseArguments), { ...tools, thinking: true, add_generation_prompt: false });
  expect(rendered).toBe(readFileSync(join(folder, `test_output_${number}.txt`), 'utf8'));
});

const question = { role: 'user', content: 'Why?' };
const answer = { role: 'assistant', content: 'So.', reasoning_content: 'Hm.' };

describe('modes', () => {
  test.each<[string, Readonly<Record<string, Json>>, string]>([
    ['none', {}, '</think>'],
    ['thinking', { thinking: true }, '<think>'],
    ['enable_thinking', { enable_thinking: true }, '<think>'],
    ['thinking off, whatever the effort', { thinking: false, reasoning_effort: 'high' }, '</think>'],
    ['an effort', { reasoning_effort: 'high' }, '<think>'],
    ['no effort', { reasoning_effort: 'none' }, '</think>'],
  ])('%s', (_, more, mark) => {
    expect(render([{ role: 'system', content: 'S' }, question], more)).toBe(`${bos}S${user}Why?${assistant}${mark}`);
  });

  test('the greatest effort puts a text of its own first', () => {
    const text = render([{ role: 'system', content: 'S' }, question], { thinking: true, reasoning_effort: 'max' });
    expect(text).toMatch(/^<｜begin▁of▁sentence｜>Reasoning Effort: Absolute maximum .*\n.*\n.*unchecked\.\n\nS<｜User｜>Why\?<｜Assistant｜><think>$/);
    expect(render([question], { reasoning_effort: 'max', thinking: false })).toBe(`${bos}${user}Why?${assistant}</think>`);
  });

  test('thoughts of earlier turns are left out', () => {
    expect(render([question, answer, question], { thinking: true })).toBe(`${bos}${user}Why?${assistant}</think>So.${eos}${user}Why?${assistant}<think>`);
    expect(render([question, answer], { thinking: true, add_generation_prompt: false })).toBe(`${bos}${user}Why?${assistant}<think>Hm.</think>So.${eos}`);
    expect(render([question, answer, question])).toBe(`${bos}${user}Why?${assistant}</think>So.${eos}${user}Why?${assistant}</think>`);
  });

  test('with tools they stay', () => {
    const tools = [{ type: 'function', function: { name: 'f', description: 'Ä', parameters: {} } }];
    const text = render([question, answer, question], { thinking: true, tools });
    expect(text.startsWith(`${bos}\n\n## Tools\n\nYou have access`)).toBe(true);
    expect(text).toContain('### Available Tool Schemas\n\n{"name": "f", "description": "Ä", "parameters": {}}\n\nYou MUST');
    expect(text.endsWith(`calls.\n${user}Why?${assistant}<think>Hm.</think>So.${eos}${user}Why?${assistant}<think>`)).toBe(true);
  });
});

test('results of tools stand in the order of their calls, and the next question with them', () => {
  const call = (id: string, value: Json) => ({ id, type: 'function', function: { name: 'f', arguments: { a: value } } });
  const calls = { role: 'assistant', content: '', tool_calls: [call('1', 'x "y"'), call('2', [1, { b: null }])] };
  const result = (id: string) => ({ role: 'tool', tool_call_id: id, content: `r${id}` });
  const parameter = (kind: string, value: string) => `<｜DSML｜parameter name="a" string="${kind}">${value}</｜DSML｜parameter>`;
  const invoke = (inner: string) => `<｜DSML｜invoke name="f">\n${inner}\n</｜DSML｜invoke>\n`;
  const text = render([question, calls as Message, result('2'), result('1'), question]);
  const written = `\n\n<｜DSML｜tool_calls>\n${invoke(parameter('true', 'x "y"'))}${invoke(parameter('false', '[1, {"b": null}]'))}</｜DSML｜tool_calls>`;
  const results = '<tool_result>r1</tool_result>\n\n<tool_result>r2</tool_result>\n\nWhy?';
  expect(text).toBe(`${bos}${user}Why?${assistant}</think>${written}${eos}${user}${results}${assistant}</think>`);
});

test('its answers are thoughts, text and calls by tags', () => {
  expect(detectFormat([deepseekV4Template], () => false)).toEqual({ reasoning: { start: '<think>', end: '</think>' }, calls: 'invoke-tags' });
  expect(knowsGreatestEffort([deepseekV4Template])).toBe(true);
  expect(findReasoningVariables([deepseekV4Template])).toEqual(['reasoning_effort', 'enable_thinking', 'thinking']);
});
