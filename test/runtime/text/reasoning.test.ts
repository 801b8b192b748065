/** Which settings of thinking a template reads, by pieces of published templates. */
import { expect, test } from 'vitest';
import { findReasoningVariables, knowsGreatestEffort } from '../../../runtime/text/reasoning.ts';

test.each([
  ['Qwen3', "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}", ['enable_thinking']],
  ['GLM', "{{- '\\n<think></think>' if (enable_thinking is defined and not enable_thinking) else '' -}}", ['enable_thinking']],
  ['DeepSeek', '{%- if not thinking is defined -%}{%- set thinking = enable_thinking -%}{%- endif -%}', ['enable_thinking', 'thinking']],
  ['gpt-oss', '{%- if reasoning_effort is not defined %}{%- endif %}{{- "Reasoning: " + reasoning_effort }}', ['reasoning_effort']],
  ['text that only has the words', "thinking {{ 'enable_thinking and thinking' }} {{ message.thinking }} {# reasoning_effort #}", []],
] as const)('%s', (_, template, expected) => {
  expect(findReasoningVariables([template])).toEqual(expected);
});

test('an effort above high, where the template compares with it', () => {
  expect(knowsGreatestEffort(["{%- if reasoning_effort is defined and reasoning_effort == 'max' -%}"])).toBe(true);
  expect(knowsGreatestEffort(["{%- if reasoning_effort == 'high' -%}max{%- endif -%}", "{%- if size == 'max' -%}", "reasoning_effort 'max'"])).toBe(false);
});
