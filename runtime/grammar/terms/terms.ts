/**
 * Owns the making of terms: each form once, in a normal form small enough that the terms reached by steps are few
 * (unions and intersections sorted and flat, sequences to the right, complements undone). Refuses to make more than its budget.
 * Source of the method: Brzozowski, Derivatives of regular expressions (1964); Owens, Reppy, Turon (2009).
 */
import type { Budget } from '../refusal.ts';
import { anyRanges, intersect, type Ranges, unite } from './ranges.ts';
import type { Term, TermForm } from './term.ts';

export class Terms {
  readonly budget: Budget;
  readonly #made = new Map<string, Term>();
  readonly #texts = new Map<string, Term>();
  /** Sets of Unicode properties by their names, which are a client's choice: they go with the grammar. */
  readonly properties: Map<string, Ranges> = new Map();
  readonly empty: Term;
  readonly epsilon: Term;
  /** Any one character. */
  readonly any: Term;
  /** Every text. */
  readonly all: Term;

  constructor(budget: Budget) {
    this.budget = budget;
    this.empty = this.#make('0', { kind: 'empty' }, false, true);
    this.epsilon = this.#make('1', { kind: 'epsilon' }, true, true);
    this.any = this.set(anyRanges);
    this.all = this.repeat(this.any, 0, Number.POSITIVE_INFINITY);
  }

  set(ranges: Ranges): Term {
    return ranges.length === 0 ? this.empty : this.#make(`s${ranges.join()}`, { kind: 'set', ranges }, false, true);
  }

  /** Exactly this text; nothing for one that is not well-formed. */
  text(text: string): Term {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (!text.isWellFormed()) return this.empty;
    let term = this.epsilon;
    for (const character of Array.from(text).reverse()) {
      const point = character.codePointAt(0)!;
      term = this.sequence(this.set([point, point]), term);
    }
    this.#texts.set(text, term);
    return term;
  }

  sequence(...terms: readonly Term[]): Term {
    return terms.reduceRight((rest, first) => this.#pair(first, rest), this.epsilon);
  }

  #pair(first: Term, rest: Term): Term {
    if (first === this.empty || rest === this.empty) return this.empty;
    if (first === this.epsilon) return rest;
    if (rest === this.epsilon) return first;
    if (first.form.kind === 'sequence') return this.#pair(first.form.first, this.#pair(first.form.rest, rest));
    if (first === this.all && (rest === this.all || (rest.form.kind === 'sequence' && rest.form.first === this.all))) return rest;
    const key = `c${first.id},${rest.id}`;
    return this.#make(key, { kind: 'sequence', first, rest }, first.isNullable && rest.isNullable, first.isPlain && rest.isPlain);
  }

  either(...terms: readonly Term[]): Term {
    const members = new Set<Term>();
    let ranges: Ranges = [];
    for (const term of terms.flatMap((term) => (term.form.kind === 'either' ? term.form.members : [term]))) {
      if (term === this.all) return this.all;
      if (term.form.kind === 'set') ranges = unite(ranges, term.form.ranges);
      else if (term !== this.empty) members.add(term);
    }
    if (ranges.length > 0) members.add(this.set(ranges));
    if (members.has(this.epsilon) && [...members].some((term) => term.isNullable && term !== this.epsilon)) members.delete(this.epsilon);
    if (members.size <= 1) return [...members][0] ?? this.empty;
    const sorted = sort(members);
    this.budget.spend('parts', sorted.length);
    const isNullable = sorted.some((term) => term.isNullable);
    return this.#make(`e${toKey(sorted)}`, { kind: 'either', members: sorted }, isNullable, sorted.every((term) => term.isPlain)); // biome-ignore format: one line
  }

  both(...terms: readonly Term[]): Term {
    const members = new Set<Term>();
    let ranges: Ranges | undefined;
    let lengths: { least: number; most: number } | undefined;
    for (const term of terms.flatMap((term) => (term.form.kind === 'both' ? term.form.members : [term]))) {
      const { form } = term;
      if (term === this.empty) return this.empty;
      if (form.kind === 'set') ranges = ranges === undefined ? form.ranges : intersect(ranges, form.ranges);
      else if (form.kind === 'repeat' && form.inner === this.any)
        lengths = { least: Math.max(form.least, lengths?.least ?? 0), most: Math.min(form.most, lengths?.most ?? form.most) };
      else members.add(term);
    }
    if (lengths !== undefined && lengths.least > lengths.most) return this.empty;
    if (ranges !== undefined) members.add(this.set(ranges));
    if (members.has(this.epsilon)) return (lengths?.least ?? 0) === 0 && [...members].every((term) => term.isNullable) ? this.epsilon : this.empty;
    if (members.has(this.empty) || [...members].some(({ form }) => form.kind === 'not' && members.has(form.inner))) return this.empty;
    const length = lengths === undefined ? this.all : this.repeat(this.any, lengths.least, lengths.most);
    if (length !== this.all) members.add(length);
    if (members.size <= 1) return [...members][0] ?? this.all;
    const sorted = sort(members);
    this.budget.spend('parts', sorted.length);
    return this.#make(`b${toKey(sorted)}`, { kind: 'both', members: sorted }, sorted.every((term) => term.isNullable), false); // biome-ignore format: one line
  }

  not(inner: Term): Term {
    if (inner === this.empty) return this.all;
    if (inner === this.all) return this.empty;
    if (inner.form.kind === 'not') return inner.form.inner;
    return this.#make(`n${inner.id}`, { kind: 'not', inner }, !inner.isNullable, false);
  }

  /** `most` may be infinite. */
  repeat(inner: Term, least: number, most: number): Term {
    if (most <= 0) return this.epsilon;
    if (least > most) return this.empty;
    if (inner === this.empty) return least === 0 ? this.epsilon : this.empty;
    if (inner === this.epsilon || (least === 1 && most === 1)) return inner;
    if (inner.form.kind === 'repeat' && inner.form.least === 0 && inner.form.most === Number.POSITIVE_INFINITY) return inner;
    const floor = inner.isNullable ? 0 : least;
    return this.#make(`r${inner.id},${floor},${most}`, { kind: 'repeat', inner, least: floor, most }, floor === 0, inner.isPlain);
  }

  optional(inner: Term): Term {
    return this.either(inner, this.epsilon);
  }

  multiple(divisor: bigint, rest = 0n): Term {
    return this.#make(`m${divisor},${rest}`, { kind: 'multiple', divisor, rest }, rest === 0n, false);
  }

  #make(key: string, form: TermForm, isNullable: boolean, isPlain: boolean): Term {
    const found = this.#made.get(key);
    if (found !== undefined) return found;
    this.budget.spend('terms');
    const term: Term = { id: this.#made.size, form, isNullable, isPlain, edges: undefined, isLive: undefined };
    this.#made.set(key, term);
    return term;
  }
}

const sort = (terms: ReadonlySet<Term>): Term[] => [...terms].sort((a, b) => a.id - b.id);
const toKey = (terms: readonly Term[]): string => terms.map(({ id }) => id).join();
