/**
 * Owns numbers as text: terms of all decimal texts of the numbers in a range, of multiples, of one number.
 * Bounded numbers are written without exponents: every number can be, and where its digits stand can then be compared with a bound's.
 */
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';

/** |number| = whole.part, both as digits; `part` without zeros at its end. */
interface Decimal {
  readonly isNegative: boolean;
  readonly whole: string;
  readonly part: string;
}

/** A number as its decimal digits. */
function toDecimal(value: number): Decimal {
  const [, sign, whole, part = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(String(value)) as unknown as string[];
  const shift = Number(exponent);
  const digits = whole! + part;
  const point = whole!.length + shift;
  const padded = point <= 0 ? '0'.repeat(1 - point) + digits : digits.padEnd(point, '0');
  const at = Math.max(point, 1);
  const cut = padded.slice(0, at).replace(/^0+(?=\d)/, '');
  const rest = padded.slice(at).replace(/0+$/, '');
  return { isNegative: sign === '-' && (cut !== '0' || rest !== ''), whole: cut, part: rest };
}

/** The digits of divisors, as a whole number, are below. */
const mostDivisor = 100_000n;

export class Numbers {
  readonly #terms: Terms;
  /** What RFC 8259 calls a number. */
  readonly json: Term;
  /** Those without an exponent. */
  readonly decimal: Term;
  /** Those without a point either. */
  readonly whole: Term;
  /** All decimal texts of whole numbers. */
  readonly integral: Term;
  readonly #digit: Term;
  readonly #digits: Term;
  readonly #natural: Term;

  constructor(terms: Terms) {
    this.#terms = terms;
    const optional = (term: Term): Term => terms.optional(term);
    this.#digit = terms.set([0x30, 0x39]);
    this.#digits = terms.repeat(this.#digit, 0, Number.POSITIVE_INFINITY);
    this.#natural = terms.either(terms.text('0'), terms.sequence(terms.set([0x31, 0x39]), this.#digits));
    const part = terms.sequence(terms.text('.'), this.#digit, this.#digits);
    const exponent = terms.sequence(terms.set([0x45, 0x45, 0x65, 0x65]), optional(terms.set([0x2b, 0x2b, 0x2d, 0x2d])), this.#digit, this.#digits);
    this.whole = terms.sequence(optional(terms.text('-')), this.#natural);
    this.integral = terms.sequence(this.whole, this.#tail(''));
    this.decimal = terms.sequence(this.whole, optional(part));
    this.json = terms.sequence(this.decimal, optional(exponent));
  }

  /** All decimal texts of one number. */
  all(value: number): Term {
    const { isNegative, whole, part } = toDecimal(value);
    const terms = this.#terms;
    const sign = whole === '0' && part === '' ? terms.optional(terms.text('-')) : terms.text(isNegative ? '-' : '');
    return terms.sequence(sign, terms.text(whole), this.#tail(part));
  }

  /** The usual text of one number. */
  one(value: number): Term {
    const { isNegative, whole, part } = toDecimal(value);
    return this.#terms.text(`${isNegative ? '-' : ''}${whole}${part === '' ? '' : `.${part}`}`);
  }

  /** Decimal texts of numbers from `bound` on; without the bound itself if `isOpen`. */
  atLeast(bound: number, isOpen: boolean): Term {
    const decimal = toDecimal(bound);
    const minus = this.#terms.text('-');
    if (decimal.isNegative) return this.#terms.either(this.#plain, this.#terms.sequence(minus, this.#below(decimal, isOpen)));
    const isZero = decimal.whole === '0' && decimal.part === '';
    const negativeZero = isZero && !isOpen ? this.#terms.sequence(minus, this.#zero) : this.#terms.empty;
    return this.#terms.either(this.#above(decimal, isOpen), negativeZero);
  }

  /** The same downwards. */
  atMost(bound: number, isOpen: boolean): Term {
    const decimal = toDecimal(bound);
    const minus = this.#terms.text('-');
    if (decimal.isNegative) return this.#terms.sequence(minus, this.#above(decimal, isOpen));
    const isZero = decimal.whole === '0' && decimal.part === '';
    const negative = isZero && isOpen ? this.#terms.both(this.#plain, this.#terms.not(this.#zero)) : this.#plain;
    return this.#terms.either(this.#below(decimal, isOpen), this.#terms.sequence(minus, negative));
  }

  /** Decimal texts of multiples; undefined for a divisor that is none, or has so many digits that rests cannot be told apart. */
  multiple(divisor: number): Term | undefined {
    if (!(divisor > 0) || !Number.isFinite(divisor)) return undefined;
    const { whole, part } = toDecimal(divisor);
    const terms = this.#terms;
    const unit = BigInt(whole + part);
    if (unit >= mostDivisor) return undefined;
    const signed = (text: Term): Term => terms.sequence(terms.optional(terms.text('-')), text);
    // With so many digits behind the point, all digits together must be a multiple of the divisor's, as far as its power of ten has not done it.
    const parts = Array.from({ length: part.length + 1 }, (_, count) => {
      const scale = 10n ** BigInt(part.length - count);
      const point = count === 0 ? terms.epsilon : terms.sequence(terms.text('.'), terms.repeat(this.#digit, count, count));
      const zeros = count === part.length ? (count === 0 ? this.#tail('') : terms.repeat(terms.text('0'), 0, Number.POSITIVE_INFINITY)) : terms.epsilon;
      return terms.sequence(terms.both(terms.sequence(this.#natural, point), terms.multiple(unit / gcd(unit, scale))), zeros);
    });
    return signed(terms.either(...parts));
  }

  get #plain(): Term {
    return this.#terms.sequence(this.#natural, this.#terms.optional(this.#terms.sequence(this.#terms.text('.'), this.#digit, this.#digits)));
  }

  get #zero(): Term {
    return this.#terms.sequence(this.#terms.text('0'), this.#tail(''));
  }

  /** A point with these digits, then zeros; nothing at all if there are none. */
  #tail(part: string): Term {
    const terms = this.#terms;
    const zeros = terms.repeat(terms.text('0'), 0, Number.POSITIVE_INFINITY);
    if (part !== '') return terms.sequence(terms.text(`.${part}`), zeros);
    return terms.optional(terms.sequence(terms.text('.0'), zeros));
  }

  /** Unsigned texts of numbers above the bound's size, or equal unless open. */
  #above({ whole, part }: Decimal, isOpen: boolean): Term {
    const terms = this.#terms;
    const longer = terms.sequence(terms.set([0x31, 0x39]), terms.repeat(this.#digit, whole.length, Number.POSITIVE_INFINITY));
    const anyPart = terms.optional(terms.sequence(terms.text('.'), this.#digit, this.#digits));
    const greater = Array.from(whole, (digit, i) =>
      terms.sequence(terms.text(whole.slice(0, i)), this.#after(digit), terms.repeat(this.#digit, whole.length - i - 1, whole.length - i - 1)),
    );
    const parts = Array.from(part, (digit, i) => terms.sequence(terms.text(`.${part.slice(0, i)}`), this.#after(digit), this.#digits));
    const nonZero = terms.sequence(this.#digits, terms.set([0x31, 0x39]), this.#digits);
    const point = part === '' ? terms.text('.') : terms.epsilon;
    const beyond = terms.sequence(terms.text(part === '' ? '' : `.${part}`), point, nonZero);
    const equal = isOpen ? terms.empty : this.#tail(part);
    return terms.either(terms.sequence(terms.either(longer, ...greater), anyPart), terms.sequence(terms.text(whole), terms.either(...parts, beyond, equal)));
  }

  /** The same downwards: all that is not above. */
  #below(decimal: Decimal, isOpen: boolean): Term {
    return this.#terms.both(this.#plain, this.#terms.not(this.#above(decimal, !isOpen)));
  }

  #after(digit: string): Term {
    return digit === '9' ? this.#terms.empty : this.#terms.set([digit.charCodeAt(0) + 1, 0x39]);
  }
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b);
}
