/**
 * Owns the cutting of a text into tokens: runs of letters, runs of digits, and every other character alone, in one pass. Keeps of each what the
 * rules ask for: its letters without case and accents, its shape, and what white space stands before it. A tag (`[NAME-1]`) is one token. Refuses nothing;
 * any string has tokens.
 */
import { tagAt } from './categories.ts';
import type { Lexicon } from './lexicon.ts';
import type { Span } from './types.ts';
import { cuesOf } from './words.ts';

export const Kind = { word: 1, number: 2, mark: 3, tag: 4 } as const;
export const Shape = { lower: 1, title: 2, upper: 3, mixed: 4 } as const;
/** What stands before a token: nothing, spaces, one line break, or an empty line (also the start of the text). */
export const Gap = { none: 0, space: 1, line: 2, blank: 3 } as const;

export interface Tokens {
  readonly text: string;
  readonly count: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly kinds: Uint8Array;
  readonly gaps: Uint8Array;
  /** Of words; 0 for others. */
  readonly shapes: Uint8Array;
  /** What the lists say of words (lexicon.ts), and which rules begin with them (words.ts); 0 for others. */
  readonly bits: Uint16Array;
  readonly cues: Uint8Array;
  /** Words folded (lower case, no accents), numbers as ASCII digits, marks as they are (full-width ones as ASCII, curly quotes straight), of tags the category. */
  readonly folded: readonly string[];
}

type Columns = Omit<Tokens, 'text' | 'count' | 'folded'>;

/** In one piece of memory: a short text would be read in less time than seven take to reserve. */
function createColumns(count: number): Columns {
  const room = new ArrayBuffer(count * 14);
  return {
    starts: new Int32Array(room, 0, count),
    ends: new Int32Array(room, count * 4, count),
    bits: new Uint16Array(room, count * 8, count),
    kinds: new Uint8Array(room, count * 10, count),
    gaps: new Uint8Array(room, count * 11, count),
    shapes: new Uint8Array(room, count * 12, count),
    cues: new Uint8Array(room, count * 13, count),
  };
}

export function tokenize(text: string, lexicon: Lexicon): Tokens {
  const columns = createColumns(text.length);
  const { starts, ends, kinds, gaps, shapes, bits, cues } = columns;
  const folded: string[] = [];
  let gap: number = Gap.blank;
  let at = 0;
  while (at < text.length) {
    const type = classAt(text, at);
    if (type <= line) {
      gap = widenGap(gap, type);
      at += 1;
      continue;
    }
    const start = at;
    const tag = text[at] === '[' ? tagAt(text, at) : undefined;
    at = tag?.end ?? endOfRun(text, at, type);
    const index = folded.length;
    starts[index] = start;
    ends[index] = at;
    gaps[index] = gap;
    gap = Gap.none;
    kinds[index] = tag !== undefined ? Kind.tag : type === letter ? Kind.word : type === digit ? Kind.number : Kind.mark;
    if (tag !== undefined) {
      folded.push(tag.category);
      continue;
    }
    const piece = text.slice(start, at);
    if (type !== letter) {
      folded.push(isAscii(piece) ? piece : foldMark(piece));
      continue;
    }
    const lower = piece.toLowerCase();
    const word = isAscii(lower) ? lower : foldAccents(lower);
    folded.push(word);
    shapes[index] = shapeOf(piece, lower);
    bits[index] = lexicon.look(word);
    cues[index] = cuesOf(word);
  }
  return { text, count: folded.length, ...columns, folded };
}

/** The tokens of the text with tags in the places of these spans, which are sorted, apart, and begin and end where tokens do; offsets stay those of the text. */
export function putTags(tokens: Tokens, spans: readonly Span[]): Tokens {
  const { text, starts, ends, kinds, gaps, shapes, bits, cues } = tokens;
  const kept = createColumns(tokens.count);
  const folded: string[] = [];
  let at = 0;
  for (let index = 0; index < tokens.count; index++) {
    const place = folded.length;
    const span = spans[at];
    const isTagged = span !== undefined && starts[index]! >= span.start;
    kept.starts[place] = starts[index]!;
    kept.gaps[place] = gaps[index]!;
    kept.kinds[place] = isTagged ? Kind.tag : kinds[index]!;
    kept.shapes[place] = isTagged ? 0 : shapes[index]!;
    kept.bits[place] = isTagged ? 0 : bits[index]!;
    kept.cues[place] = isTagged ? 0 : cues[index]!;
    folded.push(isTagged ? span.type : tokens.folded[index]!);
    if (isTagged) {
      while (index + 1 < tokens.count && starts[index + 1]! < span.end) index += 1;
      at += 1;
    }
    kept.ends[place] = ends[index]!;
  }
  return { text, count: folded.length, ...kept, folded };
}

const space = 0;
const line = 1;
const letter = 2;
const digit = 3;
const mark = 4;
const softHyphen = 0xad;

/** Of every code unit, so that no text leaves a trace in it. */
const classes = Uint8Array.from({ length: 0x10000 }, (_, unit) => classify(String.fromCharCode(unit)));

function classify(character: string): number {
  if (character === '\n' || character === '\r' || character === '\u2028' || character === '\u2029') return line;
  if (/^[\s\p{Cc}\u200b\u2060\ufeff]$/u.test(character)) return space;
  if (/^[\p{L}\p{M}]$/u.test(character)) return letter;
  return /^\p{Nd}$/u.test(character) ? digit : mark;
}

function classAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  return isHigh(unit) ? classify(String.fromCodePoint(text.codePointAt(at)!)) : classes[unit]!;
}

/** Marks stand alone, but never half of a pair; a soft hyphen inside of a word belongs to it. */
function endOfRun(text: string, start: number, type: number): number {
  let at = start + unitsAt(text, start);
  if (type === mark) return at;
  for (;;) {
    while (at < text.length && classes[text.charCodeAt(at)] === type) at += 1;
    const goesOn = at < text.length && (classAt(text, at) === type || (type === letter && text.charCodeAt(at) === softHyphen));
    if (!goesOn) return at;
    at += unitsAt(text, at);
  }
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function unitsAt(text: string, at: number): number {
  return isHigh(text.charCodeAt(at)) && text.codePointAt(at)! > 0xffff ? 2 : 1;
}

function widenGap(gap: number, type: number): number {
  if (type === line) return gap >= Gap.line ? Gap.blank : Gap.line;
  return Math.max(gap, Gap.space);
}

function shapeOf(word: string, lower: string): number {
  // Most words are.
  if (word === lower && word.charCodeAt(0) < 128) return Shape.lower;
  const upper = word.toUpperCase();
  if (word === lower) return word === upper ? Shape.title : Shape.lower;
  if (word === upper) return word.length === 1 ? Shape.title : Shape.upper;
  const rest = word.slice(1);
  return word[0] !== lower[0] && rest === rest.toLowerCase() ? Shape.title : Shape.mixed;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return false;
  return true;
}

function foldMark(piece: string): string {
  return piece
    .normalize('NFKC')
    .replace(/[‘’ʼ´`]/g, "'")
    .replace(/[“”]/g, '"')
    .replace(/[‐‑‒–—−]/g, '-');
}

/** Letters that have no decomposition but a usual spelling in ASCII. */
const plain: Readonly<Record<string, string>> = { ß: 'ss', ø: 'o', ł: 'l', đ: 'd', ð: 'd', æ: 'ae', œ: 'oe', þ: 'th', ı: 'i' };

/** Lower case without accents; the same as scripts/deid/make.py does to the lists. */
function foldAccents(lower: string): string {
  return lower
    .normalize('NFKD')
    .replace(/[\p{M}\u00ad]/gu, '')
    .replace(/[ßøłđðæœþı]/g, (character) => plain[character] ?? character);
}
