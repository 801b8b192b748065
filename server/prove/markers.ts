/**
 * Owns the markers of a proof: random words that go into requests and must be found nowhere afterwards, and the forms in which they
 * are looked for. All markers of a run begin with the same random stem, so that one search finds any of them. Refuses to let one into a report.
 */
import { randomInt } from 'node:crypto';

const letters = 'abcdefghijklmnopqrstuvwxyz';
/** Letters only, so that tokenizers and parsers keep a marker in one piece. 26 to the power of 12 stems: none is there by chance. */
const stemLength = 12;
/** Behind the stem; 16 or more random characters make each marker its own. */
const tailLength = 16;

/** How a marker may have been written down. */
export type Form = 'plain' | 'upper case' | 'UTF-16' | 'hexadecimal' | 'base64' | 'JSON escapes';

export interface Needle {
  readonly form: Form;
  readonly bytes: Buffer;
}

const randomLetters = (length: number): string => Array.from({ length }, () => letters[randomInt(letters.length)]).join('');

export class Markers {
  readonly stem: string;
  /** Of files and streams. */
  readonly needles: readonly Needle[];
  /** Of memory: as Node keeps text. */
  readonly memoryNeedles: readonly Buffer[];
  #count = 0;

  constructor(stem: string = randomLetters(stemLength)) {
    this.stem = stem;
    this.needles = listNeedles(stem);
    this.memoryNeedles = [Buffer.from(stem, 'latin1'), Buffer.from(stem, 'utf16le')];
  }

  /** Markers made so far. */
  get count(): number {
    return this.#count;
  }

  /** A new one. */
  readonly next = (): string => {
    this.#count++;
    return `${this.stem}${randomLetters(tailLength)}`;
  };

  /** How often a marker is in these bytes, in any form. */
  countIn(bytes: Buffer): number {
    return this.needles.reduce((sum, { bytes: needle }) => sum + countOf(bytes, needle), 0);
  }

  /** What is said about a place whose name may hold one. */
  hide(text: string): string {
    return text.replace(new RegExp(`${this.stem}[a-z]*`, 'gi'), '(marker)');
  }
}

/** First and last ids depend on what stands beside a word. */
const idMargin = 1;

/** How the ids of a word lie in memory: as words of 32 bits, and as V8 keeps small numbers in an array. Nothing where they are too few to be told from chance. */
export function listIdNeedles(ids: Uint32Array): readonly Buffer[] {
  const inner = ids.slice(idMargin, ids.length - idMargin).slice(0, 8);
  if (inner.length < 4) return [];
  const small = new BigUint64Array(Array.from(inner, (id) => BigInt(id) << 32n));
  return [Buffer.from(inner.buffer), Buffer.from(small.buffer)];
}

/** Places where these bytes begin in others. */
export function countOf(bytes: Buffer, needle: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + needle.length)) count++;
  return count;
}

function listNeedles(stem: string): readonly Needle[] {
  const hexadecimal = Buffer.from(stem).toString('hex');
  const escapes = [...stem].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
  const texts: readonly (readonly [Form, string])[] = [
    ['plain', stem],
    ['upper case', stem.toUpperCase()],
    ['hexadecimal', hexadecimal],
    ...(hexadecimal === hexadecimal.toUpperCase() ? [] : [['hexadecimal', hexadecimal.toUpperCase()] as const]),
    ...listBase64(stem).map((text) => ['base64', text] as const),
    ['JSON escapes', escapes],
  ];
  return [...texts.map(([form, text]) => ({ form, bytes: Buffer.from(text, 'latin1') })), { form: 'UTF-16', bytes: Buffer.from(stem, 'utf16le') }];
}

/** A group of base64 holds three bytes, so a word lies in it in three ways; only groups that are all of the word are the same everywhere. */
function listBase64(stem: string): string[] {
  return [0, 1, 2].map((skipped) => {
    const whole = stem.slice(skipped);
    return Buffer.from(whole.slice(0, whole.length - (whole.length % 3))).toString('base64');
  });
}
