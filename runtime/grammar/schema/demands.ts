/**
 * Owns what schemas demand of objects and arrays, keyword by keyword: clauses that must all hold, each a list of ways of which one must.
 * A way is a list of demands: on the container itself, or that a further schema is met or not. What a complement would need and no
 * automaton of ours can hold to is refused here, by its keyword.
 */
import { compileSearch } from '../expression/compile.ts';
import { refuse } from '../refusal.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';
import { readCount, readList, readMap, readNames } from './keywords.ts';
import type { Scalars } from './scalars.ts';
import { isObject, type JsonObject, own, type Source, type Sources } from './source.ts';

export type Container = 'object' | 'array';

/** A schema that is to be met, or not. */
export interface Literal {
  readonly source: Source;
  readonly isWanted: boolean;
}

/** What properties, patternProperties and additionalProperties of one schema say. */
export interface Members {
  readonly names: ReadonlyMap<string, Literal>;
  readonly patterns: readonly { readonly keys: Term; readonly value: Literal }[];
  readonly others: Literal | undefined;
}

export type Demand =
  | { readonly kind: 'schema'; readonly literal: Literal }
  | { readonly kind: 'members'; readonly members: Members }
  | { readonly kind: 'required'; readonly name: string }
  | { readonly kind: 'keys'; readonly keys: Term }
  | { readonly kind: 'count'; readonly least: number; readonly most: number }
  | { readonly kind: 'items'; readonly items: readonly Literal[]; readonly rest: Literal | undefined }
  | { readonly kind: 'distinct'; readonly path: string }
  | { readonly kind: 'contains'; readonly literal: Literal; readonly least: number; readonly most: number };

export type Way = readonly Demand[];
/** One way of these. */
export type Clause = readonly Way[];

/** Whether two schemas can both be met; undefined where that is not known. */
export type Overlap = (a: Source, b: Source) => boolean;

const infinite = Number.POSITIVE_INFINITY;

/** What one keyword says: clauses, and the ways of its complement. */
interface Leaf {
  readonly clauses: readonly Clause[];
  readonly oppose: () => readonly Way[];
}

export class Demands {
  readonly #terms: Terms;
  readonly #sources: Sources;
  readonly #scalars: Scalars;
  readonly #overlap: Overlap;
  readonly #clauses = new Map<string, readonly Clause[]>();
  readonly #synthetic = new WeakMap<object, Source>();

  constructor(terms: Terms, sources: Sources, scalars: Scalars, overlap: Overlap) {
    [this.#terms, this.#sources, this.#scalars, this.#overlap] = [terms, sources, scalars, overlap];
  }

  /** What a literal demands of a container. */
  list({ source, isWanted }: Literal, kind: Container): readonly Clause[] {
    const key = `${source.id}${kind}${isWanted}`;
    const known = this.#clauses.get(key);
    if (known !== undefined) return known;
    const clauses = isWanted ? this.#positive(source, kind) : [this.#negative(source, kind)];
    this.#clauses.set(key, clauses);
    return clauses;
  }

  #positive(source: Source, kind: Container): Clause[] {
    const { schema } = source;
    if (schema === true) return [];
    if (schema === false) return [[]];
    const reference = own(schema, '$ref');
    if (reference !== undefined && source.draft === 4) return [[[want(this.#sources.resolve(source, reference))]]];
    if (!allows(schema, kind)) return [[]];
    const leaves = kind === 'object' ? this.#objectLeaves(schema, source) : this.#arrayLeaves(schema, source);
    return [...leaves.flatMap(({ clauses }) => clauses), ...this.#values(schema, source, kind), ...this.#joined(source, schema)];
  }

  #negative(source: Source, kind: Container): Clause {
    const { schema } = source;
    if (schema === true) return [];
    if (schema === false) return [[]];
    const reference = own(schema, '$ref');
    if (reference !== undefined && source.draft === 4) return [[avoid(this.#sources.resolve(source, reference))]];
    if (!allows(schema, kind)) return [[]];
    const leaves = kind === 'object' ? this.#objectLeaves(schema, source) : this.#arrayLeaves(schema, source);
    // A value that is none of several is not the first, and not the second ...
    const values = this.#values(schema, source, kind).map((clause) => clause.flat().map(opposeSchema));
    return [...leaves.flatMap(({ oppose }) => oppose()), ...values, ...this.#opposeJoined(source, schema)];
  }

  /** `enum` and `const`: for each container in it a schema that only it meets. */
  #values(schema: JsonObject, source: Source, kind: Container): Clause[] {
    const listed = [readList(schema, 'enum', source), Object.hasOwn(schema, 'const') ? [schema['const']] : undefined];
    return listed
      .filter((values) => values !== undefined)
      .map((values) => values.filter((value) => kindOf(value) === kind).map((value) => [want(this.#fromValue(value as object, source))]));
  }

  #fromValue(value: object, source: Source): Source {
    const known = this.#synthetic.get(value);
    if (known !== undefined) return known;
    const toSchema = (inner: unknown): JsonObject => ({ const: inner });
    const schema = Array.isArray(value)
      ? { type: 'array', prefixItems: value.map(toSchema), items: false, minItems: value.length }
      : {
          type: 'object',
          properties: Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toSchema(inner)])),
          required: Object.keys(value),
          additionalProperties: false,
        };
    const made = this.#sources.synthesize(schema, source);
    this.#synthetic.set(value, made);
    return made;
  }

  #joined(source: Source, schema: JsonObject): Clause[] {
    const child = (inner: unknown, path: string): Source => this.#sources.child(source, inner, path);
    const list = (key: string): Source[] | undefined => readList(schema, key, source)?.map((inner, i) => child(inner, `${key}/${i}`));
    const clauses: Clause[] = this.#references(source, schema).map((target) => [[want(target)]]);
    for (const inner of list('allOf') ?? []) clauses.push([[want(inner)]]);
    const any = list('anyOf');
    if (any !== undefined) clauses.push(any.map((inner) => [want(inner)]));
    const one = list('oneOf');
    if (one !== undefined) clauses.push(one.map((inner) => [want(inner), ...one.filter((other) => other !== inner && this.#overlap(inner, other)).map(avoid)]));
    if (one !== undefined && new Set(one).size < one.length) throw refuse('oneOf (with the same schema twice)', source.path);
    if (Object.hasOwn(schema, 'not')) clauses.push([[avoid(child(schema['not'], 'not'))]]);
    const condition = this.#condition(source, schema);
    if (condition !== undefined)
      clauses.push([
        [want(condition.test), ...condition.met.map(want)],
        [avoid(condition.test), ...condition.otherwise.map(want)],
      ]);
    return clauses;
  }

  #opposeJoined(source: Source, schema: JsonObject): Way[] {
    const child = (inner: unknown, path: string): Source => this.#sources.child(source, inner, path);
    const list = (key: string): Source[] | undefined => readList(schema, key, source)?.map((inner, i) => child(inner, `${key}/${i}`));
    const ways: Way[] = this.#references(source, schema).map((target) => [avoid(target)]);
    for (const inner of list('allOf') ?? []) ways.push([avoid(inner)]);
    const any = list('anyOf');
    if (any !== undefined) ways.push(any.map(avoid));
    const one = list('oneOf');
    if (one !== undefined) {
      ways.push(one.map(avoid));
      for (const [i, inner] of one.entries()) for (const other of one.slice(i + 1)) if (this.#overlap(inner, other)) ways.push([want(inner), want(other)]);
    }
    if (Object.hasOwn(schema, 'not')) ways.push([want(child(schema['not'], 'not'))]);
    const condition = this.#condition(source, schema);
    if (condition !== undefined) {
      for (const then of condition.met) ways.push([want(condition.test), avoid(then)]);
      for (const otherwise of condition.otherwise) ways.push([avoid(condition.test), avoid(otherwise)]);
    }
    return ways;
  }

  #references(source: Source, schema: JsonObject): Source[] {
    const [plain, dynamic] = [own(schema, '$ref'), own(schema, '$dynamicRef')];
    return [
      ...(plain === undefined ? [] : [this.#sources.resolve(source, plain)]),
      ...(dynamic === undefined ? [] : [this.#sources.resolveDynamic(source, dynamic)]),
    ];
  }

  #condition(source: Source, schema: JsonObject): { readonly test: Source; readonly met: Source[]; readonly otherwise: Source[] } | undefined {
    if (!Object.hasOwn(schema, 'if')) return undefined;
    const read = (key: string): Source[] => (Object.hasOwn(schema, key) ? [this.#sources.child(source, schema[key], key)] : []);
    return { test: this.#sources.child(source, schema['if'], 'if'), met: read('then'), otherwise: read('else') };
  }

  #objectLeaves(schema: JsonObject, source: Source): Leaf[] {
    const leaves: Leaf[] = [];
    const members = this.#members(schema, source);
    if (members !== undefined) leaves.push({ clauses: [[[{ kind: 'members', members }]]], oppose: () => opposeMembers(members, source) });
    for (const name of new Set(readNames(schema, 'required', source) ?? []))
      leaves.push({ clauses: [[[{ kind: 'required', name }]]], oppose: () => [[this.#forbid(name, source)]] });
    leaves.push(...listCounts(readCount(schema, 'minProperties', source), readCount(schema, 'maxProperties', source)));
    if (Object.hasOwn(schema, 'propertyNames')) {
      const keys = this.#scalars.find(this.#sources.child(source, schema['propertyNames'], 'propertyNames'), 'string', true);
      const oppose = (): never => {
        throw refuse(`propertyNames ${complementPlaces}`, source.path);
      };
      leaves.push({ clauses: [[[{ kind: 'keys', keys }]]], oppose });
    }
    return [...leaves, ...this.#dependencies(schema, source)];
  }

  #members(schema: JsonObject, source: Source): Members | undefined {
    const names = Object.entries(readMap(schema, 'properties', source) ?? {});
    const patterns = Object.entries(readMap(schema, 'patternProperties', source) ?? {});
    const key = own(schema, 'additionalProperties') === undefined ? 'unevaluatedProperties' : 'additionalProperties';
    const others = source.draft === 4 ? own(schema, 'additionalProperties') : own(schema, key);
    if (others !== undefined && key === 'unevaluatedProperties') checkAlone(schema, key, source);
    if (names.length + patterns.length === 0 && others === undefined) return undefined;
    const toLiteral = (inner: unknown, path: string): Literal => ({ source: this.#sources.child(source, inner, path), isWanted: true });
    return {
      names: new Map(names.map(([name, inner], i) => [name, toLiteral(inner, `properties/${i}`)])),
      patterns: patterns.map(([pattern, inner], i) => ({
        keys: compileSearch(this.#terms, pattern, `${source.path}/patternProperties/${i}`),
        value: toLiteral(inner, `patternProperties/${i}`),
      })),
      others: others === undefined ? undefined : toLiteral(others, key),
    };
  }

  #forbid(name: string, like: Source): Demand {
    return { kind: 'members', members: { names: new Map([[name, { source: this.#never(like), isWanted: true }]]), patterns: [], others: undefined } };
  }

  #never(like: Source): Source {
    return this.#sources.synthesize(false, like);
  }

  #dependencies(schema: JsonObject, source: Source): Leaf[] {
    return ['dependentRequired', 'dependentSchemas', 'dependencies'].flatMap((key) =>
      Object.entries(readMap(schema, key, source) ?? {}).map(([name, value], i) => {
        const target = Array.isArray(value) ? this.#fromNames(value, source) : this.#sources.child(source, value, `${key}/${i}`);
        const has: Demand = { kind: 'required', name };
        return { clauses: [[[this.#forbid(name, source)], [has, want(target)]]], oppose: () => [[has, avoid(target)]] };
      }),
    );
  }

  #fromNames(names: readonly unknown[], source: Source): Source {
    const known = this.#synthetic.get(names);
    if (known !== undefined) return known;
    const made = this.#sources.synthesize({ required: names }, source);
    this.#synthetic.set(names, made);
    return made;
  }

  #arrayLeaves(schema: JsonObject, source: Source): Leaf[] {
    const leaves: Leaf[] = [];
    const items = this.#items(schema, source);
    if (items !== undefined) leaves.push({ clauses: [[[{ kind: 'items', ...items }]]], oppose: () => opposeItems(items, source) });
    leaves.push(...listCounts(readCount(schema, 'minItems', source), readCount(schema, 'maxItems', source)));
    if (own(schema, 'uniqueItems') === true && !((readCount(schema, 'maxItems', source) ?? infinite) <= 1)) leaves.push(distinct(source));
    if (Object.hasOwn(schema, 'contains')) leaves.push(this.#contains(schema, source));
    return leaves;
  }

  #items(schema: JsonObject, source: Source): { readonly items: readonly Literal[]; readonly rest: Literal | undefined } | undefined {
    const isTuple = Array.isArray(own(schema, 'items'));
    const prefixKey = isTuple ? 'items' : 'prefixItems';
    const prefix = (readList(schema, prefixKey, source) ?? []).map((inner, i) => toWanted(this.#sources.child(source, inner, `${prefixKey}/${i}`)));
    const usual = isTuple ? 'additionalItems' : 'items';
    const key = own(schema, usual) === undefined && source.draft !== 4 ? 'unevaluatedItems' : usual;
    const rest = own(schema, key);
    if (rest !== undefined && key === 'unevaluatedItems') checkAlone(schema, key, source);
    if (prefix.length === 0 && rest === undefined) return undefined;
    return { items: prefix, rest: rest === undefined ? undefined : toWanted(this.#sources.child(source, rest, key)) };
  }

  #contains(schema: JsonObject, source: Source): Leaf {
    const inner = this.#sources.child(source, schema['contains'], 'contains');
    const least = readCount(schema, 'minContains', source) ?? 1;
    const most = readCount(schema, 'maxContains', source) ?? infinite;
    const toDemand = (from: number, to: number): Way => [{ kind: 'contains', literal: toWanted(inner), least: from, most: to }];
    const isTrivial = least === 0 && most === infinite;
    return {
      clauses: isTrivial ? [] : [[toDemand(least, most)]],
      oppose: () => [...(least > 0 ? [toDemand(0, least - 1)] : []), ...(most < infinite ? [toDemand(most + 1, infinite)] : [])],
    };
  }
}

const complementPlaces = '(within not, if or an overlapping oneOf)';

const toWanted = (source: Source): Literal => ({ source, isWanted: true });
const want = (source: Source): Demand => ({ kind: 'schema', literal: { source, isWanted: true } });
const avoid = (source: Source): Demand => ({ kind: 'schema', literal: { source, isWanted: false } });

function opposeSchema(demand: Demand): Demand {
  if (demand.kind !== 'schema') throw new Error('only schemas have complements here');
  return { kind: 'schema', literal: { source: demand.literal.source, isWanted: !demand.literal.isWanted } };
}

function opposeMembers({ names, patterns, others }: Members, { path }: Source): Way[] {
  if (patterns.length > 0) throw refuse(`patternProperties ${complementPlaces}`, path);
  if (others !== undefined && !isTrivial(others.source)) throw refuse(`additionalProperties ${complementPlaces}`, path);
  return Array.from(names, ([name, { source }]) => [
    { kind: 'required', name },
    { kind: 'members', members: { names: new Map([[name, { source, isWanted: false }]]), patterns: [], others: undefined } },
  ]);
}

function opposeItems({ items, rest }: { readonly items: readonly Literal[]; readonly rest: Literal | undefined }, { path }: Source): Way[] {
  const ways = items.map(({ source }, i): Way => {
    const before = items.slice(0, i).map((literal) => ({ ...literal, source: literal.source }));
    return [
      { kind: 'count', least: i + 1, most: infinite },
      { kind: 'items', items: [...before, { source, isWanted: false }], rest: undefined },
    ];
  });
  if (rest === undefined || isTrivial(rest.source)) return ways;
  if (rest.source.schema === false) return [...ways, [{ kind: 'count', least: items.length + 1, most: infinite }]];
  if (items.length > 0) throw refuse(`items behind prefixItems ${complementPlaces}`, path);
  return [[{ kind: 'contains', literal: { source: rest.source, isWanted: false }, least: 1, most: infinite }]];
}

function distinct({ path }: Source): Leaf {
  return {
    clauses: [[[{ kind: 'distinct', path }]]],
    oppose: () => {
      throw refuse(`uniqueItems ${complementPlaces}`, path);
    },
  };
}

/** Whether every value meets the schema, as far as its form shows. */
function isTrivial({ schema }: Source): boolean {
  return schema === true || (typeof schema === 'object' && Object.keys(schema).length === 0);
}

function listCounts(least: number | undefined, most: number | undefined): Leaf[] {
  const toWay = (from: number, to: number): Way => [{ kind: 'count', least: from, most: to }];
  const leaves: Leaf[] = [];
  if (least !== undefined && least > 0) leaves.push({ clauses: [[toWay(least, infinite)]], oppose: () => [toWay(0, least - 1)] });
  if (most !== undefined) leaves.push({ clauses: [[toWay(0, most)]], oppose: () => [toWay(most + 1, infinite)] });
  return leaves;
}

/** What is evaluated is known where no schema beside it evaluates more. */
function checkAlone(schema: JsonObject, key: string, { path }: Source): void {
  const others = ['$ref', '$dynamicRef', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas', 'contains'];
  if (others.some((other) => Object.hasOwn(schema, other))) throw refuse(`${key} (beside keywords that join schemas)`, path);
}

function allows(schema: JsonObject, kind: Container): boolean {
  if (Object.hasOwn(schema, '$recursiveRef')) throw refuse('$recursiveRef', '#');
  const type = own(schema, 'type');
  return type === undefined || (Array.isArray(type) ? type.includes(kind) : type === kind);
}

function kindOf(value: unknown): Container | undefined {
  return Array.isArray(value) ? 'array' : isObject(value) ? 'object' : undefined;
}
