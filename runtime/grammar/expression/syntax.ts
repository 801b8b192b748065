/**
 * Owns the syntax of ECMA-262 regular expressions: text -> tree. Reads them with the flag u where they allow it, and as
 * browsers read them without it where not. Refuses back references and looking behind, which no automaton of ours holds to.
 */
import { checkDepth, refuse, rejectForm } from '../refusal.ts';
import { complement, type Ranges, toPairs, toRanges } from '../terms/ranges.ts';
import type { Terms } from '../terms/terms.ts';
import { findClass, findProperty, notLineEnds } from './classes.ts';

export type Expression =
  | { readonly kind: 'set'; readonly ranges: Ranges }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'either'; readonly parts: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly inner: Expression; readonly least: number; readonly most: number }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'border'; readonly isBorder: boolean }
  | { readonly kind: 'ahead'; readonly inner: Expression; readonly isWanted: boolean };

/** Ends of the ranges of the longest Unicode properties, about. */
const partsOfProperty = 1500;
/** Times of a repetition that are told apart; more is more than any answer has. */
const mostTimes = 1_000_000;

/** Throws grammar_invalid, grammar_unenforceable, grammar_too_large. `path`: where the expression stands, for the error. */
export function parseExpression(terms: Terms, source: string, path: string): Expression {
  // RegExp, too, lists them at each use.
  terms.budget.spend('parts', partsOfProperty * (source.match(/\\p\{/gi)?.length ?? 0));
  checkSyntax(source, path);
  return new Parser(terms, source, path).parse();
}

function checkSyntax(source: string, path: string): void {
  for (const flags of ['u', ''])
    try {
      new RegExp(source, flags);
      return;
    } catch {
      // With the next flags, or not at all.
    }
  throw rejectForm('be a regular expression', path);
}

/** Reads what RegExp has accepted already. */
class Parser {
  readonly #terms: Terms;
  readonly #points: readonly string[];
  readonly #path: string;
  #at = 0;
  #depth = 0;

  constructor(terms: Terms, source: string, path: string) {
    this.#terms = terms;
    this.#points = Array.from(source);
    this.#path = path;
  }

  parse(): Expression {
    const whole = this.#either();
    if (this.#at < this.#points.length) throw rejectForm('be a regular expression', this.#path);
    return whole;
  }

  #peek(text: string): boolean {
    return Array.from(text).every((character, i) => this.#points[this.#at + i] === character);
  }

  #take(text: string): boolean {
    const isThere = this.#peek(text);
    if (isThere) this.#at += text.length;
    return isThere;
  }

  #next(): string {
    const character = this.#points[this.#at++];
    if (character === undefined) throw rejectForm('be a regular expression', this.#path);
    return character;
  }

  #either(): Expression {
    checkDepth(++this.#depth);
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    this.#depth--;
    return parts.length === 1 ? parts[0]! : { kind: 'either', parts };
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (this.#at < this.#points.length && !this.#peek('|') && !this.#peek(')')) parts.push(this.#repeated());
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  #repeated(): Expression {
    const inner = this.#atom();
    const times = this.#times();
    if (times === undefined) return inner;
    // Lazy or not, the texts are the same.
    this.#take('?');
    return { kind: 'repeat', inner, ...times };
  }

  #times(): { readonly least: number; readonly most: number } | undefined {
    if (this.#take('*')) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { least: 0, most: 1 };
    const found = this.#peek('{') ? /^\{(\d+)(,?)(\d*)\}/.exec(this.#points.slice(this.#at, this.#at + 40).join('')) : null;
    if (found === null) return undefined;
    this.#at += found[0].length;
    const least = Number(found[1]);
    const most = found[2] === '' ? least : found[3] === '' ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (least > mostTimes) throw refuse('pattern', this.#path);
    return { least, most: most > mostTimes ? Number.POSITIVE_INFINITY : most };
  }

  #atom(): Expression {
    if (this.#take('^')) return { kind: 'start' };
    if (this.#take('$')) return { kind: 'end' };
    if (this.#take('(')) return this.#group();
    if (this.#take('.')) return { kind: 'set', ranges: notLineEnds };
    if (this.#take('[')) return { kind: 'set', ranges: this.#class() };
    if (this.#take('\\b')) return { kind: 'border', isBorder: true };
    if (this.#take('\\B')) return { kind: 'border', isBorder: false };
    if (this.#take('\\')) return { kind: 'set', ranges: this.#escape(false) };
    return { kind: 'set', ranges: toPoint(this.#next()) };
  }

  #group(): Expression {
    if (this.#peek('?<=') || this.#peek('?<!')) throw refuse('pattern (looking behind)', this.#path);
    const isWanted = this.#take('?=');
    const isAhead = isWanted || this.#take('?!');
    if (!isAhead && !this.#take('?:') && this.#take('?<')) while (this.#next() !== '>');
    if (this.#peek('?')) throw refuse('pattern (flags)', this.#path);
    const inner = this.#either();
    if (!this.#take(')')) throw rejectForm('be a regular expression', this.#path);
    return isAhead ? { kind: 'ahead', inner, isWanted } : inner;
  }

  #class(): Ranges {
    const isOpposite = this.#take('^');
    const pairs: [number, number][] = [];
    while (!this.#take(']')) {
      const first = this.#classAtom();
      const isRange = first.length === 2 && first[0] === first[1] && this.#peek('-') && this.#points[this.#at + 1] !== ']';
      if (!isRange) pairs.push(...toPairs(first));
      else {
        this.#at++;
        const last = this.#classAtom();
        // As in [a-\d], which stands for its three parts where the flag u does not forbid it.
        if (last.length === 2 && last[0] === last[1]) pairs.push([first[0]!, last[0]!]);
        else pairs.push(...toPairs(first), [0x2d, 0x2d], ...toPairs(last));
      }
    }
    const ranges = toRanges(pairs);
    return isOpposite ? complement(ranges) : ranges;
  }

  #classAtom(): Ranges {
    return this.#take('\\') ? this.#escape(true) : toPoint(this.#next());
  }

  #escape(isInClass: boolean): Ranges {
    const letter = this.#next();
    const named = findClass(letter);
    if (named !== undefined) return named;
    if ((letter === 'p' || letter === 'P') && this.#take('{')) return this.#property(letter === 'P');
    if (letter === 'u' || letter === 'x') return this.#hex(letter);
    if (letter === 'c') return [this.#next().charCodeAt(0) % 32].flatMap((code) => [code, code]);
    if (isInClass && letter === 'b') return [8, 8];
    if (letter === '0') return [0, 0];
    if (/[1-9]/.test(letter) || (letter === 'k' && this.#peek('<'))) throw refuse('pattern (back references)', this.#path);
    const control = { f: 0x0c, n: 0x0a, r: 0x0d, t: 0x09, v: 0x0b }[letter];
    return control === undefined ? toPoint(letter) : [control, control];
  }

  #property(isOpposite: boolean): Ranges {
    let name = '';
    for (let character = this.#next(); character !== '}'; character = this.#next()) name += character;
    const ranges = findProperty(this.#terms, name);
    if (ranges === undefined) throw refuse('pattern (a Unicode property)', this.#path);
    return isOpposite ? complement(ranges) : ranges;
  }

  #hex(letter: 'u' | 'x'): Ranges {
    const rest = this.#points.slice(this.#at, this.#at + 12).join('');
    const form = letter === 'x' ? /^([\da-f]{2})/i : /^(?:\{([\da-f]{1,6})\}|(d[89ab][\da-f]{2}\\ud[c-f][\da-f]{2})|([\da-f]{4}))/i;
    const found = form.exec(rest);
    if (found === null) return toPoint(letter);
    this.#at += found[0].length;
    const [high, low] = found[2]?.split('\\u').map((digits) => Number.parseInt(digits, 16)) ?? [];
    const point = high === undefined || low === undefined ? Number.parseInt(found[1] ?? found[3]!, 16) : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return toRanges([[point, point]]);
  }
}

function toPoint(character: string): Ranges {
  const point = character.codePointAt(0)!;
  return toRanges([[point, point]]);
}
