/**
 * Owns the choice of a model's answer format, from what its template says and which tokens it has; never from its name.
 */
import type { AnswerFormat, CallFormat } from './types.ts';

/** `templates`: all of them; `hasToken`: whether the vocabulary has a control or added token of this name. */
export function detectFormat(templates: readonly string[], hasToken: (name: string) => boolean): AnswerFormat {
  const writes = (...texts: string[]): boolean => texts.every((text) => templates.some((template) => template.includes(text)));
  const has = (mark: string): boolean => writes(mark) || hasToken(mark);
  const found = detectCalls(writes, has);
  const isOlder = (found === 'bracket-tags' && !has('[ARGS]')) || (found === 'section-tags' && writes('```json'));
  const calls = { calls: found, ...(isOlder && { isOlder }) };
  if (found === 'harmony') return calls;
  const marks = [
    ['<|channel>thought\n', '<channel|>', '<|channel>'],
    ['[THINK]', '[/THINK]', '[THINK]'],
    ['<think>', '</think>', '</think>'],
  ] as const;
  const thought = marks.find(([, , sign]) => has(sign));
  return thought === undefined ? calls : { reasoning: { start: thought[0], end: thought[1] }, ...calls };
}

function detectCalls(writes: (...texts: string[]) => boolean, has: (mark: string) => boolean): CallFormat {
  if (has('<|channel|>') && has('<|message|>') && has('<|start|>')) return 'harmony';
  if (has('<|tool_call>') && has('<tool_call|>')) return 'brace-calls';
  if (has('<｜tool▁calls▁begin｜>')) return 'section-tags';
  if (writes('<｜DSML｜tool_calls>')) return 'invoke-tags';
  if (has('[TOOL_CALLS]')) return 'bracket-tags';
  if (writes('<tool_call>', '<arg_key>')) return 'argument-tags';
  if (writes('<tool_call>', '<function=', '<parameter=')) return 'parameter-tags';
  if (has('<|tool_call|>')) return 'json-list';
  // Others that are not read: lists of calls within <tool_calls>, and functionary's <function=name>.
  if (writes('<tool_calls>') || writes('<function=')) return 'none';
  if (has('<tool_call>')) return 'json-tags';
  return has('<|python_tag|>') || writes('{"name": function name, "parameters"') ? 'bare-json' : 'none';
}
