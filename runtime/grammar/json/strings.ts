/**
 * Owns strings of JSON behind their first quote: each character raw or escaped, read by terms over what the string means. Usually there is one
 * way to write each, that of JSON.stringify: a model that may choose between \u0061 and a writes texts that nobody expects.
 * The exit tells which goals the whole string met. Refuses escapes of lone surrogates, which no text in UTF-8 has (RFC 7493).
 */
import { Exit, Frame, Interned, type Outcome } from '../frame.ts';
import { Characters, orderReadings, type Reading, Scan, splitReadings } from '../scan.ts';
import { isLive } from '../terms/derive.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';

/** By the byte behind a backslash, the character. */
const escapes: ReadonlyMap<number, number> = new Map([...'"\\/bfnrt'].map((letter, i) => [letter.charCodeAt(0), '"\\/\b\f\n\r\t'.charCodeAt(i)]));
const [quote, backslash, slash, letterU] = [0x22, 0x5c, 0x2f, 0x75];
/** As numbers: a token is a step with a large one (frame.ts), which would be cut to a character. */
const hexDigits: readonly number[] = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
/** Controls without a letter of their own. */
const unnamed = [[0, 7], [0xb, 0xb], [0xe, 0x1f]] as const; // biome-ignore format: one line

/**
 * How JSON is written. `usual`: strings as JSON.stringify writes them, and between tokens one space, or a line break with indentation of up to 64
 * characters. `any`: whatever RFC 8259 allows.
 */
export type Writing = 'usual' | 'any';

/** Makes the frames of strings, each once. */
export class Strings {
  readonly terms: Terms;
  readonly exits: Exits;
  readonly writing: Writing;
  readonly characters: Characters = new Characters();
  readonly #scans = new Interned<StringScan>();
  readonly #frames = new Interned<Frame>();
  #count = 0;

  constructor(terms: Terms, exits: Exits, writing: Writing) {
    [this.terms, this.exits, this.writing] = [terms, exits, writing];
  }

  /** The frame behind the first quote; null where no string can be. */
  open(readings: readonly Reading[]): Frame | null {
    const live = readings.filter(({ term }) => isLive(this.terms, term));
    return live.length === 0 ? null : this.scan(live).frame;
  }

  scan(readings: readonly Reading[]): StringScan {
    const { key, readings: sorted } = orderReadings(readings);
    return this.#scans.get(key, () => new StringScan(this, sorted, this.#count++));
  }

  escape(scan: StringScan): Frame | null {
    const ranges = this.writing === 'any' ? [[0, 0xffff], [0x10000, 0x10ffff]] as const : [[0, 0x1f], [quote, quote], [backslash, backslash]] as const; // biome-ignore format: one line
    return canTakeSome(scan, ranges) ? this.#frames.get(`e${scan.id}`, () => new EscapeFrame(this, scan)) : null;
  }

  /** Within \uXXXX: digits read so far, and the surrogate before it if there was one. */
  hex(scan: StringScan, value: number, digits: number, high = 0): Frame | null {
    const [first, last] = [value << (4 * (4 - digits)), ((value + 1) << (4 * (4 - digits))) - 1];
    const takes = high !== 0 ? canTakeLow : this.writing === 'any' ? canTakeUnit : canTakeUnnamed;
    if (!takes(scan, first, last, high)) return null;
    return digits === 4
      ? this.#fromUnit(scan, value, high)
      : this.#frames.get(`h${scan.id},${value},${digits},${high}`, () => new HexFrame(this, scan, value, digits, high));
  }

  #fromUnit(scan: StringScan, unit: number, high: number): Frame | null {
    if (high !== 0) return scan.step(0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00))?.frame ?? null;
    if (unit < 0xd800 || unit > 0xdbff) return scan.step(unit)?.frame ?? null;
    if (scan.stepRange(planeOf(unit), planeOf(unit) + 0x3ff) === undefined) return null;
    return this.#frames.get(`p${scan.id},${unit}`, () => new PairFrame(this, scan, unit, false));
  }

  pair(scan: StringScan, high: number): Frame {
    return this.#frames.get(`q${scan.id},${high}`, () => new PairFrame(this, scan, high, true));
  }
}

/** Exits, each once. */
export class Exits {
  readonly #made = new Interned<Exit>();

  get(taken: readonly number[], isConsumed: boolean): Exit {
    return this.#made.get(`${taken.join()}|${isConsumed}`, () => new Exit(taken, isConsumed));
  }
}

export class StringScan extends Scan {
  readonly id: number;
  readonly frame: Frame;
  readonly #strings: Strings;
  readonly #readings: readonly Reading[];
  #segments: Scan['segments'] | undefined;

  constructor(strings: Strings, readings: readonly Reading[], id: number) {
    super();
    [this.#strings, this.#readings, this.id] = [strings, readings, id];
    const goals = [...new Set(readings.filter(({ term }) => term.isNullable).map(({ goal }) => goal))];
    this.frame = new StringFrame(strings, this, goals, findFreedom(readings));
  }

  get segments(): Scan['segments'] {
    if (this.#segments === undefined) {
      const parts = splitReadings(this.#strings.terms, this.#readings);
      const next = parts.map(({ readings }) => this.#strings.scan(readings));
      this.#segments = { firsts: parts.map(({ first }) => first), lasts: parts.map(({ last }) => last), next };
    }
    return this.#segments;
  }
}

/** Between two characters. */
class StringFrame extends Frame {
  readonly #strings: Strings;
  readonly #scan: StringScan;
  readonly #goals: readonly number[];

  constructor(strings: Strings, scan: StringScan, goals: readonly number[], freedom: number) {
    super(freedom);
    [this.#strings, this.#scan, this.#goals] = [strings, scan, goals];
  }

  protected override answer(byte: number): Outcome | null {
    if (byte === quote) return this.#goals.length === 0 ? null : this.#strings.exits.get(this.#goals, true);
    if (byte === backslash) return this.#strings.escape(this.#scan);
    if (byte < 0x20) return null;
    return byte < 0x80 ? (this.#scan.step(byte)?.frame ?? null) : this.#strings.characters.start(this.#scan, byte);
  }
}

/** Behind a backslash. */
class EscapeFrame extends Frame {
  readonly #strings: Strings;
  readonly #scan: StringScan;

  constructor(strings: Strings, scan: StringScan) {
    super();
    [this.#strings, this.#scan] = [strings, scan];
  }

  protected override answer(byte: number): Outcome | null {
    if (byte === letterU) return this.#strings.hex(this.#scan, 0, 0);
    const point = byte === slash && this.#strings.writing === 'usual' ? undefined : escapes.get(byte);
    return point === undefined ? null : (this.#scan.step(point)?.frame ?? null);
  }
}

class HexFrame extends Frame {
  readonly #strings: Strings;
  readonly #scan: StringScan;
  readonly #value: number;
  readonly #digits: number;
  readonly #high: number;

  constructor(strings: Strings, scan: StringScan, value: number, digits: number, high: number) {
    super();
    [this.#strings, this.#scan, this.#value, this.#digits, this.#high] = [strings, scan, value, digits, high];
  }

  protected override answer(byte: number): Outcome | null {
    const digit = hexDigits.indexOf(byte | (byte >= 0x41 && this.#strings.writing === 'any' ? 0x20 : 0));
    return digit < 0 ? null : this.#strings.hex(this.#scan, this.#value * 16 + digit, this.#digits + 1, this.#high);
  }
}

/** Between the two escapes of a character beyond the basic plane: a backslash, then u. */
class PairFrame extends Frame {
  readonly #strings: Strings;
  readonly #scan: StringScan;
  readonly #high: number;
  readonly #isEscaped: boolean;

  constructor(strings: Strings, scan: StringScan, high: number, isEscaped: boolean) {
    super();
    [this.#strings, this.#scan, this.#high, this.#isEscaped] = [strings, scan, high, isEscaped];
  }

  protected override answer(byte: number): Outcome | null {
    if (!this.#isEscaped) return byte === backslash ? this.#strings.pair(this.#scan, this.#high) : null;
    return byte === letterU ? this.#strings.hex(this.#scan, 0, 0, this.#high) : null;
  }
}

const planeOf = (high: number): number => 0x10000 + ((high - 0xd800) << 10);

function canTakeSome(scan: Scan, ranges: readonly (readonly [number, number])[]): boolean {
  return ranges.some(([first, last]) => first <= last && scan.stepRange(first, last) !== undefined);
}

function canTakeUnnamed(scan: Scan, first: number, last: number): boolean {
  return canTakeSome(scan, unnamed.map(([from, to]) => [Math.max(first, from), Math.min(last, to)])); // biome-ignore format: one line
}

/** Whether a unit of UTF-16 in this range can come: a character of the basic plane, or the first half of another one. */
function canTakeUnit(scan: Scan, first: number, last: number): boolean {
  if (scan.stepRange(first, last) !== undefined) return true;
  const [high, highest] = [Math.max(first, 0xd800), Math.min(last, 0xdbff)];
  return high <= highest && scan.stepRange(planeOf(high), planeOf(highest) + 0x3ff) !== undefined;
}

function canTakeLow(scan: Scan, first: number, last: number, high: number): boolean {
  const [low, lowest] = [Math.max(first, 0xdc00), Math.min(last, 0xdfff)];
  return low <= lowest && scan.stepRange(planeOf(high) + low - 0xdc00, planeOf(high) + lowest - 0xdc00) !== undefined;
}

/** See Frame.freedom: some reading goes on whatever comes, for so many characters. */
function findFreedom(readings: readonly Reading[]): number {
  return readings.reduce((most, { term }) => Math.max(most, freedomOf(term)), -1);
}

function freedomOf({ form }: Term): number {
  if (form.kind === 'repeat' && form.inner.form.kind === 'set' && form.inner.form.ranges.at(-1) === 0x10ffff && form.inner.form.ranges.join() === anyKey)
    return form.most;
  // All texts but a few: behind whatever text there is another one.
  return form.kind === 'not' && hasFewTexts(form.inner) ? Number.POSITIVE_INFINITY : -1;
}
const anyKey = '0,55295,57344,1114111';

/** Whether a term has finitely many texts, as far as its form shows. */
function hasFewTexts(term: Term): boolean {
  let { form } = term;
  for (; form.kind === 'sequence'; { form } = form.rest) if (!hasFewTexts(form.first)) return false;
  switch (form.kind) {
    case 'empty':
    case 'epsilon':
    case 'set':
      return true;
    case 'either':
      return form.members.every(hasFewTexts);
    case 'repeat':
      return form.most < Number.POSITIVE_INFINITY && hasFewTexts(form.inner);
    default:
      return false;
  }
}
