/**
 * Owns the rendering of chat templates. A template is model data: it may fail or never end, so this runs in
 * the text process only. Refuses to pass on what a template says: every failure is template_failed.
 */
import { type Node, parse, tokenize } from '@huggingface/jinja';
import { isObject, type Json, type JsonObject } from '../checkpoint/json.ts';
import { InwardError } from '../errors.ts';
import { ChatInterpreter, createGlobals } from './jinja/interpreter.ts';
import { write } from './jinja/values.ts';

/** What a template is given beside the model's own tokens, by its names: messages, tools, add_generation_prompt ... */
export type TemplateVariables = Readonly<Record<string, Json>>;

export interface ChatTemplate {
  render(variables: TemplateVariables): string;
}

/** `tokens`: the strings bos_token and eos_token as templates know them. */
export function createTemplate(source: string, tokens: Readonly<Record<string, string>>): ChatTemplate {
  let parsed: Node | undefined;
  return {
    render(variables) {
      try {
        parsed ??= parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
        return write(new ChatInterpreter(createGlobals({ ...tokens, ...variables })).run(parsed));
      } catch {
        throw new InwardError('template_failed');
      }
    },
  };
}

/**
 * Variables in which no text spells a control token: a marker, a character that occurs neither in them nor in
 * `source`, splits every spelling. Taken out again after the control tokens of the rendered text were found, it
 * leaves the user's text as text.
 */
export function markVariables(
  variables: TemplateVariables,
  source: string,
  pattern: RegExp,
): { readonly variables: TemplateVariables; readonly marker: string } {
  const used = new Set(source);
  changeTexts(variables, (text) => {
    for (const character of text) used.add(character);
    return text;
  });
  const marker = findUnused(used);
  const mark = (text: string): string => text.replace(pattern, (found) => found.replace(/./su, `$&${marker}`));
  return { marker, variables: changeTexts(variables, mark) as TemplateVariables };
}

/** The same with the arguments of calls as JSON text; undefined where no call has an object. */
export function writeArguments(variables: TemplateVariables): TemplateVariables | undefined {
  let hasChanged = false;
  const messages = listOf(variables['messages']).map((message) => {
    const calls = listOf(fieldsOf(message)['tool_calls']).map((call) => {
      const { arguments: value, ...rest } = fieldsOf(fieldsOf(call)['function']);
      if (typeof value !== 'object' || value === null) return call;
      hasChanged = true;
      return { ...fieldsOf(call), function: { ...rest, arguments: JSON.stringify(value) } };
    });
    return calls.length === 0 ? message : { ...fieldsOf(message), tool_calls: calls };
  });
  return hasChanged ? { ...variables, messages } : undefined;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function fieldsOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

/** Every text of a value, keys of objects included. */
function changeTexts(value: Json, change: (text: string) => string): Json {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item: Json) => changeTexts(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), changeTexts(item, change)]));
}

/** A character of the private use area that is not among these. */
function findUnused(used: ReadonlySet<string>): string {
  for (let code = 0xe000; code < 0xf8ff; code++) {
    const character = String.fromCharCode(code);
    if (!used.has(character)) return character;
  }
  throw new InwardError('template_failed');
}
