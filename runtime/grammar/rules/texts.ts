/**
 * Owns the automaton of rules and expressions: one frame holds every place that the text so far may be at, each a term and
 * what must follow it. What follows is a list that ways with the same future share. A value of JSON is read by frames on top of it.
 * Refuses more places at once than a bound, and two schemas at one place.
 */
import { InwardError } from '../../errors.ts';
import { Frame, Interned, type Outcome, Push, tokenBase } from '../frame.ts';
import { refuse } from '../refusal.ts';
import { Characters, Scan, splitReadings } from '../scan.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';
import type { Door } from './doors.ts';
import { isDoor, isRule, type RuleSymbol } from './rules.ts';

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

/** Something that is no text may come, with what must follow it. */
interface Waiting {
  readonly door: Door;
  readonly future: Future | undefined;
}

/** Places at once, and whether the text may end here. */
interface Opening {
  readonly readings: readonly Reading[];
  readonly waiting: readonly Waiting[];
  readonly isEnd: boolean;
}

const nowhere: Opening = { readings: [], waiting: [], isEnd: false };

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
    return this.#toScan([{ ...nowhere, readings: readings.filter(({ term }) => term !== this.terms.epsilon) }, ...done]);
  }

  /** Behind doors; null where there were none. */
  behind(waiting: readonly Waiting[]): Frame | null {
    return waiting.length === 0 ? null : this.#toScan(waiting.map(({ future }) => this.#open(future))).frame;
  }

  #follow(symbol: RuleSymbol, rest: Future | undefined): Future {
    return this.#futures.get(`${this.#number(symbol)},${rest?.id ?? 0}`, () => ({ id: this.#futureCount++, symbol, rest, opening: undefined }));
  }

  #number(symbol: RuleSymbol): number {
    const number = this.#symbols.get(symbol) ?? this.#symbols.size;
    this.#symbols.set(symbol, number);
    return number;
  }

  #open(future: Future | undefined): Opening {
    if (future === undefined) return { ...nowhere, isEnd: true };
    if (future.opening !== undefined) return future.opening;
    const { symbol, rest } = future;
    const parts = isRule(symbol)
      ? symbol.alternatives.map((symbols) => this.#open(symbols.reduceRight<Future | undefined>((behind, each) => this.#follow(each, behind), rest)))
      : isDoor(symbol)
        ? [{ ...nowhere, waiting: [{ door: symbol, future: rest }] }]
        : [{ ...nowhere, readings: symbol === this.terms.epsilon ? [] : [{ term: symbol, future: rest }] }, ...(symbol.isNullable ? [this.#open(rest)] : [])];
    return (future.opening = {
      readings: parts.flatMap(({ readings }) => readings),
      waiting: parts.flatMap(({ waiting }) => waiting),
      isEnd: parts.some(({ isEnd }) => isEnd),
    });
  }

  #toScan(parts: readonly Opening[]): TextScan {
    const byKey = new Map(parts.flatMap(({ readings }) => readings.map((reading) => [`${reading.future?.id ?? 0}:${reading.term.id}`, reading])));
    if (byKey.size > mostReadings) throw new InwardError('grammar_too_large', { what: 'ways to read the same text', limit: mostReadings });
    const isEnd = parts.some((part) => part.isEnd);
    const waiting = new Map(parts.flatMap((part) => part.waiting.map((each) => [`${this.#number(each.door)}:${each.future?.id ?? 0}`, each])));
    const key = `${isEnd}|${[...byKey.keys()].sort().join()}|${[...waiting.keys()].sort().join()}`;
    return this.#scans.get(key, () => new TextScan(this, [...byKey.values()], [...waiting.values()], isEnd, this.#scanCount++));
  }
}

class TextScan extends Scan {
  readonly id: number;
  readonly frame: Frame;
  readonly #texts: Texts;
  readonly #readings: readonly Reading[];
  #segments: Scan['segments'] | undefined;

  constructor(texts: Texts, readings: readonly Reading[], waiting: readonly Waiting[], isEnd: boolean, id: number) {
    super();
    [this.#texts, this.#readings, this.id] = [texts, readings, id];
    this.frame = new TextFrame(texts, this, waiting, isEnd);
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
  override readonly tokens: readonly number[];
  readonly #texts: Texts;
  readonly #scan: TextScan;
  readonly #waiting: readonly Waiting[];
  readonly #value: Extract<Door, { readonly kind: 'value' }> | undefined;
  readonly #isEnd: boolean;

  constructor(texts: Texts, scan: TextScan, waiting: readonly Waiting[], isEnd: boolean) {
    super();
    [this.#texts, this.#scan, this.#waiting, this.#isEnd] = [texts, scan, waiting, isEnd];
    const values = new Set(waiting.flatMap(({ door }) => (door.kind === 'value' ? [door] : [])));
    if (values.size > 1) throw refuse('%json (two at one place)', 'the grammar');
    [this.#value] = values;
    this.tokens = waiting.flatMap(({ door }) => (door.kind === 'token' ? [door.id] : []));
  }

  override get isComplete(): boolean {
    return this.#isEnd;
  }

  /** Where text could come as well, a value goes first. */
  protected override answer(byte: number): Outcome | null {
    if (byte >= tokenBase) return this.#texts.behind(this.#waiting.filter(({ door }) => door.kind === 'token' && door.id === byte - tokenBase));
    const value = this.#value?.values.open([this.#value.shape], byte);
    if (value != null) return new Push(this, value);
    return byte < 0x80 ? (this.#scan.step(byte)?.frame ?? null) : this.#texts.characters.start(this.#scan, byte);
  }

  protected override receive(): Frame | null {
    return this.#texts.behind(this.#waiting.filter(({ door }) => door === this.#value));
  }
}
