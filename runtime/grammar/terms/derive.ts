/**
 * Owns steps of terms: what remains of a term's texts after one code point, for all code points at once; and whether a
 * term has a text at all. Results are remembered on the term. Refuses to search beyond the budget of its terms.
 */
import { anyRanges, toPairs } from './ranges.ts';
import type { Edges, Term } from './term.ts';
import type { Terms } from './terms.ts';

interface Segment {
  readonly first: number;
  readonly last: number;
  readonly next: Term;
}

/** What remains after each code point. Edges to `empty` are left out; other dead ones are not. */
export function deriveEdges(terms: Terms, term: Term): Edges {
  return (term.edges ??= toEdges(terms, deriveSegments(terms, term)));
}

/** What remains after this code point; undefined where nothing does. */
export function step(terms: Terms, term: Term, point: number): Term | undefined {
  const { firsts, lasts, next } = term.edges ?? deriveEdges(terms, term);
  let low = 0;
  let high = firsts.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (point < firsts[middle]!) high = middle - 1;
    else if (point > lasts[middle]!) low = middle + 1;
    else return next[middle];
  }
  return undefined;
}

/** Whether any text is in the term. */
export function isLive(terms: Terms, term: Term): boolean {
  if (term.isPlain) return term !== terms.empty;
  if (term.isLive !== undefined) return term.isLive;
  const parents = new Map<Term, Term | undefined>([[term, undefined]]);
  for (const reached of parents.keys()) {
    if (reached.isNullable || reached.isLive === true || (reached.isPlain && reached !== terms.empty)) {
      for (let alive: Term | undefined = reached; alive !== undefined; alive = parents.get(alive)) alive.isLive = true;
      return true;
    }
    terms.budget.spend('parts', 4);
    if (reached.isLive === undefined && reached !== terms.empty)
      for (const next of deriveEdges(terms, reached).next) if (!parents.has(next)) parents.set(next, reached);
  }
  // Everything that can be reached from here was seen, and none of it ends.
  for (const reached of parents.keys()) reached.isLive = false;
  return false;
}

/** Whether the whole text is one of the term's. */
export function matches(terms: Terms, term: Term, text: string): boolean {
  let at: Term | undefined = term;
  terms.budget.spend('parts', text.length);
  for (const character of text) {
    at = step(terms, at, character.codePointAt(0)!);
    if (at === undefined) return false;
  }
  return at.isNullable;
}

function deriveSegments(terms: Terms, { form }: Term): Segment[] {
  switch (form.kind) {
    case 'empty':
    case 'epsilon':
      return [];
    case 'set':
      return toPairs(form.ranges).map(([first, last]) => ({ first, last, next: terms.epsilon }));
    case 'sequence': {
      const through = follow(terms, form.first, (next) => terms.sequence(next, form.rest));
      if (!form.first.isNullable) return through;
      return merge(terms, [through, toSegments(deriveEdges(terms, form.rest))], (next) => terms.either(...next));
    }
    case 'either': {
      const parts = form.members.map((member) => toSegments(deriveEdges(terms, member)));
      return merge(terms, parts, (next) => terms.either(...next));
    }
    case 'both': {
      const parts = form.members.map((member) => toSegments(deriveEdges(terms, member)));
      return merge(terms, parts, (next) => (next.length === parts.length ? terms.both(...next) : terms.empty));
    }
    case 'not': {
      const everything = toPairs(anyRanges).map(([first, last]) => ({ first, last, next: terms.all }));
      const inner = toSegments(deriveEdges(terms, form.inner));
      return merge(terms, [everything, inner], ([all, next]) => (next === undefined ? all! : terms.not(next)));
    }
    case 'repeat': {
      const rest = terms.repeat(form.inner, Math.max(form.least - 1, 0), form.most - 1);
      return follow(terms, form.inner, (next) => terms.sequence(next, rest));
    }
    case 'multiple': {
      const digits = Array.from({ length: 10 }, (_, digit) => ({
        first: 0x30 + digit,
        last: 0x30 + digit,
        next: terms.multiple(form.divisor, (form.rest * 10n + BigInt(digit)) % form.divisor),
      }));
      return [{ first: 0x2e, last: 0x2e, next: terms.multiple(form.divisor, form.rest) }, ...digits];
    }
  }
}

const follow = (terms: Terms, term: Term, change: (next: Term) => Term): Segment[] =>
  toSegments(deriveEdges(terms, term)).map((segment) => ({ ...segment, next: change(segment.next) }));

function toSegments({ firsts, lasts, next }: Edges): Segment[] {
  return firsts.map((first, i) => ({ first, last: lasts[i]!, next: next[i]! }));
}

/** Sweeps over sorted lists: for each run of points under the same segments, what `combine` makes of them, in the order of the lists. */
function merge(terms: Terms, lists: readonly (readonly Segment[])[], combine: (next: readonly Term[]) => Term): Segment[] {
  const waiting = lists.flatMap((segments, list) => segments.map((segment) => ({ ...segment, list }))).sort((a, b) => a.first - b.first);
  const edges = [...new Set(waiting.flatMap(({ first, last }) => [first, last + 1]))].sort((a, b) => a - b);
  const found: Segment[] = [];
  let active: typeof waiting = [];
  let taken = 0;
  for (const [i, first] of edges.slice(0, -1).entries()) {
    active = active.filter(({ last }) => last >= first);
    while (taken < waiting.length && waiting[taken]!.first === first) active.push(waiting[taken++]!);
    if (active.length === 0) continue;
    terms.budget.spend('parts', active.length);
    active.sort((a, b) => a.list - b.list);
    found.push({ first, last: edges[i + 1]! - 1, next: combine(active.map(({ next }) => next)) });
  }
  return found;
}

/** Joins neighbours that lead to the same term. */
function toEdges({ empty }: Terms, segments: readonly Segment[]): Edges {
  const [firsts, lasts, next]: [number[], number[], Term[]] = [[], [], []];
  for (const segment of segments) {
    if (segment.next === empty) continue;
    if (next.at(-1) === segment.next && lasts.at(-1) === segment.first - 1) lasts[lasts.length - 1] = segment.last;
    else {
      firsts.push(segment.first);
      lasts.push(segment.last);
      next.push(segment.next);
    }
  }
  return { firsts, lasts, next };
}
