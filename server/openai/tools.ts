/**
 * Owns the tools of a chat: their schema, and what a request may say about calling them. Refuses by name what only a grammar could enforce:
 * that a call is made, and that its arguments keep to their schema.
 */
import { z } from 'zod';
import type { ChatOptions } from '../../runtime/text/index.ts';
import type { Parsing } from './fields.ts';
import { document, listOf, text, unsupportedUnless } from './validate.ts';

export type Tools = NonNullable<ChatOptions['tools']>;

/** Tools of one request; prompts with more than a few dozen are slow anyway. */
export const toolLimit = 128;

const namePattern = '^[A-Za-z0-9_.-]{1,128}$';
export const toolName: z.ZodType<string> = document(
  z.string().refine((name) => new RegExp(namePattern).test(name), 'must be 1 to 128 letters, digits, _, - or .'),
  { json: { pattern: namePattern } },
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

export const strictTool: z.ZodType<unknown> = unsupportedUnless(
  (value) => value === false,
  'use false, because no grammar makes arguments keep to their schema yet',
  { enum: [null, false] },
);

/** Names of tool_choice that need no grammar. */
export const toolChoice: z.ZodType<unknown> = unsupportedUnless(
  (value) => value === 'none' || value === 'auto',
  'use none or auto, because no grammar makes a model call a tool yet',
);

/** OpenAI's form of a function. */
export interface FunctionTool {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string | null | undefined;
    readonly parameters?: JsonSchema | null | undefined;
    readonly strict?: unknown;
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

/** `none`: the model is not told of the tools, so that it cannot call one. */
export function readTools(tools: Tools, choice: unknown, isParallel: boolean): Parsing {
  return { tools: choice === 'none' ? [] : tools, callLimit: isParallel ? Number.POSITIVE_INFINITY : 1 };
}
