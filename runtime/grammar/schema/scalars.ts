/**
 * Owns what schemas say of strings and of what stands without quotes (numbers, true, false, null), as terms: unions, intersections and
 * complements are the terms' own, so no keyword that joins schemas is an approximation here.
 * Texts of numbers have two forms. `written`: what an answer may hold; a whole number without a point where the schema says integer, and a
 * constant as it is usually written. `meant`: every decimal text of every number that is meant, which a complement must leave out.
 */
import { compileSearch, compileWhole } from '../expression/compile.ts';
import { checkDepth, refuse, rejectForm } from '../refusal.ts';
import { isLive } from '../terms/derive.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';
import { base64, findFormat } from './formats.ts';
import { readCount, readList, readNumber } from './keywords.ts';
import { Numbers } from './numbers.ts';
import { type JsonObject, own, type Source, type Sources } from './source.ts';

export type Scalar = 'string' | 'bare';
type Form = 'written' | 'meant';

export class Scalars {
  readonly #terms: Terms;
  readonly #sources: Sources;
  readonly #numbers: Numbers;
  readonly #words: { readonly null: Term; readonly boolean: Term };
  readonly #known = new Map<string, Term>();
  readonly #running = new Set<string>();

  constructor(terms: Terms, sources: Sources) {
    [this.#terms, this.#sources, this.#numbers] = [terms, sources, new Numbers(terms)];
    this.#words = { null: terms.text('null'), boolean: terms.either(terms.text('true'), terms.text('false')) };
  }

  /** What an answer may hold where the schema stands; or where it must not be met. */
  find(source: Source, kind: Scalar, isWanted: boolean): Term {
    return isWanted ? this.#read(source, kind, 'written') : this.#oppose(this.#read(source, kind, 'meant'), kind);
  }

  /** Everything of a kind. */
  everything(kind: Scalar, form: Form = 'written'): Term {
    if (kind === 'string') return this.#terms.all;
    const { null: nothing, boolean } = this.#words;
    return this.#terms.either(nothing, boolean, form === 'written' ? this.#numbers.json : this.#numbers.decimal);
  }

  #oppose(meant: Term, kind: Scalar): Term {
    return this.#terms.both(this.everything(kind, 'meant'), this.#terms.not(meant));
  }

  #read(source: Source, kind: Scalar, form: Form): Term {
    const key = `${source.id}${kind}${form}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#running.has(key)) throw refuse('$ref (a loop of references)', source.path);
    checkDepth(this.#running.size);
    this.#running.add(key);
    const term = this.#intersect(source, kind, form);
    this.#running.delete(key);
    this.#known.set(key, term);
    return term;
  }

  #intersect(source: Source, kind: Scalar, form: Form): Term {
    const { schema } = source;
    if (schema === true) return this.everything(kind, form);
    if (schema === false) return this.#terms.empty;
    const reference = own(schema, '$ref');
    if (reference !== undefined && source.draft === 4) return this.#read(this.#sources.resolve(source, reference), kind, form);
    const leaves = kind === 'string' ? this.#readString(schema, source) : this.#readBare(schema, source, form);
    return this.#terms.both(this.#readType(schema, source, kind, form), ...leaves, ...this.#readJoined(schema, source, kind, form));
  }

  #readType(schema: JsonObject, source: Source, kind: Scalar, form: Form): Term {
    const type = own(schema, 'type');
    const names = type === undefined ? undefined : Array.isArray(type) ? type : [type];
    const terms = this.#terms;
    const { json, decimal, whole, integral } = this.#numbers;
    const byType: Readonly<Record<string, Term>> =
      kind === 'string'
        ? { string: terms.all }
        : { ...this.#words, number: form === 'written' ? json : decimal, integer: form === 'written' ? whole : integral };
    const found = names === undefined ? this.everything(kind, form) : terms.either(...names.map((name) => byType[String(name)] ?? terms.empty));
    const listed = [own(schema, 'enum'), Object.hasOwn(schema, 'const') ? [schema['const']] : undefined].filter((values) => values !== undefined);
    return terms.both(found, ...listed.map((values) => this.#list(values, source, kind, form)));
  }

  #list(values: unknown, source: Source, kind: Scalar, form: Form): Term {
    if (!Array.isArray(values)) throw rejectForm('have a list as its enum', source.path);
    const terms = this.#terms;
    const found = values.flatMap((value: unknown) => {
      if (kind === 'string') return typeof value === 'string' ? [terms.text(value)] : [];
      if (typeof value === 'number') return [form === 'written' ? this.#numbers.one(value) : this.#numbers.all(value)];
      return value === null || typeof value === 'boolean' ? [terms.text(String(value))] : [];
    });
    return terms.either(...found);
  }

  #readString(schema: JsonObject, source: Source): Term[] {
    const terms = this.#terms;
    const least = readCount(schema, 'minLength', source) ?? 0;
    const most = readCount(schema, 'maxLength', source) ?? Number.POSITIVE_INFINITY;
    const found = [least > most ? terms.empty : terms.repeat(terms.any, least, most)];
    const pattern = own(schema, 'pattern');
    if (pattern !== undefined) {
      if (typeof pattern !== 'string') throw rejectForm('have a text as its pattern', source.path);
      found.push(compileSearch(terms, pattern, `${source.path}/pattern`));
    }
    if (source.draft === 4) found.push(...this.#readContent(schema, source));
    const format = own(schema, 'format');
    const expression = typeof format === 'string' ? findFormat(format) : undefined;
    if (expression === 'refused') throw refuse(`format ${String(format)}`, `${source.path}/format`);
    if (expression !== undefined) found.push(compileWhole(terms, expression, `${source.path}/format`));
    return found;
  }

  /** In draft 7 an assertion that nobody must make; later an annotation. */
  #readContent(schema: JsonObject, { path }: Source): Term[] {
    if (own(schema, 'contentMediaType') !== undefined) throw refuse('contentMediaType', path);
    const encoding = own(schema, 'contentEncoding');
    if (encoding === undefined) return [];
    if (encoding !== 'base64') throw refuse('contentEncoding', path);
    return [compileWhole(this.#terms, base64, path)];
  }

  #readBare(schema: JsonObject, source: Source, form: Form): Term[] {
    const { null: nothing, boolean } = this.#words;
    const found: Term[] = [];
    const [least, most] = [readNumber(schema, 'minimum', source), readNumber(schema, 'maximum', source)];
    const [above, below] = [own(schema, 'exclusiveMinimum'), own(schema, 'exclusiveMaximum')];
    // In draft 4 they are booleans that speak of minimum and maximum.
    if (least !== undefined) found.push(this.#numbers.atLeast(least, above === true));
    if (most !== undefined) found.push(this.#numbers.atMost(most, below === true));
    if (typeof above !== 'boolean') found.push(...toList(readNumber(schema, 'exclusiveMinimum', source), (bound) => this.#numbers.atLeast(bound, true)));
    if (typeof below !== 'boolean') found.push(...toList(readNumber(schema, 'exclusiveMaximum', source), (bound) => this.#numbers.atMost(bound, true)));
    const divisor = readNumber(schema, 'multipleOf', source);
    if (divisor !== undefined) {
      const multiple = this.#numbers.multiple(divisor);
      if (multiple === undefined) throw refuse('multipleOf (not above 0, or of more than 5 digits)', source.path);
      found.push(multiple);
    }
    if (found.length === 0) return [];
    const numbers = form === 'written' ? this.#terms.both(this.#numbers.decimal, ...found) : this.#terms.both(...found);
    return [this.#terms.either(nothing, boolean, numbers)];
  }

  #readJoined(schema: JsonObject, source: Source, kind: Scalar, form: Form): Term[] {
    const terms = this.#terms;
    const read = (inner: unknown, path: string): Term => this.#read(this.#sources.child(source, inner, path), kind, form);
    const meant = (inner: unknown, path: string): Term => this.#read(this.#sources.child(source, inner, path), kind, 'meant');
    const oppose = (term: Term): Term => this.#oppose(term, kind);
    const list = (key: string): readonly unknown[] | undefined => readList(schema, key, source);
    const found: Term[] = [];
    const reference = own(schema, '$ref');
    if (reference !== undefined) found.push(this.#read(this.#sources.resolve(source, reference), kind, form));
    const dynamic = own(schema, '$dynamicRef');
    if (dynamic !== undefined) found.push(this.#read(this.#sources.resolveDynamic(source, dynamic), kind, form));
    found.push(...(list('allOf') ?? []).map((inner, i) => read(inner, `allOf/${i}`)));
    const any = list('anyOf');
    if (any !== undefined) found.push(terms.either(...any.map((inner, i) => read(inner, `anyOf/${i}`))));
    const one = list('oneOf');
    if (one !== undefined) found.push(this.#exactlyOne(one.map((inner, i) => ({ term: read(inner, `oneOf/${i}`), meant: meant(inner, `oneOf/${i}`) })), kind)); // biome-ignore format: one line
    if (Object.hasOwn(schema, 'not')) found.push(oppose(meant(schema['not'], 'not')));
    if (Object.hasOwn(schema, 'if')) {
      const then = Object.hasOwn(schema, 'then') ? read(schema['then'], 'then') : this.everything(kind, form);
      const otherwise = Object.hasOwn(schema, 'else') ? read(schema['else'], 'else') : this.everything(kind, form);
      found.push(terms.either(terms.both(read(schema['if'], 'if'), then), terms.both(oppose(meant(schema['if'], 'if')), otherwise)));
    }
    return found;
  }

  #exactlyOne(parts: readonly { readonly term: Term; readonly meant: Term }[], kind: Scalar): Term {
    const terms = this.#terms;
    const live = parts.filter(({ meant }) => isLive(terms, meant));
    return terms.either(
      ...live.map(({ term }, i) => {
        const others = live.filter((_, j) => j !== i).map((other) => other.meant);
        return others.length === 0 ? term : terms.both(term, this.#oppose(terms.either(...others), kind));
      }),
    );
  }
}

function toList<T, U>(value: T | undefined, change: (value: T) => U): U[] {
  return value === undefined ? [] : [change(value)];
}
