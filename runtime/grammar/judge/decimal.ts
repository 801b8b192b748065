/** Owns numbers of JSON as they are written, compared exactly: an answer may have more digits than a float has. Refuses to compute with long exponents. */

export class Decimal {
  readonly sign: -1 | 0 | 1;
  /** Without zeros at either end; '' for 0. */
  readonly #digits: string;
  readonly #exponent: number;

  /** `text`: a number of JSON. */
  constructor(text: string) {
    const [, minus, whole = '', part = '', power = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
    const digits = (whole + part).replace(/^0+/, '');
    this.#digits = digits.replace(/0+$/, '');
    this.sign = this.#digits === '' ? 0 : minus === '-' ? -1 : 1;
    this.#exponent = this.sign === 0 ? 0 : Number(power) - part.length + digits.length - this.#digits.length;
  }

  static of(value: number): Decimal {
    return new Decimal(String(value));
  }

  /** The same for the same number, however it is written. */
  get key(): string {
    return `${this.sign},${this.#digits},${this.#exponent}`;
  }

  get isWhole(): boolean {
    return this.#exponent >= 0;
  }

  /** Below 0, 0 or above 0, as this is less than the other, the same, or more. */
  compare(other: Decimal): number {
    if (this.sign !== other.sign || this.sign === 0) return this.sign - other.sign;
    const [own, others] = [this, other].map((each) => each.#digits.length + each.#exponent) as [number, number];
    if (own !== others) return this.sign * (own - others);
    const length = Math.max(this.#digits.length, other.#digits.length);
    const [a, b] = [this.#digits.padEnd(length, '0'), other.#digits.padEnd(length, '0')];
    return a === b ? 0 : this.sign * (a < b ? -1 : 1);
  }

  isMultipleOf(divisor: Decimal): boolean {
    const least = Math.min(this.#exponent, divisor.#exponent);
    if (Math.max(this.#exponent, divisor.#exponent) - least > longestShift) return false;
    const scale = ({ sign, exponent, digits }: { readonly sign: number; readonly exponent: number; readonly digits: string }): bigint =>
      BigInt(sign) * BigInt(digits || '0') * 10n ** BigInt(exponent - least);
    const [own, other] = [this, divisor].map((each) => scale({ sign: each.sign, exponent: each.#exponent, digits: each.#digits })) as [bigint, bigint];
    return other !== 0n && own % other === 0n;
  }
}

/** What has to be a multiple is written without an exponent. */
const longestShift = 100_000;
