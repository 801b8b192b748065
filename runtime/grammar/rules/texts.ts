/**
 * Owns the automaton of rules and expressions: one frame holds every place that the text so far may be at, each a term and
 * what must follow it. What follows is a list that ways with the same future share. Refuses more places at once than a bound.
 */
import { InwardError } from '../../errors.ts';
import { Frame, Interned, type Outcome } from '../frame.ts';
import { Characters, Scan, splitReadings } from '../scan.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';
import { isRule, type RuleSymbol } from './rules.ts';

/** What must follow: a symbol, then the rest. */
interface Future {
  readonly id: number;
  readonly symbol: RuleSymbol;
  readonly rest: Future | undefined;
  opening: Opening | undefined;
}

/** One place: within a term, with what must follow it. */
interface Reading {
  readonly term: Term;
  readonly future: Future | undefined;
}

/** Places at once, and whether the text may end here. */
interface Opening {
  readonly readings: readonly Reading[];
  readonly isEnd: boolean;
}

const mostReadings = 4096;

export class Texts {
  readonly terms: Terms;
  readonly characters: Characters = new Characters();
  readonly #scans = new Interned<TextScan>();
  readonly #futures = new Interned<Future>();
  readonly #symbols = new Map<RuleSymbol, number>();
  #scanCount = 0;
  #futureCount = 1;

  constructor(terms: Terms) {
    this.terms = terms;
  }

  /** The frame before a text that the symbol makes. */
  start(symbol: RuleSymbol): Frame {
    return this.#toScan([this.#open(this.#follow(symbol, undefined))]).frame;
  }

  /** After a step: what is left of terms, and what follows those that may be done. */
  after(readings: readonly Reading[]): TextScan {
    const done = readings.filter(({ term }) => term.isNullable).map(({ future }) => this.#open(future));
    return this.#toScan([{ readings: readings.filter(({ term }) => term !== this.terms.epsilon), isEnd: false }, ...done]);
  }

  #follow(symbol: RuleSymbol, rest: Future | undefined): Future {
    const number = this.#symbols.get(symbol) ?? this.#symbols.size;
    this.#symbols.set(symbol, number);
    return this.#futures.get(`${number},${rest?.id ?? 0}`, () => ({ id: this.#futureCount++, symbol, rest, opening: undefined }));
  }

  #open(future: Future | undefined): Opening {
    if (future === undefined) return { readings: [], isEnd: true };
    if (future.opening !== undefined) return future.opening;
    const { symbol, rest } = future;
    const parts = isRule(symbol)
      ? symbol.alternatives.map((symbols) => this.#open(symbols.reduceRight<Future | undefined>((behind, each) => this.#follow(each, behind), rest)))
      : [{ readings: symbol === this.terms.epsilon ? [] : [{ term: symbol, future: rest }], isEnd: false }, ...(symbol.isNullable ? [this.#open(rest)] : [])];
    return (future.opening = { readings: parts.flatMap(({ readings }) => readings), isEnd: parts.some(({ isEnd }) => isEnd) });
  }

  #toScan(parts: readonly Opening[]): TextScan {
    const byKey = new Map(parts.flatMap(({ readings }) => readings.map((reading) => [`${reading.future?.id ?? 0}:${reading.term.id}`, reading])));
    if (byKey.size > mostReadings) throw new InwardError('grammar_too_large', { what: 'ways to read the same text', limit: mostReadings });
    const isEnd = parts.some((part) => part.isEnd);
    const key = `${isEnd}|${[...byKey.keys()].sort().join()}`;
    return this.#scans.get(key, () => new TextScan(this, [...byKey.values()], isEnd, this.#scanCount++));
  }
}

class TextScan extends Scan {
  readonly id: number;
  readonly frame: Frame;
  readonly #texts: Texts;
  readonly #readings: readonly Reading[];
  #segments: Scan['segments'] | undefined;

  constructor(texts: Texts, readings: readonly Reading[], isEnd: boolean, id: number) {
    super();
    [this.#texts, this.#readings, this.id] = [texts, readings, id];
    this.frame = new TextFrame(texts, this, isEnd);
  }

  get segments(): Scan['segments'] {
    if (this.#segments === undefined) {
      const readings = this.#readings.map(({ term }, goal) => ({ goal, term }));
      const parts = splitReadings(this.#texts.terms, readings);
      const next = parts.map((part) => this.#texts.after(part.readings.map(({ goal, term }) => ({ term, future: this.#readings[goal]!.future }))));
      this.#segments = { firsts: parts.map(({ first }) => first), lasts: parts.map(({ last }) => last), next };
    }
    return this.#segments;
  }
}

class TextFrame extends Frame {
  readonly #texts: Texts;
  readonly #scan: TextScan;
  readonly #isEnd: boolean;

  constructor(texts: Texts, scan: TextScan, isEnd: boolean) {
    super();
    [this.#texts, this.#scan, this.#isEnd] = [texts, scan, isEnd];
  }

  override get isComplete(): boolean {
    return this.#isEnd;
  }

  protected override answer(byte: number): Outcome | null {
    return byte < 0x80 ? (this.#scan.step(byte)?.frame ?? null) : this.#texts.characters.start(this.#scan, byte);
  }
}
