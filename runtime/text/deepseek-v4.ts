/**
 * Owns the prompts of DeepSeek-V4, whose releases have no chat template but a program that writes them (encoding_dsv4.py): the same as a template, fixed texts
 * to the letter, because another wording is another prompt to the model. Source: the release's encoding folder (MIT).
 */

const effort = [
  'Reasoning Effort: Absolute maximum with no shortcuts permitted.',
  'You MUST be very thorough in your thinking and comprehensively decompose the problem to resolve the root cause, rigorously stress-testing your logic against all potential paths, edge cases, and adversarial scenarios.',
  'Explicitly write out your entire deliberation process, documenting every intermediate step, considered alternative, and rejected hypothesis to ensure absolutely no assumption is left unchecked.',
  '',
  '',
].join('\n');

const toolsHead = [
  '## Tools',
  '',
  `You have access to a set of tools to help answer the user's question. You can invoke tools by writing a "<｜DSML｜tool_calls>" block like the following:`,
  '',
  '<｜DSML｜tool_calls>',
  '<｜DSML｜invoke name="$TOOL_NAME">',
  '<｜DSML｜parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</｜DSML｜parameter>',
  '...',
  '</｜DSML｜invoke>',
  '<｜DSML｜invoke name="$TOOL_NAME2">',
  '...',
  '</｜DSML｜invoke>',
  '</｜DSML｜tool_calls>',
  '',
  'String parameters should be specified as is and set `string="true"`. For all other types (numbers, booleans, arrays, objects), pass the value in JSON format and set `string="false"`.',
  '',
  'If thinking_mode is enabled (triggered by <think>), you MUST output your complete reasoning inside <think>...</think> BEFORE any tool calls or final response.',
  '',
  'Otherwise, output directly after </think> with tool calls or final response.',
  '',
  '### Available Tool Schemas',
  '',
  '',
].join('\n');

const toolsTail = '\nYou MUST strictly follow the above defined tool name and parameter schemas to invoke tool calls.\n';

const formatHead = '## Response Format:\n\nYou MUST strictly adhere to the following schema to reply:\n';

/** A text of a template. */
const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;

/**
 * Thoughts are asked for by `thinking` or `enable_thinking`, without either by a `reasoning_effort`; `max` puts a text before all others. Thoughts of earlier turns are left out
 * unless there are tools. Results of tools come in the order of their calls.
 */
export const deepseekV4Template: string = `
{%- macro text(content) -%}
  {%- if content is string -%}{{ content }}
  {%- elif content -%}{%- for part in content -%}{{ part.text }}{%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- macro additions(list, format) -%}
  {%- if list -%}{{ '\\n\\n' + ${quoted(toolsHead)} }}{%- for tool in list -%}{{ (tool.function if tool.function else tool) | tojson }}{{ '\\n' }}{%- endfor -%}{{ ${quoted(toolsTail)} }}{%- endif -%}
  {%- if format -%}{{ '\\n\\n' + ${quoted(formatHead)} }}{{ format | tojson }}{%- endif -%}
{%- endmacro -%}
{%- macro result(message) -%}<tool_result>{{ text(message.content) }}</tool_result>{%- endmacro -%}
{%- if thinking is not defined and enable_thinking is not defined -%}
  {%- set thinks = reasoning_effort is defined and reasoning_effort and reasoning_effort != 'none' -%}
{%- else -%}
  {%- set thinks = (thinking is defined and thinking) or (enable_thinking is defined and enable_thinking) -%}
{%- endif -%}
{%- set ns = namespace(keeps=tools is defined and tools, last=-1, calls=[]) -%}
{%- for message in messages -%}
  {%- if message.tools -%}{%- set ns.keeps = true -%}{%- endif -%}
  {%- if message.role in ['user', 'developer', 'tool'] -%}{%- set ns.last = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{{- bos_token -}}
{%- if thinks and reasoning_effort is defined and reasoning_effort in ['max', 'xhigh'] -%}{{ ${quoted(effort)} }}{%- endif -%}
{%- if tools is defined and tools and (messages | length == 0 or messages[0].role != 'system') -%}{{ additions(tools) }}{%- endif -%}
{%- for message in messages -%}
  {%- set before = messages[loop.index0 - 1].role if loop.index0 > 0 else '' -%}
  {%- set after = messages[loop.index0 + 1].role if loop.index0 + 1 < messages | length else '' -%}
  {%- if message.role == 'system' -%}
    {{- text(message.content) -}}{{- additions(message.tools or (tools if tools is defined and loop.index0 == 0 else none), message.response_format) -}}
  {%- elif message.role == 'latest_reminder' -%}
    {{- '<｜latest_reminder｜>' + text(message.content) -}}
  {%- elif message.role == 'developer' -%}
    {{- '<｜User｜>' + text(message.content) -}}{{- additions(message.tools, message.response_format) -}}
  {%- elif message.role == 'user' -%}
    {{- ('\\n\\n' if before == 'tool' else '<｜User｜>') + text(message.content) -}}
  {%- elif message.role == 'tool' and before != 'tool' -%}
    {#- All results of the turn, at its first one. #}
    {%- set run = namespace(goes=true, results=[], done=[]) -%}
    {%- for other in messages[loop.index0:] -%}
      {%- if other.role != 'tool' -%}{%- set run.goes = false -%}{%- endif -%}
      {%- if run.goes -%}{%- set run.results = run.results + [other] -%}{%- endif -%}
    {%- endfor -%}
    {%- for call in ns.calls -%}{%- for other in run.results -%}
      {%- if call.id and other.tool_call_id == call.id -%}{%- set run.done = run.done + [result(other)] -%}{%- endif -%}
    {%- endfor -%}{%- endfor -%}
    {%- if run.done | length != run.results | length -%}
      {%- set run.done = [] -%}
      {%- for other in run.results -%}{%- set run.done = run.done + [result(other)] -%}{%- endfor -%}
    {%- endif -%}
    {{- '<｜User｜>' + run.done | join('\\n\\n') -}}
  {%- elif message.role == 'assistant' -%}
    {%- if thinks and (ns.keeps or loop.index0 > ns.last) -%}{{- (message.reasoning_content or '') + '</think>' -}}{%- endif -%}
    {{- text(message.content) -}}
    {%- set ns.calls = message.tool_calls or [] -%}
    {%- if message.tool_calls -%}
      {{- '\\n\\n<｜DSML｜tool_calls>\\n' -}}
      {%- for call in message.tool_calls -%}
        {{- '<｜DSML｜invoke name="' + call.function.name + '">\\n' -}}
        {%- for name, value in call.function.arguments | items -%}
          {{- '<｜DSML｜parameter name="' + name + '" string="' + ('true' if value is string else 'false') + '">' -}}
          {{- value if value is string else value | tojson -}}{{- '</｜DSML｜parameter>\\n' -}}
        {%- endfor -%}
        {{- '</｜DSML｜invoke>\\n' -}}
      {%- endfor -%}
      {{- '</｜DSML｜tool_calls>' -}}
    {%- endif -%}
    {{- eos_token -}}
  {%- endif -%}
  {%- if message.role in ['user', 'developer', 'tool'] and after in ['assistant', 'latest_reminder', ''] and (after != '' or add_generation_prompt is not defined or add_generation_prompt) -%}
    {{- '<｜Assistant｜>' + ('<think>' if thinks and (ns.keeps or loop.index0 == ns.last) else '</think>') -}}
  {%- endif -%}
{%- endfor -%}
`;
