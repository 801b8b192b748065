/**
 * Owns the kinds of grammar that a request may bring, and what each becomes: the frame before the answer.
 * Refuses what cannot be enforced, by name, and whatever is longer than a bound before it is looked at.
 */
import { InwardError } from '../errors.ts';
import { grammarLimit } from '../types.ts';
import { compileWhole } from './expression/compile.ts';
import type { Frame } from './frame.ts';
import { Budget, guard } from './refusal.ts';
import { parseGbnf } from './rules/gbnf.ts';
import { buildRules, type RuleSymbol } from './rules/rules.ts';
import { Texts } from './rules/texts.ts';
import { isLive } from './terms/derive.ts';
import { Terms } from './terms/terms.ts';

/** Characters of an expression, and of a grammar, which may hold schemas. */
const [longestExpression, longestGrammar] = [200_000, grammarLimit];

/** Answers that a regular expression matches from end to end. Throws grammar_invalid, grammar_unenforceable, grammar_too_large, grammar_empty. */
export function compileExpression(source: string): Frame {
  checkLength(source, longestExpression);
  const terms = new Terms(new Budget());
  const term = guard(() => compileWhole(terms, source, 'the expression'));
  if (!isLive(terms, term)) throw new InwardError('grammar_empty');
  return begin(terms, term);
}

/** Answers that a grammar in GBNF makes. Throws the same. */
export function compileGbnf(source: string): Frame {
  checkLength(source, longestGrammar);
  const terms = new Terms(new Budget());
  return guard(() => {
    const { trees, start } = parseGbnf(terms, source);
    return begin(terms, buildRules(terms, trees, start));
  });
}

function begin(terms: Terms, symbol: RuleSymbol): Frame {
  const start = new Texts(terms).start(symbol);
  start.budget = terms.budget;
  return start;
}

function checkLength(source: string, limit: number): void {
  if (source.length > limit) throw new InwardError('grammar_too_large', { what: 'characters', limit });
}
