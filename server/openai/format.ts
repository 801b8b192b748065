/**
 * Owns what a request may say of an answer's form, in the words of each API, and the grammar of that form. A schema is held to, whether the request says
 * strict or not. Refuses schemas beyond the limit of grammars.
 */
import { z } from 'zod';
import { grammarLimit } from '../../runtime/index.ts';
import { ApiError } from './errors.ts';
import type { Format } from './fields.ts';
import { type JsonSchema, jsonSchema } from './tools.ts';
import { text } from './validate.ts';

const free = z.strictObject({ type: z.literal('text') });
const anyObject = z.strictObject({ type: z.literal('json_object') });
const named = { name: text, description: text.nullish(), schema: jsonSchema, strict: z.boolean().nullish() };

/** Of chat completions. */
export const responseFormat: z.ZodType<{ readonly type: string; readonly json_schema?: { readonly schema: JsonSchema } }> = z.discriminatedUnion('type', [
  free,
  anyObject,
  z.strictObject({ type: z.literal('json_schema'), json_schema: z.strictObject(named) }),
]);

/** Of responses. */
export const textFormat: z.ZodType<{ readonly type: string; readonly schema?: JsonSchema }> = z.discriminatedUnion('type', [
  free,
  anyObject,
  z.strictObject({ type: z.literal('json_schema'), ...named }),
]);

/** Of messages. */
export const outputFormat: z.ZodType<{ readonly type: string; readonly schema: JsonSchema }> = z.strictObject({
  type: z.literal('json_schema'),
  schema: jsonSchema,
});

/** Throws ApiError. */
export function toGrammar(format: { readonly type: string } | null | undefined, schema: JsonSchema | undefined, field: string): Format | undefined {
  if (!format || format.type === 'text') return undefined;
  // Not `Buffer.from`: small texts would lie in a pool of Node's that nobody wipes.
  const source = new TextEncoder().encode(JSON.stringify(schema ?? { type: 'object' }));
  if (source.length <= grammarLimit) return { kind: 'schema', source, field };
  source.fill(0);
  throw new ApiError('invalid_value', { path: field, rule: `must have a schema of at most ${grammarLimit} bytes` });
}
