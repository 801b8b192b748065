/**
 * Owns the arguments of calls that are written one by one between tags: texts as they are, all else as JSON, in the order of the schema.
 * Refuses, by keyword, schemas that say more of an object than which properties it has; others than those are not written.
 */
import { isObject, type JsonObject, type Kind, refuse, ToolSchema } from './held-schema.ts';
import { quote } from './symbols.ts';

export interface MemberSyntax {
  /** Symbols of one argument; its name and value are symbols. */
  readonly write: (name: string, value: string, isText: boolean) => string;
  /** Ends a text, so that none may have it. */
  readonly end: string;
  /** An argument says itself whether it is text; else it is where the schema says nothing but that. */
  readonly isTagged?: boolean;
}

const annotations = ['title', 'description', 'default', 'examples', '$comment', '$defs', 'definitions', 'type'];
/** Of a whole; of what is not written nothing has to be said. */
const known = new Set([...annotations, 'properties', 'required', 'additionalProperties', '$schema', '$id']);
/** Those that are refused by their names; any other key is the client's own word. */
const named = new Set(
  'allOf anyOf oneOf not if then else enum const $ref $dynamicRef minProperties maxProperties patternProperties propertyNames dependentRequired dependentSchemas dependencies unevaluatedProperties'.split(
    ' ',
  ),
);
const kinds: readonly Kind[] = ['number', 'boolean', 'null', 'array', 'object'];

/** Symbols of the arguments. Throws grammar_unenforceable. */
export function writeMembers(schema: JsonObject, syntax: MemberSyntax): string {
  for (const keyword of Object.keys(schema))
    if (!known.has(keyword)) throw refuse(named.has(keyword) ? keyword : 'beside properties, required and additionalProperties');
  const { properties = {}, required = [] } = schema;
  const whole = new ToolSchema(schema);
  // Never one by one by their names: the place in V8's code that does so remembers the last one, which is a client's.
  const members = Object.entries(isObject(properties) ? properties : {});
  const names = members.map(([name]) => name);
  if (!Array.isArray(required) || required.some((name) => !names.includes(name))) throw refuse('required (of a property that is not described)');
  if (names.some((name) => !/^[^\s<>"]+$/.test(name))) throw refuse('properties (a name with white space, a quotation mark, < or >)');
  return members
    .map(([name, own]) => {
      const member = writeMember(whole, quote(name), own, syntax);
      return required.includes(name) ? member : `(${member})?`;
    })
    .join(' ');
}

function writeMember(whole: ToolSchema, name: string, own: unknown, { write, end, isTagged = false }: MemberSyntax): string {
  const schema = isObject(own) ? own : own === false ? { enum: [] } : {};
  const text = (): string => write(name, `%text ${whole.write(schema)} %without ${quote(end)}`, true);
  if (!isTagged) return schema['type'] === 'string' ? text() : write(name, writeValue(whole, schema), false);
  const others = kinds.filter((kind) => whole.canBe(schema, kind));
  const json = (): string => write(name, `%json ${whole.write({ allOf: [schema], type: others })}`, false);
  const ways = [...(whole.canBe(schema, 'string') ? [text()] : []), ...(others.length > 0 ? [json()] : [])];
  return ways.length === 0 ? writeNothing : `(${ways.join(' | ')})`;
}

/** A value that nothing meets. */
const writeNothing = '%json {"enum":[]}';

function writeValue(whole: ToolSchema, schema: JsonObject): string {
  // Templates write them as Python does, so that models do.
  const isAnyBoolean = schema['type'] === 'boolean' && Object.keys(schema).every((keyword) => annotations.includes(keyword));
  return isAnyBoolean ? '("true" | "false" | "True" | "False")' : `%json ${whole.write(schema)}`;
}

/** Arguments of any name, with any text, or any JSON where they say which. */
export function writeAnyMembers({ write, end, isTagged = false }: MemberSyntax): string {
  const name = '[^<>" \\n\\t\\r]+';
  const others = isTagged ? ` | ${write(name, `%json {"type":${JSON.stringify(kinds)}}`, false)}` : '';
  return `(${write(name, `%without ${quote(end)}`, true)}${others})*`;
}
