/**
 * Owns the schemas of a document: which object is one, under which address and draft it stands, and what a reference means.
 * Refuses references to documents that were not given, and places that are no schema.
 */
import { type Budget, checkDepth, refuse, rejectForm } from '../refusal.ts';

/** 4 stands for drafts 4 to 7, which differ in nothing that the compiler asks; 2019 and 2020 for those. */
export type Draft = 4 | 2019 | 2020;
export type JsonObject = Readonly<Record<string, unknown>>;

/** A schema at its place. */
export interface Source {
  readonly id: number;
  readonly schema: JsonObject | boolean;
  readonly base: string;
  readonly draft: Draft;
  /** Keywords and positions, for errors: `#/properties/0/items`. */
  readonly path: string;
}

const root = 'schema:/root';
/** Keywords whose value is a schema, a list of them, or an object of them. */
const single = ['not', 'if', 'then', 'else', 'contains', 'propertyNames', 'additionalProperties', 'additionalItems', 'unevaluatedItems', 'unevaluatedProperties', 'items', 'contentSchema']; // biome-ignore format: a table
const lists = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'];
const maps = ['properties', 'patternProperties', 'dependentSchemas', 'definitions', '$defs', 'dependencies'];

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
/** The value under an own key. */
export const own = (object: JsonObject, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined);

export class Sources {
  readonly top: Source;
  readonly #budget: Budget;
  readonly #known = new Map<JsonObject, Source>();
  readonly #booleans = new Map<boolean, Source>();
  /** By absolute address without an empty fragment: whole resources, and anchors. */
  readonly #addresses = new Map<string, JsonObject | boolean>();
  readonly #dynamic = new Set<string>();
  #count = 0;

  /** `others`: further documents by address. Throws grammar_invalid, grammar_too_large. */
  constructor(schema: unknown, budget: Budget, others: ReadonlyMap<string, unknown>, defaultDraft: Draft) {
    this.#budget = budget;
    for (const [address, other] of others) this.#enter(other, address, defaultDraft, '#');
    this.top = this.#enter(schema, root, defaultDraft, '#');
  }

  #enter(schema: unknown, address: string, draft: Draft, path: string): Source {
    if (!isSchema(schema)) throw rejectForm('have an object or a boolean as its schema', path);
    this.#addresses.set(address, schema);
    return this.#add(schema, address, draft, path, 0);
  }

  /** A schema that a keyword of another one holds. */
  child(parent: Source, schema: unknown, path: string): Source {
    if (!isSchema(schema)) throw rejectForm('have an object or a boolean as its schema', `${parent.path}/${path}`);
    return (typeof schema === 'object' && this.#known.get(schema)) || this.#add(schema, parent.base, parent.draft, `${parent.path}/${path}`, 0);
  }

  /** A schema that says the same as a part of another one. */
  synthesize(schema: JsonObject | boolean, like: Source): Source {
    return (typeof schema === 'object' && this.#known.get(schema)) || this.#make(schema, like.base, 2020, like.path);
  }

  /** What `$ref` means. Throws grammar_unenforceable. */
  resolve(source: Source, reference: unknown): Source {
    if (typeof reference !== 'string') throw rejectForm('have a text as its $ref', source.path);
    const target = toAddress(reference, source.base);
    if (target === undefined) throw refuse('$ref (an address that cannot be read)', source.path);
    const hash = target.indexOf('#');
    const resource = hash < 0 ? target : target.slice(0, hash);
    const fragment = hash < 0 ? '' : readFragment(target.slice(hash + 1));
    const whole = this.#addresses.get(fragment === '' || fragment.startsWith('/') ? resource : `${resource}#${fragment}`);
    if (whole === undefined) throw refuse('$ref (to another document)', source.path);
    if (!fragment.startsWith('/')) return this.child(source, whole, '$ref');
    return this.#follow(this.child(source, whole, '$ref'), fragment, source);
  }

  /** `$dynamicRef` is a plain reference where nothing in reach has its name as a dynamic anchor twice. */
  resolveDynamic(source: Source, reference: unknown): Source {
    const name = typeof reference === 'string' ? reference.slice(reference.indexOf('#') + 1) : '';
    const count = [...this.#dynamic].filter((address) => address.endsWith(`#${name}`)).length;
    if (count > 1) throw refuse('$dynamicRef', source.path);
    return this.resolve(source, reference);
  }

  #follow(from: Source, pointer: string, asking: Source): Source {
    let [at, base, draft]: [unknown, string, Draft] = [from.schema, from.base, from.draft];
    for (const token of pointer.slice(1).split('/')) {
      const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
      at = Array.isArray(at) ? at[Number(key)] : isObject(at) ? own(at, key) : undefined;
      const known = isObject(at) ? this.#known.get(at) : undefined;
      if (known !== undefined) ({ base, draft } = known);
    }
    if (!isSchema(at)) throw refuse('$ref (to no schema)', asking.path);
    return (typeof at === 'object' && this.#known.get(at)) || this.#add(at, base, draft, `${asking.path}/$ref`, 0);
  }

  #make(schema: JsonObject | boolean, base: string, draft: Draft, path: string): Source {
    if (typeof schema === 'boolean') {
      const known = this.#booleans.get(schema);
      if (known !== undefined) return known;
    }
    this.#budget.spend('sources');
    const source = { id: this.#count++, schema, base, draft, path };
    if (typeof schema === 'boolean') this.#booleans.set(schema, source);
    else this.#known.set(schema, source);
    return source;
  }

  #add(schema: JsonObject | boolean, outerBase: string, outerDraft: Draft, path: string, depth: number): Source {
    checkDepth(depth);
    if (typeof schema === 'boolean') return this.#make(schema, outerBase, outerDraft, path);
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    const draft = readDraft(own(schema, '$schema')) ?? outerDraft;
    const base = this.#readBase(schema, outerBase, draft);
    const source = this.#make(schema, base, draft, path);
    if (draft === 4 && own(schema, '$ref') !== undefined && depth > 0) return source;
    for (const { value, path: inner } of listChildren(schema)) if (isSchema(value)) this.#add(value, base, draft, `${path}/${inner}`, depth + 1);
    return source;
  }

  /** The address of a schema, if it has one of its own; anchors in it are noted. */
  #readBase(schema: JsonObject, outerBase: string, draft: Draft): string {
    const id = own(schema, '$id') ?? (draft === 4 ? own(schema, 'id') : undefined);
    const isHidden = draft === 4 && own(schema, '$ref') !== undefined;
    const address = typeof id === 'string' && !isHidden ? toAddress(id, outerBase) : undefined;
    if (address !== undefined && !this.#addresses.has(address)) this.#addresses.set(address.replace(/#$/, ''), schema);
    const base = address === undefined || address.replace(/#$/, '').includes('#') ? outerBase : address.replace(/#$/, '');
    for (const anchor of [own(schema, '$anchor'), own(schema, '$dynamicAnchor')])
      if (typeof anchor === 'string') this.#addresses.set(`${base}#${anchor}`, schema);
    const dynamic = own(schema, '$dynamicAnchor');
    if (typeof dynamic === 'string') this.#dynamic.add(`${base}#${dynamic}`);
    return base;
  }
}

function isSchema(value: unknown): value is JsonObject | boolean {
  return typeof value === 'boolean' || isObject(value);
}

function* listChildren(schema: JsonObject): Generator<{ readonly value: unknown; readonly path: string }> {
  for (const key of single) yield { value: own(schema, key), path: key };
  for (const key of lists) {
    const value = own(schema, key);
    if (Array.isArray(value)) for (const [i, inner] of value.entries()) yield { value: inner, path: `${key}/${i}` };
  }
  for (const key of maps) {
    const value = own(schema, key);
    if (isObject(value)) for (const [i, inner] of Object.values(value).entries()) yield { value: inner, path: `${key}/${i}` };
  }
}

function readDraft(name: unknown): Draft | undefined {
  if (typeof name !== 'string') return undefined;
  if (/draft-0?[34567]\b/.test(name)) return 4;
  return name.includes('2019-09') ? 2019 : name.includes('2020-12') ? 2020 : undefined;
}

function toAddress(reference: string, base: string): string | undefined {
  return URL.canParse(reference, base) ? new URL(reference, base).href : undefined;
}

function readFragment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
