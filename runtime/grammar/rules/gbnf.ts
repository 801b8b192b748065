/**
 * Owns grammars in GBNF, as llama.cpp writes them: `root ::= "a" rule+ [^\n]{2,5} <[7]> | ( ... )`, comments behind #; with `%json` and a schema as
 * LLGuidance has it, `%text` for what its strings mean without quotes, `%bare` for its numbers and words, and `%without` for every text in which another one does not occur. Text -> trees of rules.
 * Refuses what has no rule called root. Sources: llama.cpp grammars/README.md, LLGuidance docs/syntax.md.
 */
import { checkDepth, rejectForm } from '../refusal.ts';
import { buildScalar, buildValue } from '../schema/index.ts';
import { anyRanges, complement, toRanges } from '../terms/ranges.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';
import type { RuleTree } from './rules.ts';

const start = 'root';

export function parseGbnf(terms: Terms, source: string): { readonly trees: ReadonlyMap<string, RuleTree>; readonly start: string } {
  const trees = new Parser(terms, source).parse();
  if (!trees.has(start)) throw rejectForm('have a rule called root', 'the grammar');
  return { trees, start };
}

class Parser {
  readonly #terms: Terms;
  readonly #source: string;
  #at = 0;

  constructor(terms: Terms, source: string) {
    [this.#terms, this.#source] = [terms, source];
  }

  parse(): ReadonlyMap<string, RuleTree> {
    const trees = new Map<string, RuleTree>();
    for (this.#skip(); this.#at < this.#source.length; this.#skip()) {
      this.#terms.budget.spend('sources');
      const name = this.#match(/[\w-]+/y);
      if (name === undefined || this.#skipped(/::=/y) === undefined) throw this.#fail();
      if (trees.has(name)) throw rejectForm('define each rule once', this.#place());
      trees.set(name, this.#either(0));
    }
    return trees;
  }

  #either(depth: number): RuleTree {
    checkDepth(depth);
    const parts = [this.#sequence(depth)];
    while (this.#skipped(/\|/y) !== undefined) parts.push(this.#sequence(depth));
    return parts.length === 1 ? parts[0]! : { kind: 'either', parts };
  }

  #sequence(depth: number): RuleTree {
    const parts: RuleTree[] = [];
    for (let part = this.#atom(depth); part !== undefined; part = this.#atom(depth)) parts.push(this.#repeated(part));
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  #repeated(inner: RuleTree): RuleTree {
    const mark = this.#skipped(/[*+?]|\{\d+(,\d*)?\}/y);
    if (mark === undefined) return inner;
    const infinite = Number.POSITIVE_INFINITY;
    if (mark === '*') return { kind: 'repeat', inner, least: 0, most: infinite };
    if (mark === '+') return { kind: 'repeat', inner, least: 1, most: infinite };
    if (mark === '?') return { kind: 'repeat', inner, least: 0, most: 1 };
    const [least, most] = mark.slice(1, -1).split(',');
    return { kind: 'repeat', inner, least: Number(least), most: most === undefined ? Number(least) : most === '' ? infinite : Number(most) };
  }

  #atom(depth: number): RuleTree | undefined {
    this.#skip();
    const next = this.#source[this.#at];
    if (next === '"') return { kind: 'term', term: this.#terms.text(this.#literal()) };
    if (next === '[') return { kind: 'term', term: this.#class() };
    if (next === '.') {
      this.#at++;
      return { kind: 'term', term: this.#terms.set(anyRanges) };
    }
    if (next === '(') {
      this.#at++;
      const inner = this.#either(depth + 1);
      if (this.#skipped(/\)/y) === undefined) throw this.#fail();
      return inner;
    }
    if (next === '<') return { kind: 'door', door: { kind: 'token', id: this.#token() } };
    if (next === '%') return this.#extension(depth);
    // A name with ::= behind it begins the next rule.
    const name = this.#match(/[\w-]+(?!\s*::=|[\w-])/y);
    return name === undefined ? undefined : { kind: 'rule', name };
  }

  #token(): number {
    const mark = this.#match(/<\[\d{1,7}\]>/y);
    if (mark === undefined) throw this.#fail();
    return Number(mark.slice(2, -2));
  }

  #extension(depth: number): RuleTree {
    if (this.#match(/%without\b/y) !== undefined) return { kind: 'term', term: this.#without(depth) };
    if (this.#match(/%text\s*/y) !== undefined) {
      const text = buildScalar(this.#terms, this.#json(), 'string');
      const rest = this.#skipped(/%without\b/y) === undefined ? this.#terms.all : this.#without(depth);
      return { kind: 'term', term: this.#terms.both(text, rest) };
    }
    if (this.#match(/%bare\s*/y) !== undefined) return { kind: 'term', term: buildScalar(this.#terms, this.#json(), 'bare') };
    if (this.#match(/%json\s*/y) === undefined) throw this.#fail();
    const value = buildValue(this.#terms, this.#json());
    // What no value meets is no way, and others may be there.
    return value.shape.isLive ? { kind: 'door', door: { kind: 'value', ...value } } : { kind: 'term', term: this.#terms.empty };
  }

  /** Texts in which none of the texts that follow occurs. */
  #without(depth: number): Term {
    const terms = this.#terms;
    const inner = this.#atom(depth + 1);
    const parts = (inner?.kind === 'either' ? inner.parts : [inner]).map((part) => (part?.kind === 'term' ? part.term : undefined));
    if (!parts.every((part) => part !== undefined)) throw this.#fail();
    return terms.not(terms.sequence(terms.all, terms.either(...parts), terms.all));
  }

  /** One value of JSON, which ends with the bracket that it began with. */
  #json(): unknown {
    const start = this.#at;
    let depth = 0;
    do {
      const mark = this.#match(/(?:[^"[\]{}]|"(?:[^"\\]|\\.)*")*[[\]{}]/y);
      if (mark === undefined) throw this.#fail();
      depth += mark.endsWith('{') || mark.endsWith('[') ? 1 : -1;
    } while (depth > 0);
    try {
      return JSON.parse(this.#source.slice(start, this.#at));
    } catch {
      // What the parser throws would quote.
      throw this.#fail();
    }
  }

  #literal(): string {
    this.#at++;
    let text = '';
    while (this.#match(/"/y) === undefined) text += this.#character();
    return text;
  }

  #class(): ReturnType<Terms['set']> {
    this.#at++;
    const isOpposite = this.#match(/\^/y) !== undefined;
    const pairs: [number, number][] = [];
    while (this.#match(/\]/y) === undefined) {
      const first = this.#character().codePointAt(0)!;
      const isRange = this.#match(/-(?!\])/y) !== undefined;
      pairs.push([first, isRange ? this.#character().codePointAt(0)! : first]);
    }
    const ranges = toRanges(pairs);
    return this.#terms.set(isOpposite ? complement(ranges) : ranges);
  }

  #character(): string {
    const escaped = this.#match(/\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[nrt\\"[\]^-])/y);
    if (escaped === undefined) {
      const plain = this.#match(/[^\\]/uy);
      if (plain === undefined) throw this.#fail();
      return plain;
    }
    const simple = { n: '\n', r: '\r', t: '\t' }[escaped[1]!];
    if (simple !== undefined || escaped.length === 2) return simple ?? escaped[1]!;
    const point = Number.parseInt(escaped.slice(2), 16);
    if (point > 0x10ffff) throw this.#fail();
    return String.fromCodePoint(point);
  }

  #match(form: RegExp): string | undefined {
    form.lastIndex = this.#at;
    const found = form.exec(this.#source)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skip(): void {
    this.#match(/(?:\s|#[^\n]*)*/y);
  }

  #skipped(form: RegExp): string | undefined {
    this.#skip();
    return this.#match(form);
  }

  #place(): string {
    return `line ${this.#source.slice(0, this.#at).split('\n').length}`;
  }

  #fail(): Error {
    return rejectForm('follow the syntax of GBNF', this.#place());
  }
}
