/**
 * Owns the arguments of calls that are written one by one between tags: texts as they are, all else as JSON, in the order of the schema.
 * Refuses, by keyword, schemas that say more of an object than which properties it has; others than those are not written.
 */
import { InwardError } from '../../errors.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** How one argument is written: what stands before, between and behind. */
export interface MemberSyntax {
  readonly before: string;
  readonly between: string;
  readonly behind: string;
  /** Ends a value, so that none may have it. */
  readonly end: string;
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

const quote = (text: string): string => JSON.stringify(text);
const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Symbols of the arguments. Throws grammar_unenforceable. */
export function writeMembers(schema: JsonObject, { before, between, behind, end }: MemberSyntax): string {
  for (const keyword of Object.keys(schema))
    if (!known.has(keyword)) throw refuse(named.has(keyword) ? keyword : 'beside properties, required and additionalProperties');
  const { properties = {}, required = [], $defs, definitions } = schema;
  // Never one by one by their names: the place in V8's code that does so remembers the last one, which is a client's.
  const members = Object.entries(isObject(properties) ? properties : {});
  const names = members.map(([name]) => name);
  if (!Array.isArray(required) || required.some((name) => !names.includes(name))) throw refuse('required (of a property that is not described)');
  if (names.some((name) => !/^[^\s<>]+$/.test(name))) throw refuse('properties (a name with white space, < or >)');
  return members
    .map(([name, own]) => {
      const value = isObject(own) ? { ...own, ...($defs !== undefined && { $defs }), ...(definitions !== undefined && { definitions }) } : own;
      const member = `${quote(before + name + between)} ${writeValue(value, end)} ${quote(behind)}`;
      return required.includes(name) ? member : `(${member})?`;
    })
    .join(' ');
}

function writeValue(schema: unknown, end: string): string {
  if (!isObject(schema)) return `%json ${schema === false ? '{"enum":[]}' : '{}'}`;
  if (schema['type'] === 'string') return `%text ${JSON.stringify(schema)} %without ${quote(end)}`;
  // Templates write them as Python does, so that models do.
  const isAnyBoolean = schema['type'] === 'boolean' && Object.keys(schema).every((keyword) => annotations.includes(keyword));
  return isAnyBoolean ? '("true" | "false" | "True" | "False")' : `%json ${JSON.stringify(schema)}`;
}

/** Arguments of any name, with any text. */
export function writeAnyMembers({ before, between, behind, end }: MemberSyntax): string {
  return `(${quote(before)} [^<> \\n\\t\\r]+ ${quote(between)} %without ${quote(end)} ${quote(behind)})*`;
}

/** `keyword`: of the standard or of ours; names of properties and other keys are the client's, so they are not said. */
function refuse(keyword: string): InwardError {
  return new InwardError('grammar_unenforceable', { keyword, path: '#' });
}
