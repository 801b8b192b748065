/**
 * Owns the arguments of calls as Gemma 4 writes them: `{code:<|"|>text<|"|>,list:[1,true],more:{key:null}}`, texts as they are between marks, keys without
 * any and in the order of its template, the alphabet's.
 * Refuses, by keyword, what a schema says of objects and lists beyond their members and their number of items; of an object no others are written than it describes.
 */
import { isObject, type JsonObject, type Kind, refuse, ToolSchema } from './held-schema.ts';
import { join, quote, type WriteMark } from './symbols.ts';

const textMark = '<|"|>';
/** What joins schemas, of which an object or list may have one. */
const joining = ['$ref', 'anyOf', 'oneOf', 'allOf'] as const;
const refused = {
  both: 'enum const not if then else $dynamicRef'.split(' '),
  object: 'minProperties maxProperties patternProperties propertyNames dependentRequired dependentSchemas dependencies unevaluatedProperties'.split(' '),
  array: 'prefixItems contains minContains maxContains uniqueItems additionalItems unevaluatedItems'.split(' '),
};
const ofMembers = ['properties', 'required', 'additionalProperties', 'items', 'minItems', 'maxItems', ...refused.object, ...refused.array];

/** Symbols of the arguments; what they need is added to the rules. Without a schema they are any object. Throws grammar_unenforceable. */
export function writeBraces(schema: JsonObject | undefined, mark: WriteMark, rules: string[]): string {
  return new Braces({ ...schema, type: 'object' }, mark, rules).arguments();
}

class Braces {
  readonly #schema: ToolSchema;
  readonly #mark: WriteMark;
  readonly #rules: string[];
  /** By reference, and '' for any value, the rule of it. */
  readonly #known = new Map<string, string>();

  constructor(schema: JsonObject, mark: WriteMark, rules: string[]) {
    [this.#schema, this.#mark, this.#rules] = [new ToolSchema(schema), mark, rules];
  }

  arguments(): string {
    return this.#choose(this.#structures(this.#schema.root, ['object']));
  }

  #value(schema: unknown): string {
    const isAny = schema === undefined || schema === true || (isObject(schema) && Object.keys(schema).length === 0);
    if (isAny) return this.#once('', () => this.#choose(this.#ways({})));
    return this.#choose(this.#ways(isObject(schema) ? schema : { enum: [] }));
  }

  #ways(schema: JsonObject): string[] {
    const can = (...kinds: Kind[]): boolean => kinds.some((kind) => this.#schema.canBe(schema, kind));
    const mark = this.#mark(textMark);
    return [
      ...(can('number', 'boolean', 'null') ? [`%bare ${this.#schema.write(schema)}`] : []),
      ...(can('string') ? [join(mark, `%text ${this.#schema.write(schema)} %without ${quote(textMark)}`, mark)] : []),
      ...this.#structures(schema, ['object', 'array']),
    ];
  }

  /** Objects and lists of these kinds that meet the schema. */
  #structures(schema: unknown, kinds: readonly Kind[]): string[] {
    const left = kinds.filter((kind) => this.#schema.canBe(schema, kind));
    if (left.length === 0) return [];
    if (!isObject(schema)) return this.#structures({}, left);
    demandNone(schema, refused.both);
    const joined = joining.filter((keyword) => schema[keyword] !== undefined);
    const [keyword] = joined;
    if (keyword === undefined) return left.map((kind) => (kind === 'object' ? this.#object(schema) : this.#list(schema)));
    if (joined.length > 1 || ofMembers.some((other) => schema[other] !== undefined)) throw refuse(`${keyword} (beside what says more of the same value)`);
    return keyword === '$ref' ? [this.#reference(String(schema[keyword]), left)] : this.#branches(keyword, schema[keyword], left);
  }

  #branches(keyword: string, list: unknown, kinds: readonly Kind[]): string[] {
    if (!Array.isArray(list) || (keyword === 'allOf' && list.length !== 1)) throw refuse(keyword);
    const isShared = kinds.some((kind) => list.filter((branch) => this.#schema.canBe(branch, kind)).length > 1);
    if (keyword === 'oneOf' && isShared) throw refuse('oneOf (of several objects or lists)');
    return list.flatMap((branch) => this.#structures(branch, kinds));
  }

  #reference(reference: string, kinds: readonly Kind[]): string {
    return this.#once(`${kinds.join()}${reference}`, () => this.#choose(this.#structures(this.#schema.follow(reference), kinds)));
  }

  #object(schema: JsonObject): string {
    demandNone(schema, refused.object);
    const { properties, required = [], additionalProperties } = schema;
    const described = new Map(Object.entries(isObject(properties) ? properties : {}));
    if (!Array.isArray(required) || required.some((name) => !described.has(name))) throw refuse('required (of a property that is not described)');
    if (properties === undefined && additionalProperties !== false) {
      const member = this.#add(join('[^ \\n\\t\\r{}[\\],:"<>]+', '":"', this.#value(additionalProperties)));
      return join('"{"', `(${member} ("," ${member})*)?`, '"}"');
    }
    if ([...described.keys()].some((name) => !/^[^\s{}[\],:"<>]+$/.test(name))) throw refuse('properties (a name with white space or one of {}[],:"<>)');
    // From the last to the first: what may follow where a member stands before it, and where none does.
    let [behind, before] = ['', ''];
    for (const [name, own] of [...described].sort(([a], [b]) => compareKeys(b, a))) {
      const member = this.#add(join(quote(`${name}:`), this.#value(own)));
      const isRequired = required.includes(name);
      before = this.#add(join(member, behind) + (isRequired ? '' : ` | ${before || '""'}`));
      behind = this.#add(join(isRequired ? `"," ${member}` : `("," ${member})?`, behind));
    }
    return join('"{"', before, '"}"');
  }

  #list(schema: JsonObject): string {
    demandNone(schema, refused.array);
    const { items, minItems = 0, maxItems } = schema;
    if (Array.isArray(items)) throw refuse('items (a list)');
    if (![minItems, maxItems ?? 0].every((count) => Number.isInteger(count) && Number(count) >= 0)) throw refuse('minItems or maxItems (no whole number)');
    if (maxItems === 0) return '"[" "]"';
    const item = this.#add(this.#value(items));
    const more = `("," ${item}){${Math.max(Number(minItems) - 1, 0)},${maxItems === undefined ? '' : Number(maxItems) - 1}}`;
    return join('"["', minItems === 0 ? `(${item} ${more})?` : `${item} ${more}`, '"]"');
  }

  /** Nothing meets what has no way. */
  #choose(ways: readonly string[]): string {
    return ways.length === 0 ? '%bare {"enum":[]}' : `(${ways.join(' | ')})`;
  }

  #add(symbols: string): string {
    return `braces-${this.#rules.push(`braces-${this.#rules.length} ::= ${symbols}`) - 1}`;
  }

  /** A rule that may lead back to itself. */
  #once(key: string, write: () => string): string {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const place = this.#rules.push('') - 1;
    const name = `braces-${place}`;
    this.#known.set(key, name);
    this.#rules[place] = `${name} ::= ${write()}`;
    return name;
  }
}

function demandNone(schema: JsonObject, keywords: readonly string[]): void {
  for (const keyword of keywords) if (schema[keyword] !== undefined && schema[keyword] !== false) throw refuse(keyword);
}

/** As Jinja's `dictsort`, which takes letters of either case for the same. */
function compareKeys(a: string, b: string): number {
  const [first, second] = [a.toLowerCase(), b.toLowerCase()];
  return first < second ? -1 : first > second ? 1 : 0;
}
