/**
 * Owns solving clauses: of each one way, until only demands on the container itself are left. Each solution is one form.
 * Refuses more solutions than the budget has; contradictions that are plain are left out as soon as they are seen.
 */
import { type Budget, checkDepth } from '../refusal.ts';
import type { Clause, Container, Demand, Demands, Literal } from './demands.ts';

type Simple = Exclude<Demand, { kind: 'schema' }>;

interface Search {
  readonly demands: Demands;
  readonly kind: Container;
  readonly budget: Budget;
  readonly found: Map<string, readonly Simple[]>;
}

/** All ways to meet the literals, each as demands on the container. */
export function solve(demands: Demands, literals: readonly Literal[], kind: Container, budget: Budget): (readonly Simple[])[] {
  const search: Search = { demands, kind, budget, found: new Map() };
  const start = literals.map((literal): Clause => [[{ kind: 'schema', literal }]]);
  descend(search, start, [], new Map(), 0);
  return [...search.found.values()];
}

/** `met`: schemas that this way has taken, with the sign that it gave them. */
function descend(search: Search, open: readonly Clause[], simple: readonly Simple[], met: ReadonlyMap<number, boolean>, depth: number): void {
  checkDepth(depth);
  // Clauses with one way first: they may rule out ways of the others.
  const clause = open.find((ways) => ways.length <= 1) ?? open[0];
  if (clause === undefined) return void search.found.set(toKey(simple), simple);
  const rest = open.filter((other) => other !== clause);
  for (const way of clause) {
    search.budget.spend('alternatives');
    search.budget.spend('parts', open.length + simple.length + met.size);
    const taken = new Map(met);
    const clauses = [...rest];
    const own = [...simple];
    if (way.every((demand) => take(search, demand, taken, clauses, own)) && isPossible(own))
      descend(search, clauses, own, taken, depth + (clause.length > 1 ? 1 : 0));
  }
}

/** Adds a demand; false if it contradicts what was taken. */
function take(search: Search, demand: Demand, met: Map<number, boolean>, clauses: Clause[], simple: Simple[]): boolean {
  if (demand.kind !== 'schema') {
    simple.push(demand);
    return true;
  }
  const { source, isWanted } = demand.literal;
  const known = met.get(source.id);
  if (known !== undefined) return known === isWanted;
  met.set(source.id, isWanted);
  clauses.push(...search.demands.list(demand.literal, search.kind));
  return true;
}

/** Plain contradictions: a required name that is forbidden, or counts that cross. */
function isPossible(simple: readonly Simple[]): boolean {
  let [least, most] = [0, Number.POSITIVE_INFINITY];
  const required = new Set<string>();
  for (const demand of simple) {
    if (demand.kind === 'count') [least, most] = [Math.max(least, demand.least), Math.min(most, demand.most)];
    if (demand.kind === 'required') required.add(demand.name);
  }
  if (least > most || required.size > most) return false;
  return simple.every((demand) => demand.kind !== 'members' || [...required].every((name) => demand.members.names.get(name)?.source.schema !== false));
}

const ids = new WeakMap<object, number>();
let count = 0;

/** Solutions that say the same are one form. */
function toKey(simple: readonly Simple[]): string {
  return [...new Set(simple.map(describe))].sort().join(';');
}

function describe(demand: Simple): string {
  switch (demand.kind) {
    case 'count':
      return `${demand.least}-${demand.most}`;
    case 'required':
      return JSON.stringify(demand.name);
    case 'keys':
      return `k${demand.keys.id}`;
    case 'contains':
      return `c${demand.literal.source.id}${demand.literal.isWanted}${demand.least}-${demand.most}`;
    default: {
      const part = demand.kind === 'members' ? demand.members : demand;
      if (!ids.has(part)) ids.set(part, count++);
      return `p${ids.get(part)}`;
    }
  }
}
