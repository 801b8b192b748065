/**
 * Owns the tools of a chat: their schema, and what a request may say about calling them. What it demands becomes a grammar once the prompt is known (plan.ts).
 */
import { z } from 'zod';
import type { AnswerDemand, ChatOptions } from '../../runtime/text/index.ts';
import { ApiError } from './errors.ts';
import type { Parsing } from './fields.ts';
import { document, listOf, text } from './validate.ts';

export type Tools = NonNullable<ChatOptions['tools']>;

/** Tools of one request; prompts with more than a few dozen are slow anyway. */
export const toolLimit = 128;

const namePattern = /^[A-Za-z0-9_.-]{1,128}$/;
export const toolName: z.ZodType<string> = document(
  z.string().refine((name) => namePattern.test(name), 'must be 1 to 128 letters, digits, _, - or .'),
  { json: { pattern: namePattern.source } },
);

/** A JSON schema as it came: templates show it to the model, nothing here reads it but the types of arguments. */
export type JsonSchema = Readonly<Record<string, unknown>>;
/**
 * Any object. Not zod's `record`: it reads the names of fields one by one, and the place in V8's code that does so remembers the last name, which is
 * a client's.
 */
export const jsonSchema: z.ZodType<JsonSchema> = document(
  z.custom<JsonSchema>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be an object'),
  { json: { type: 'object' } },
);

/** Whether arguments keep to their schema. */
export const strictTool: z.ZodType<boolean | null | undefined> = z.boolean().nullish();

/** `none`: the model is not told of the tools, so that it cannot call one. */
export type ToolChoice = 'none' | NonNullable<AnswerDemand['choice']>;
const words: z.ZodType<'none' | 'auto' | 'required'> = z.enum(['none', 'auto', 'required']);
/** Chat completions have the name in an object of its own. */
export const chatChoice: z.ZodType<ToolChoice | null | undefined> = z
  .union([
    words,
    z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: toolName }) }).transform(({ function: { name } }) => ({ name })),
  ])
  .nullish();
export const responseChoice: z.ZodType<ToolChoice | null | undefined> = z
  .union([words, z.strictObject({ type: z.literal('function'), name: toolName }).transform(({ name }) => ({ name }))])
  .nullish();

/** OpenAI's form of a function. */
export interface FunctionTool {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string | null | undefined;
    readonly parameters?: JsonSchema | null | undefined;
    readonly strict?: boolean | null | undefined;
  };
}

const tool: z.ZodType<FunctionTool> = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({ name: toolName, description: text.nullish(), parameters: jsonSchema.nullish(), strict: strictTool }),
});
export const openaiTools: z.ZodType<readonly FunctionTool[] | null | undefined> = listOf(tool, toolLimit, 0).nullish();

/** As templates get them. */
export function toTemplateTool({ name, description, parameters }: FunctionTool['function']): Tools[number] {
  // Templates read all three.
  return { type: 'function', function: { name, description: description ?? '', parameters: parameters ?? { type: 'object', properties: {} } } };
}

/** A tool, and whether its arguments must keep to its schema. */
export interface GivenTool {
  readonly tool: Tools[number];
  readonly name: string;
  readonly strict?: boolean | null | undefined;
}

/** `path`: of the field that says which are called. Throws ApiError. */
export function readTools(given: readonly GivenTool[], choice: ToolChoice | null | undefined, isParallel: boolean, path: string): Parsing {
  const told = choice === 'none' ? [] : given;
  const isNamed = choice != null && typeof choice === 'object';
  if (choice === 'required' && told.length === 0) throw new ApiError('invalid_value', { path, rule: 'needs "tools" that can be called' });
  if (isNamed && !told.some(({ name }) => name === choice.name)) throw new ApiError('invalid_value', { path, rule: 'must name one of "tools"' });
  return {
    tools: told.map(({ tool }) => tool),
    choice: choice == null || choice === 'none' ? 'auto' : choice,
    strict: told.flatMap(({ name, strict }) => (strict === true ? [name] : [])),
    callLimit: isParallel && !isNamed ? Number.POSITIVE_INFINITY : 1,
  };
}
