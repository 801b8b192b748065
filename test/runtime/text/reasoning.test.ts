/** Which settings of thinking a template reads, by pieces of published templates. */
import { expect, onTestFinished, test } from 'vitest';
import { deepseekV4Template } from '../../../runtime/text/deepseek-v4.ts';
import { openText } from '../../../runtime/text/index.ts';
import { findReasoningVariables, knowsGreatestEffort, knowsOnlyHigh } from '../../../runtime/text/reasoning.ts';
import { createTemplate } from '../../../runtime/text/template.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';

const glm52 =
  "[gMASK]<sop>{%- if enable_thinking is not defined or enable_thinking -%}<|system|>Reasoning Effort: {{ 'High' if reasoning_effort is defined and reasoning_effort == 'high' else 'Max' }}{%- endif -%}";

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
  expect(knowsGreatestEffort([glm52])).toBe(true);
  expect(knowsGreatestEffort(["{%- if reasoning_effort == 'high' -%}max{%- endif -%}", "{%- if size == 'max' -%}", "reasoning_effort 'max'"])).toBe(false);
});

test.each([
  ['GLM-5.2', glm52, true],
  [
    'the same by a name of its own',
    "{%- set effort = reasoning_effort if reasoning_effort is defined else 'max' -%}{{ 'High' if effort == 'high' else 'Max' }}",
    true,
  ],
  ['gpt-oss, which writes the word', '{{ "Reasoning: " + reasoning_effort }}', false],
  ['words of which low is one', "{{ {'low': 1, 'high': 2}.get(reasoning_effort, 3) }}", false],
  ['DeepSeek-V4, to which all of them say that it is to think', deepseekV4Template, false],
  ['one that refuses', "{{ raise_exception('no') }}", false],
])('whether an effort below high is taken for something else: %s', (_, template, expected) => {
  const { render } = createTemplate(template, { bos_token: '' });
  expect(knowsOnlyHigh((effort) => render({ messages: [{ role: 'user', content: 'a' }], reasoning_effort: effort }))).toBe(expected);
});

test('the text process tries it with the template of its model', async () => {
  const folder = createFolder();
  onTestFinished(folder.remove);
  await using text = await openText({ modelPath: folder.write(ggufBytes(tokenizerPairs({ template: glm52 }))) });
  expect(text.info).toMatchObject({ reasoningVariables: ['reasoning_effort', 'enable_thinking'], hasGreatestEffort: true, knowsOnlyHigh: true });
});
