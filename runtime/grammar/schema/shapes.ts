/**
 * Owns the shapes of a schema: each stands for a set of schemas that one value must meet or not meet at once, which is what is left of
 * joined keywords once they are solved. All that can be reached are made, then those that no value meets are found, so that no
 * mask leads where no answer can end. Refuses more shapes and forms than the budget has.
 */

import { canComplete } from '../json/arrays.ts';
import { canHaveForm } from '../json/objects.ts';
import type { ArrayForm, Contains, ObjectForm, OpenKeys, Shape } from '../json/shape.ts';
import { type Budget, refuse } from '../refusal.ts';
import { isLive, matches } from '../terms/derive.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';
import { listTexts } from '../terms/texts.ts';
import { type Container, type Demand, Demands, type Literal, type Members } from './demands.ts';
import { Scalars } from './scalars.ts';
import { solve } from './solve.ts';
import type { Source, Sources } from './source.ts';

/** A shape while it is made. */
interface Draft extends Shape {
  readonly literals: readonly Literal[];
  arrays: readonly ArrayForm[];
  objects: readonly ObjectForm[];
  isLive: boolean;
}

/** Values of items that may come once each. */
const mostDistinct = 64;
/** How deep two schemas are compared before they count as overlapping. */
const comparedDepth = 3;

export class Shapes {
  readonly #terms: Terms;
  readonly #budget: Budget;
  readonly #scalars: Scalars;
  readonly #demands: Demands;
  readonly #shapes = new Map<string, Draft>();
  readonly #waiting: Draft[] = [];
  readonly #overlaps = new Map<string, boolean>();
  /** Items of which no two may be alike. */
  readonly #distinct: { readonly rest: Shape; readonly path: string }[] = [];
  #forms = 0;

  constructor(terms: Terms, sources: Sources) {
    [this.#terms, this.#budget] = [terms, terms.budget];
    this.#scalars = new Scalars(terms, sources);
    this.#demands = new Demands(terms, sources, this.#scalars, (a, b) => this.#overlap(a, b));
  }

  /** The shape of a schema, complete. */
  build(source: Source): Shape {
    const top = this.#get([{ source, isWanted: true }]);
    for (let shape = this.#waiting.pop(); shape !== undefined; shape = this.#waiting.pop()) this.#fill(shape);
    for (const { rest, path } of this.#distinct) if (rest.arrays.length + rest.objects.length > 0) throw refuse('uniqueItems (of arrays or objects)', path);
    this.#findLive();
    return top;
  }

  #get(literals: readonly Literal[]): Draft {
    const byKey = new Map(literals.filter((literal) => !says(literal, true)).map((literal) => [toKey(literal), literal]));
    const key = [...byKey.keys()].sort().join();
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    this.#budget.spend('nodes');
    const sorted = [...byKey.values()];
    const scalar = (kind: 'string' | 'bare'): Term =>
      this.#terms.both(...sorted.map(({ source, isWanted }) => this.#scalars.find(source, kind, isWanted)), this.#scalars.everything(kind));
    const isNever = sorted.some((literal) => says(literal, false));
    const [bare, string] = isNever ? [this.#terms.empty, this.#terms.empty] : [scalar('bare'), scalar('string')];
    const draft: Draft = { id: this.#shapes.size, literals: isNever ? [] : sorted, bare, string, arrays: [], objects: [], isLive: false };
    this.#shapes.set(key, draft);
    if (!isNever) this.#waiting.push(draft);
    return draft;
  }

  #fill(shape: Draft): void {
    shape.objects = this.#solve(shape.literals, 'object').map((demands) => this.#toObject(demands));
    shape.arrays = this.#solve(shape.literals, 'array').map((demands) => this.#toArray(demands));
  }

  #solve(literals: readonly Literal[], kind: Container): readonly (readonly Demand[])[] {
    return solve(this.#demands, literals, kind, this.#budget);
  }

  #toObject(demands: readonly Demand[]): ObjectForm {
    const members = demands.flatMap((demand) => (demand.kind === 'members' ? [demand.members] : []));
    const required = new Set(demands.flatMap((demand) => (demand.kind === 'required' ? [demand.name] : [])));
    const keys = this.#terms.both(this.#terms.all, ...demands.flatMap((demand) => (demand.kind === 'keys' ? [demand.keys] : [])));
    const names = [...new Set([...members.flatMap((part) => [...part.names.keys()]), ...required])];
    const never = this.#get([{ source: { id: -1, schema: false, base: '', draft: 2020, path: '#' }, isWanted: true }]);
    this.#budget.check('names', names.length);
    const find = (name: string): Shape => {
      if (keys !== this.#terms.all && !matches(this.#terms, keys, name)) return never;
      return this.#get(members.flatMap((part) => this.#under(part, name)));
    };
    const known = new Map(names.map((name, i) => [name, { bit: 1n << BigInt(i), shape: find(name) }]));
    const others = new Map<string, Shape>();
    return {
      id: this.#forms++,
      names: known,
      open: [...this.#splitKeys(members, keys), { keys: this.#terms.not(keys), shape: never }],
      // Names of other forms: few, and asked for again and again.
      find: (name) => others.get(name) ?? others.set(name, find(name)).get(name)!,
      required: [...required].reduce((bits, name) => bits | known.get(name)!.bit, 0n),
      ...countsOf(demands),
    };
  }

  /** What the keywords of one schema say of the value under a name. */
  #under({ names, patterns, others }: Members, name: string): Literal[] {
    const own = names.get(name);
    const matched = patterns.filter(({ keys }) => matches(this.#terms, keys, name)).map(({ value }) => value);
    const found = [...(own === undefined ? [] : [own]), ...matched];
    return found.length === 0 && others !== undefined ? [others] : found;
  }

  /** Keys that propertyNames allows, by the patterns that they match. */
  #splitKeys(members: readonly Members[], keys: Term): OpenKeys[] {
    const patterns = [...new Set(members.flatMap((part) => part.patterns.map((pattern) => pattern.keys)))];
    let classes: { readonly keys: Term; readonly matched: readonly Term[] }[] = [{ keys, matched: [] }];
    for (const pattern of patterns) {
      classes = classes
        .flatMap((known) => [
          { keys: this.#terms.both(known.keys, pattern), matched: [...known.matched, pattern] },
          { keys: this.#terms.both(known.keys, this.#terms.not(pattern)), matched: known.matched },
        ])
        .filter((known) => isLive(this.#terms, known.keys));
      this.#budget.spend('alternatives', classes.length);
    }
    return classes.map((known) => {
      const literals = members.flatMap((part) => {
        const found = part.patterns.filter((pattern) => known.matched.includes(pattern.keys)).map(({ value }) => value);
        return found.length === 0 && part.others !== undefined ? [part.others] : found;
      });
      return { keys: known.keys, shape: this.#get(literals) };
    });
  }

  #toArray(demands: readonly Demand[]): ArrayForm {
    const lists = demands.flatMap((demand) => (demand.kind === 'items' ? [demand] : []));
    const contained = demands.flatMap((demand) => (demand.kind === 'contains' ? [demand] : []));
    if (contained.length > 1) throw refuse('contains (several at once)', contained[0]!.literal.source.path);
    const length = Math.max(0, ...lists.map(({ items }) => items.length));
    const at = (index: number): Literal[] => lists.flatMap(({ items, rest }) => (index < items.length ? [items[index]!] : rest === undefined ? [] : [rest]));
    const list = (more: readonly Literal[]): { items: readonly Shape[]; rest: Shape } => ({
      items: Array.from({ length }, (_, index) => this.#get([...at(index), ...more])),
      rest: this.#get([...at(length), ...more]),
    });
    const { items, rest } = list([]);
    const { least, most } = countsOf(demands);
    const form = { id: this.#forms++, items, rest, least, most, contains: contained[0] && this.#toContains(contained[0], list) };
    const apart = demands.find((demand) => demand.kind === 'distinct');
    if (apart === undefined || most <= 1) return form;
    if (items.length > 0 || contained.length > 0) throw refuse('uniqueItems (beside prefixItems or contains)', apart.path);
    const distinct = this.#listValues(rest, apart.path);
    return { ...form, distinct, most: Math.min(most, distinct.length) };
  }

  /** A shape for each value, where they are few. Throws grammar_unenforceable. */
  #listValues(shape: Shape, path: string): Shape[] {
    const terms = this.#terms;
    this.#distinct.push({ rest: shape, path });
    const [strings, bare] = [listTexts(terms, shape.string, mostDistinct), listTexts(terms, shape.bare, mostDistinct)];
    if (strings === undefined || bare === undefined) throw refuse(`uniqueItems (of more than ${mostDistinct} values)`, path);
    // A number has several texts: 0 and -0.
    const byValue = Map.groupBy(bare, (text) => JSON.parse(text) as unknown);
    const values = [
      ...strings.map((text) => ({ string: terms.text(text), bare: terms.empty })),
      ...Array.from(byValue.values(), (texts) => ({ string: terms.empty, bare: terms.either(...texts.map((text) => terms.text(text))) })),
    ];
    return values.map(({ string, bare }) => {
      const key = `=${string.id},${bare.id}`;
      const made = this.#shapes.get(key) ?? { id: this.#shapes.size, literals: [], bare, string, arrays: [], objects: [], isLive: false };
      this.#shapes.set(key, made);
      return made;
    });
  }

  #toContains(
    { literal, least, most }: Extract<Demand, { kind: 'contains' }>,
    list: (more: readonly Literal[]) => { items: readonly Shape[]; rest: Shape },
  ): Contains {
    // biome-ignore format: one line
    const counted = list([literal]);
    const other = list(most === Number.POSITIVE_INFINITY ? [] : [{ source: literal.source, isWanted: !literal.isWanted }]);
    return { least, most, counted: counted.items, countedRest: counted.rest, other: other.items, otherRest: other.rest };
  }

  /** The least set: what is live needs a value that ends, so recursion alone makes nothing live. */
  #findLive(): void {
    const dead = new Set(this.#shapes.values());
    for (let size = -1; size !== dead.size; ) {
      size = dead.size;
      for (const shape of dead) {
        shape.isLive = this.#hasScalar(shape) || shape.arrays.some((form) => this.#canHave(form)) || shape.objects.some(canHaveForm);
        if (shape.isLive) dead.delete(shape);
      }
    }
    for (const shape of this.#shapes.values()) {
      shape.arrays = shape.arrays.filter((form) => this.#canHave(form));
      shape.objects = shape.objects.filter(canHaveForm);
    }
  }

  #canHave(form: ArrayForm): boolean {
    return canComplete({ goal: 0, form, index: 0, counted: 0, used: 0n });
  }

  #hasScalar({ bare, string }: Shape): boolean {
    return isLive(this.#terms, bare) || isLive(this.#terms, string);
  }

  /** Whether some value may meet both: always true, or surely not. */
  #overlap(a: Source, b: Source): boolean {
    const key = a.id < b.id ? `${a.id},${b.id}` : `${b.id},${a.id}`;
    const known = this.#overlaps.get(key);
    if (known !== undefined) return known;
    // While it is asked, it counts as overlapping: a schema may lead back to itself.
    this.#overlaps.set(key, true);
    const answer = this.#mayBe([{ source: a, isWanted: true }, { source: b, isWanted: true }], comparedDepth); // biome-ignore format: one line
    this.#overlaps.set(key, answer);
    return answer;
  }

  #mayBe(literals: readonly Literal[], depth: number): boolean {
    this.#budget.spend('alternatives');
    if (literals.some((literal) => says(literal, false))) return false;
    const scalars = (['string', 'bare'] as const).map((kind) =>
      this.#terms.both(this.#scalars.everything(kind), ...literals.map(({ source, isWanted }) => this.#scalars.find(source, kind, isWanted))),
    );
    if (depth === 0 || scalars.some((term) => isLive(this.#terms, term))) return true;
    return this.#solve(literals, 'object').some((demands) => this.#mayBeObject(demands, depth)) || this.#solve(literals, 'array').some((demands) => this.#mayBeArray(demands, depth)); // biome-ignore format: one line
  }

  #mayBeObject(demands: readonly Demand[], depth: number): boolean {
    const members = demands.flatMap((demand) => (demand.kind === 'members' ? [demand.members] : []));
    const required = new Set(demands.flatMap((demand) => (demand.kind === 'required' ? [demand.name] : [])));
    return [...required].every((name) => this.#mayBe(members.flatMap((part) => this.#under(part, name)), depth - 1)); // biome-ignore format: one line
  }

  #mayBeArray(demands: readonly Demand[], depth: number): boolean {
    const lists = demands.flatMap((demand) => (demand.kind === 'items' ? [demand] : []));
    const { least, most } = countsOf(demands);
    if (least > most) return false;
    return Array.from({ length: Math.min(least, 4) }, (_, i) => lists.flatMap(({ items, rest }) => items[i] ?? rest ?? [])).every((literals) => this.#mayBe(literals, depth - 1)); // biome-ignore format: one line
  }
}

function countsOf(demands: readonly Demand[]): { readonly least: number; readonly most: number } {
  const counts = demands.filter((demand) => demand.kind === 'count');
  return { least: Math.max(0, ...counts.map(({ least }) => least)), most: Math.min(Number.POSITIVE_INFINITY, ...counts.map(({ most }) => most)) };
}

const toKey = ({ source, isWanted }: Literal): string => `${isWanted ? '+' : '-'}${source.id}`;

/** Whether the literal is true, or false, of every value. */
function says({ source, isWanted }: Literal, answer: boolean): boolean {
  if (typeof source.schema === 'boolean') return (source.schema === isWanted) === answer;
  return answer === isWanted && Object.keys(source.schema).length === 0;
}
