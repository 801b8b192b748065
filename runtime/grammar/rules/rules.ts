/**
 * Owns a context-free grammar in the form that its automaton reads: rules of alternatives of symbols, which are terms, doors or rules. Rules that
 * hold no door and do not lead back to themselves become terms. Refuses rules that begin with themselves, because the automaton would expand them
 * without end, and leaves out alternatives of which no text comes.
 */
import { InwardError } from '../../errors.ts';
import { checkDepth, refuse, rejectForm } from '../refusal.ts';
import { isLive } from '../terms/derive.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';
import type { Door } from './doors.ts';

/** What a rule says, as a tree. */
export type RuleTree =
  | { readonly kind: 'term'; readonly term: Term }
  | { readonly kind: 'door'; readonly door: Door }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'sequence' | 'either'; readonly parts: readonly RuleTree[] }
  | { readonly kind: 'repeat'; readonly inner: RuleTree; readonly least: number; readonly most: number };

export type RuleSymbol = Term | Door | Rule;

export interface Rule {
  readonly name: string;
  alternatives: readonly (readonly RuleSymbol[])[];
}

export const isRule = (symbol: RuleSymbol): symbol is Rule => 'alternatives' in symbol;
export const isDoor = (symbol: Term | Door): symbol is Door => 'kind' in symbol;

const isNullable = (symbol: Term | Door): boolean => !isDoor(symbol) && symbol.isNullable;
const canBe = (terms: Terms, symbol: Term | Door): boolean => isDoor(symbol) || isLive(terms, symbol);

/** Copies of a repeated part that is no term. */
const mostCopies = 1000;

/** The rule to start with. Throws grammar_invalid, grammar_unenforceable, grammar_empty, grammar_too_large. */
export function buildRules(terms: Terms, trees: ReadonlyMap<string, RuleTree>, start: string): Rule {
  const builder = new Builder(terms, trees);
  const rule = builder.rule(start);
  const rules = collect(rule);
  const nullable = findAll(rules, (symbols, known) => symbols.every((symbol) => (isRule(symbol) ? known.has(symbol) : isNullable(symbol))));
  refuseLeftRecursion(rules, nullable);
  const live = findAll(rules, (symbols, known) => symbols.every((symbol) => (isRule(symbol) ? known.has(symbol) : canBe(terms, symbol))));
  if (!live.has(rule)) throw new InwardError('grammar_empty');
  for (const each of rules)
    each.alternatives = each.alternatives.filter((symbols) => symbols.every((symbol) => (isRule(symbol) ? live.has(symbol) : canBe(terms, symbol))));
  return rule;
}

class Builder {
  readonly #terms: Terms;
  readonly #trees: ReadonlyMap<string, RuleTree>;
  readonly #rules = new Map<string, Rule>();
  /** By name, its term; 'open' while it is asked for, undefined where it has none. */
  readonly #regular = new Map<string, Term | 'open' | undefined>();

  constructor(terms: Terms, trees: ReadonlyMap<string, RuleTree>) {
    [this.#terms, this.#trees] = [terms, trees];
  }

  rule(name: string): Rule {
    const known = this.#rules.get(name);
    if (known !== undefined) return known;
    const rule: Rule = { name, alternatives: [] };
    this.#rules.set(name, rule);
    rule.alternatives = this.#alternatives(this.#find(name));
    return rule;
  }

  #find(name: string): RuleTree {
    const tree = this.#trees.get(name);
    // The name is a client's, so it is not said.
    if (tree === undefined) throw rejectForm('define every rule that it names', 'the grammar');
    return tree;
  }

  #alternatives(tree: RuleTree): (readonly RuleSymbol[])[] {
    return tree.kind === 'either' ? tree.parts.map((part) => this.#symbols(part)) : [this.#symbols(tree)];
  }

  #symbols(tree: RuleTree): readonly RuleSymbol[] {
    this.#terms.budget.spend('nodes');
    const term = this.#toTerm(tree, 0);
    if (term !== undefined) return term === this.#terms.epsilon ? [] : [term];
    switch (tree.kind) {
      case 'rule':
        return [this.rule(tree.name)];
      case 'door':
        return [tree.door];
      case 'sequence':
        return tree.parts.flatMap((part) => this.#symbols(part));
      case 'repeat':
        return this.#repeat(tree.inner, tree.least, tree.most);
      default:
        return [{ name: '', alternatives: this.#alternatives(tree) }];
    }
  }

  #repeat(inner: RuleTree, least: number, most: number): readonly RuleSymbol[] {
    const copies = most === Number.POSITIVE_INFINITY ? least : most;
    if (copies > mostCopies) throw new InwardError('grammar_too_large', { what: 'copies of a repeated rule', limit: mostCopies });
    const symbols = this.#symbols(inner);
    let rest: Rule | undefined;
    if (most === Number.POSITIVE_INFINITY) {
      rest = { name: '', alternatives: [] };
      rest.alternatives = [[...symbols, rest], []];
    }
    for (let copy = copies; copy > least; copy--) rest = { name: '', alternatives: [[...symbols, ...(rest === undefined ? [] : [rest])], []] };
    return [...Array.from({ length: least }, () => symbols).flat(), ...(rest === undefined ? [] : [rest])];
  }

  /** Undefined where the tree leads to a door, or to a rule that leads back to itself. */
  #toTerm(tree: RuleTree, depth: number): Term | undefined {
    checkDepth(depth);
    const terms = this.#terms;
    switch (tree.kind) {
      case 'term':
        return tree.term;
      case 'door':
        return undefined;
      case 'rule':
        return this.#ruleTerm(tree.name, depth);
      case 'repeat': {
        const inner = this.#toTerm(tree.inner, depth + 1);
        return inner && terms.repeat(inner, tree.least, tree.most);
      }
      default: {
        const parts = tree.parts.map((part) => this.#toTerm(part, depth + 1));
        if (!parts.every((part) => part !== undefined)) return undefined;
        return tree.kind === 'sequence' ? terms.sequence(...parts) : terms.either(...parts);
      }
    }
  }

  #ruleTerm(name: string, depth: number): Term | undefined {
    const known = this.#regular.get(name);
    if (known !== undefined || this.#regular.has(name)) return known === 'open' ? undefined : known;
    this.#regular.set(name, 'open');
    const term = this.#toTerm(this.#find(name), depth + 1);
    this.#regular.set(name, term);
    return term;
  }
}

function collect(start: Rule): readonly Rule[] {
  const found = new Set([start]);
  for (const rule of found) for (const symbols of rule.alternatives) for (const symbol of symbols) if (isRule(symbol)) found.add(symbol);
  return [...found];
}

/** The least set of rules with an alternative of which `holds` is true. */
function findAll(rules: readonly Rule[], holds: (symbols: readonly RuleSymbol[], known: ReadonlySet<Rule>) => boolean): ReadonlySet<Rule> {
  const known = new Set<Rule>();
  for (let size = -1; size !== known.size; ) {
    size = known.size;
    for (const rule of rules) if (!known.has(rule) && rule.alternatives.some((symbols) => holds(symbols, known))) known.add(rule);
  }
  return known;
}

function refuseLeftRecursion(rules: readonly Rule[], nullable: ReadonlySet<Rule>): void {
  const done = new Map<Rule, 'open' | 'done'>();
  const visit = (rule: Rule, depth: number): void => {
    if (done.get(rule) === 'open') throw refuse('left recursion', 'the grammar');
    if (done.has(rule)) return;
    if (depth > 5000) throw new InwardError('grammar_too_large', { what: 'rules that begin with each other', limit: 5000 });
    done.set(rule, 'open');
    for (const symbols of rule.alternatives)
      for (const symbol of symbols) {
        if (isRule(symbol)) visit(symbol, depth + 1);
        if (!(isRule(symbol) ? nullable.has(symbol) : isNullable(symbol))) break;
      }
    done.set(rule, 'done');
  };
  for (const rule of rules) visit(rule, 0);
}
