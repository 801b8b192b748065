/**
 * Owns the second look at an answer: whether a text of JSON meets a schema, keyword by keyword as the standard says it, without the automaton that held the answer
 * to it. Patterns and formats are the automaton's own expressions, because the engine of JavaScript could look for a match without end; what a reference means is
 * read by the same table. Makes no code of a schema.
 */
import { compileSearch, compileWhole } from '../expression/compile.ts';
import { Budget } from '../refusal.ts';
import { base64, findFormat } from '../schema/formats.ts';
import { isObject, type JsonObject, own, type Source, Sources } from '../schema/source.ts';
import { matches } from '../terms/derive.ts';
import type { Term } from '../terms/term.ts';
import { Terms } from '../terms/terms.ts';
import { Decimal } from './decimal.ts';

/** A value whose numbers are as they were written. */
type Value = null | boolean | string | Decimal | readonly Value[] | ReadonlyMap<string, Value>;

/** Whether the text is JSON that meets the schema. What nests deeper than the engine of JavaScript takes is not looked at. Throws what compiling throws. */
export function isAnswer(schema: unknown, text: string): boolean {
  try {
    return new Judge(schema).meets(read(text));
  } catch (error) {
    if (error instanceof RangeError) return true;
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function read(text: string): Value {
  const revive = (_: string, value: unknown, { source }: { readonly source: string }): unknown => {
    if (typeof value === 'number') return new Decimal(source);
    return isObject(value) && !(value instanceof Decimal) && !(value instanceof Map) ? new Map(Object.entries(value)) : value;
  };
  return JSON.parse(text, revive as never) as Value;
}

class Judge {
  readonly #terms: Terms;
  readonly #sources: Sources;
  readonly #expressions = new Map<string, Term>();

  constructor(schema: unknown) {
    this.#terms = new Terms(new Budget());
    this.#sources = new Sources(schema, this.#terms.budget, new Map(), 2020);
  }

  meets(value: Value): boolean {
    return this.#meets(this.#sources.top, value);
  }

  #meets(source: Source, value: Value): boolean {
    const { schema, draft } = source;
    if (typeof schema === 'boolean') return schema;
    const reference = own(schema, '$ref');
    if (reference !== undefined && draft === 4) return this.#meets(this.#sources.resolve(source, reference), value);
    return (
      isOfType(schema, value) &&
      isListed(schema, value) &&
      this.#meetsJoined(source, schema, value) &&
      (!(value instanceof Decimal) || isInRange(schema, value)) &&
      (typeof value !== 'string' || this.#meetsText(schema, source, value)) &&
      (!Array.isArray(value) || this.#meetsList(source, schema, value)) &&
      (!(value instanceof Map) || this.#meetsObject(source, schema, value))
    );
  }

  #child(source: Source, schema: unknown): Source {
    return this.#sources.child(source, schema, 'a part');
  }

  #meetsJoined(source: Source, schema: JsonObject, value: Value): boolean {
    const is = (inner: unknown): boolean => this.#meets(this.#child(source, inner), value);
    const [reference, dynamic] = [own(schema, '$ref'), own(schema, '$dynamicRef')];
    const list = (key: string): readonly unknown[] | undefined => own(schema, key) as readonly unknown[] | undefined;
    const branch = Object.hasOwn(schema, 'if') ? (is(schema['if']) ? 'then' : 'else') : undefined;
    return (
      (reference === undefined || this.#meets(this.#sources.resolve(source, reference), value)) &&
      (dynamic === undefined || this.#meets(this.#sources.resolveDynamic(source, dynamic), value)) &&
      (list('allOf') ?? []).every(is) &&
      (list('anyOf')?.some(is) ?? true) &&
      (list('oneOf') === undefined || list('oneOf')!.filter(is).length === 1) &&
      !(Object.hasOwn(schema, 'not') && is(schema['not'])) &&
      (branch === undefined || !Object.hasOwn(schema, branch) || is(schema[branch]))
    );
  }

  #meetsText(schema: JsonObject, { draft }: Source, text: string): boolean {
    const format = own(schema, 'format');
    const expression = typeof format === 'string' ? findFormat(format) : undefined;
    const pattern = own(schema, 'pattern');
    const length = Array.from(text).length;
    return (
      isBetween(length, own(schema, 'minLength'), own(schema, 'maxLength')) &&
      (pattern === undefined || this.#finds(String(pattern), text)) &&
      (expression === undefined || this.#matches(expression, text, compileWhole)) &&
      (draft !== 4 || own(schema, 'contentEncoding') === undefined || this.#matches(base64, text, compileWhole))
    );
  }

  #finds(pattern: string, text: string): boolean {
    return this.#matches(pattern, text, compileSearch);
  }

  #matches(expression: string, text: string, compile: typeof compileSearch): boolean {
    const key = `${compile === compileSearch}${expression}`;
    const term = this.#expressions.get(key) ?? compile(this.#terms, expression, '#');
    this.#expressions.set(key, term);
    // Each text is a step of its own.
    this.#terms.budget.renew();
    return matches(this.#terms, term, text);
  }

  #meetsList(source: Source, schema: JsonObject, list: readonly Value[]): boolean {
    const items = own(schema, 'items');
    const prefix = (Array.isArray(items) ? items : (own(schema, 'prefixItems') ?? [])) as readonly unknown[];
    const rest = (Array.isArray(items) ? own(schema, 'additionalItems') : items) ?? (source.draft === 4 ? undefined : own(schema, 'unevaluatedItems'));
    const contained = Object.hasOwn(schema, 'contains') ? list.filter((item) => this.#meets(this.#child(source, schema['contains']), item)).length : undefined;
    return (
      isBetween(list.length, own(schema, 'minItems'), own(schema, 'maxItems')) &&
      list.every((item, i) => {
        const inner = i < prefix.length ? prefix[i] : rest;
        return inner === undefined || this.#meets(this.#child(source, inner), item);
      }) &&
      (contained === undefined || isBetween(contained, own(schema, 'minContains') ?? 1, own(schema, 'maxContains'))) &&
      (own(schema, 'uniqueItems') !== true || new Set(list.map(toKey)).size === list.length)
    );
  }

  #meetsObject(source: Source, schema: JsonObject, object: ReadonlyMap<string, Value>): boolean {
    const map = (key: string): (readonly [string, unknown])[] => Object.entries((own(schema, key) ?? {}) as JsonObject);
    const [properties, patterns] = [new Map(map('properties')), map('patternProperties')];
    const others = own(schema, 'additionalProperties') ?? (source.draft === 4 ? undefined : own(schema, 'unevaluatedProperties'));
    const is = (inner: unknown, value: Value): boolean => this.#meets(this.#child(source, inner), value);
    const hasAll = (names: unknown): boolean => (names as readonly string[]).every((name) => object.has(name));
    const names = own(schema, 'propertyNames');
    return (
      isBetween(object.size, own(schema, 'minProperties'), own(schema, 'maxProperties')) &&
      hasAll(own(schema, 'required') ?? []) &&
      Array.from(object).every(([name, value]) => {
        const found = [...(properties.has(name) ? [properties.get(name)] : []), ...patterns.filter(([pattern]) => this.#finds(pattern, name)).map(([, inner]) => inner)];
        const inner = found.length === 0 && others !== undefined ? [others] : found;
        return (names === undefined || is(names, name)) && inner.every((each) => is(each, value));
      }) &&
      ['dependentRequired', 'dependentSchemas', 'dependencies']
        .flatMap(map)
        .every(([name, inner]) => !object.has(name) || (Array.isArray(inner) ? hasAll(inner) : is(inner, object)))
    ); // biome-ignore format: one thing a line
  }
}

function isOfType(schema: JsonObject, value: Value): boolean {
  const type = own(schema, 'type');
  if (type === undefined) return true;
  const kind = value instanceof Decimal ? 'number' : value instanceof Map ? 'object' : value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  return [type].flat().some((name) => name === kind || (name === 'integer' && value instanceof Decimal && value.isWhole));
}

function isListed(schema: JsonObject, value: Value): boolean {
  const lists = [own(schema, 'enum'), ...(Object.hasOwn(schema, 'const') ? [[schema['const']]] : [])].filter((list) => list !== undefined);
  return lists.every((list) => (list as readonly unknown[]).some((one) => toKey(one) === toKey(value)));
}

function isInRange(schema: JsonObject, value: Decimal): boolean {
  const read = (key: string): Decimal | undefined => (typeof own(schema, key) === 'number' ? Decimal.of(own(schema, key) as number) : undefined);
  const [least, most, above, below, divisor] = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'].map(read);
  // In draft 4 the exclusive ones are booleans.
  const [isAbove, isBelow] = [own(schema, 'exclusiveMinimum') === true, own(schema, 'exclusiveMaximum') === true];
  return (
    (least === undefined || value.compare(least) >= Number(isAbove)) &&
    (most === undefined || value.compare(most) <= -Number(isBelow)) &&
    (above === undefined || value.compare(above) > 0) &&
    (below === undefined || value.compare(below) < 0) &&
    (divisor === undefined || value.isMultipleOf(divisor))
  );
}

const isBetween = (count: number, least: unknown, most: unknown): boolean => count >= Number(least ?? 0) && count <= Number(most ?? Number.POSITIVE_INFINITY);

/** The same for values that are the same, of an answer or of a schema. */
function toKey(value: unknown): string {
  if (typeof value === 'number') return Decimal.of(value).key;
  if (value instanceof Decimal) return value.key;
  if (Array.isArray(value)) return `[${value.map(toKey).join()}]`;
  const members = value instanceof Map ? [...value] : isObject(value) ? Object.entries(value) : undefined;
  return members === undefined ? JSON.stringify(value) : `{${members.map(([name, inner]) => `${JSON.stringify(name)}:${toKey(inner)}`).sort().join()}}`; // biome-ignore format: one line
}
