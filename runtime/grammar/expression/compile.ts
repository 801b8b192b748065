/**
 * Owns expressions as terms: of the whole texts in which the expression finds something (as JSON Schema means `pattern`), or
 * of the texts that it matches from end to end. Assertions speak of the rest of the text, so a part is compiled with the term of
 * all that follows it. Refuses assertions whose left side is not known, and repeated ones.
 */
import { refuse } from '../refusal.ts';
import { complement, intersect } from '../terms/ranges.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';
import { wordCharacters } from './classes.ts';
import { type Expression, parseExpression } from './syntax.ts';

/** What stands before a part: nothing, a character of words, another one, or it depends. */
type Left = 'start' | 'word' | 'other' | 'unknown';

const otherCharacters = complement(wordCharacters);

/** Texts in which the expression is found somewhere. Throws grammar_invalid, grammar_unenforceable, grammar_too_large. */
export function compileSearch(terms: Terms, source: string, path: string): Term {
  const expression = parseExpression(terms, source, path);
  const compile = (left: Left): Term => new Compiler(terms, path).compile(expression, terms.all, left);
  if (!hasAssertion(expression)) return terms.sequence(terms.all, compile('start'));
  const [word, other] = [terms.set(wordCharacters), terms.set(otherCharacters)];
  return terms.either(compile('start'), terms.sequence(terms.all, word, compile('word')), terms.sequence(terms.all, other, compile('other')));
}

/** Texts that are matched from end to end. */
export function compileWhole(terms: Terms, source: string, path: string): Term {
  return new Compiler(terms, path).compile(parseExpression(terms, source, path), terms.epsilon, 'start');
}

class Compiler {
  readonly #terms: Terms;
  readonly #path: string;

  constructor(terms: Terms, path: string) {
    this.#terms = terms;
    this.#path = path;
  }

  /** The texts of a part with all that follows it. */
  compile(part: Expression, rest: Term, left: Left): Term {
    const terms = this.#terms;
    if (!hasAssertion(part)) return terms.sequence(this.#plain(part), rest);
    switch (part.kind) {
      case 'sequence':
        return this.#sequence(part.parts, rest, left);
      case 'either':
        return terms.either(...part.parts.map((inner) => this.compile(inner, rest, left)));
      case 'repeat':
        if (part.most > 1) throw refuse('pattern (an assertion that is repeated)', this.#path);
        return terms.either(this.compile(part.inner, rest, left), ...(part.least === 0 ? [rest] : []));
      case 'start':
        if (left === 'unknown') throw refuse('pattern (^ behind what may be empty)', this.#path);
        return left === 'start' ? rest : terms.empty;
      case 'end':
        return rest.isNullable ? terms.epsilon : terms.empty;
      case 'border':
        return this.#border(part.isBorder, rest, left);
      case 'ahead': {
        const ahead = this.compile(part.inner, terms.all, left);
        return terms.both(part.isWanted ? ahead : terms.not(ahead), rest);
      }
      default:
        return terms.sequence(terms.set(part.ranges), rest);
    }
  }

  #sequence(parts: readonly Expression[], rest: Term, left: Left): Term {
    const lefts = [left];
    for (const part of parts) lefts.push(findLeft(part, lefts.at(-1)!));
    return parts.reduceRight((behind, part, i) => this.compile(part, behind, lefts[i]!), rest);
  }

  #border(isBorder: boolean, rest: Term, left: Left): Term {
    const terms = this.#terms;
    if (left === 'unknown') throw refuse('pattern (\\b behind characters of both kinds)', this.#path);
    const startsWord = terms.sequence(terms.set(wordCharacters), terms.all);
    return terms.both(isBorder === (left === 'word') ? terms.not(startsWord) : startsWord, rest);
  }

  #plain(part: Expression): Term {
    const terms = this.#terms;
    switch (part.kind) {
      case 'set':
        return terms.set(part.ranges);
      case 'sequence':
        return terms.sequence(...part.parts.map((inner) => this.#plain(inner)));
      case 'either':
        return terms.either(...part.parts.map((inner) => this.#plain(inner)));
      case 'repeat':
        return terms.repeat(this.#plain(part.inner), part.least, part.most);
      default:
        throw new Error('an assertion is not plain');
    }
  }
}

function hasAssertion(part: Expression): boolean {
  switch (part.kind) {
    case 'set':
      return false;
    case 'repeat':
      return hasAssertion(part.inner);
    case 'sequence':
    case 'either':
      return part.parts.some(hasAssertion);
    default:
      return true;
  }
}

/** What stands before the part behind this one. */
function findLeft(part: Expression, left: Left): Left {
  const agree = (kinds: readonly Left[]): Left => (kinds.every((kind) => kind === kinds[0]) ? kinds[0]! : 'unknown');
  switch (part.kind) {
    case 'set': {
      const words = intersect(part.ranges, wordCharacters);
      return words.length === 0 ? 'other' : intersect(part.ranges, otherCharacters).length === 0 ? 'word' : 'unknown';
    }
    case 'sequence':
      return part.parts.reduce((kind, inner) => findLeft(inner, kind), left);
    case 'either':
      return agree(part.parts.map((inner) => findLeft(inner, left)));
    case 'repeat':
      return agree([...(part.least === 0 ? [left] : []), ...(part.most === 0 ? [left] : [findLeft(part.inner, left)])]);
    default:
      return left;
  }
}
