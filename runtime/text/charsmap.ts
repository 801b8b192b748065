/**
 * Owns SentencePiece's precompiled map of characters: runs of bytes that are replaced by others, in a double-array trie. Read strictly;
 * layout: sentencepiece src/normalizer.cc (size of the trie in bytes, the trie, texts that end with a zero byte), darts-clone for its units.
 */
import { unsupported } from '../checkpoint/json.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** Bytes of a run of characters that is looked up as a whole. Source: the Rust library's precompiled.rs. */
const runLimit = 6;

/**
 * The replacing of what the map knows. `looksFor`: the longest key at every place, as SentencePiece does, or what the Rust library does, which looks up
 * short runs as a whole by the shortest key that they begin with. Throws model_unsupported for a map that is none.
 */
export function createCharsmap(bytes: Uint8Array, part: string, looksFor: 'longest' | 'runs'): (text: string) => string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length >= 4 ? view.getUint32(0, true) : 0;
  if (bytes.length === 0) return (text) => text;
  if (size === 0 || size % 4 !== 0 || size > bytes.length - 4) throw unsupported(`map of characters of ${part}`, `a trie within ${bytes.length} bytes`, size);
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const texts = bytes.subarray(4 + size);
  const textAt = (place: number): string => {
    const end = texts.indexOf(0, place);
    return decoder.decode(texts.subarray(place, end < 0 ? texts.length : end));
  };
  return looksFor === 'runs' ? (text) => replaceRuns(text, units, textAt) : (text) => replaceLongest(text, units, textAt);
}

/** A run that a reader sees as one character is looked up as a whole where it is short, else character by character. */
function replaceRuns(text: string, units: Uint32Array, textAt: (place: number) => string): string {
  const find = (piece: string): string | undefined => {
    const found = findKey(units, encoder.encode(piece), 0, true);
    return found && textAt(found.place);
  };
  let result = '';
  for (const { segment } of segmenter.segment(text)) {
    const whole = encoder.encode(segment).length < runLimit ? find(segment) : undefined;
    if (whole !== undefined) result += whole;
    else for (const character of segment) result += find(character) ?? character;
  }
  return result;
}

function replaceLongest(text: string, units: Uint32Array, textAt: (place: number) => string): string {
  const bytes = encoder.encode(text);
  let result = '';
  let copied = 0;
  for (let start = 0; start < bytes.length; ) {
    const found = findKey(units, bytes, start, false);
    if (found === undefined) {
      start++;
      continue;
    }
    result += decoder.decode(bytes.subarray(copied, start)) + textAt(found.place);
    start = found.end;
    copied = start;
  }
  return result + decoder.decode(bytes.subarray(copied));
}

/** The shortest or longest key that lies at `start`: where its text begins, and where it ends itself. */
function findKey(units: Uint32Array, bytes: Uint8Array, start: number, isShortest: boolean): { readonly place: number; readonly end: number } | undefined {
  const offset = (unit: number): number => (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
  let node = offset(units[0] as number);
  let found: { place: number; end: number } | undefined;
  for (let at = start; at < bytes.length && bytes[at] !== 0; at++) {
    node ^= bytes[at] as number;
    const unit = units[node] ?? 0;
    // A unit with another label is another key's; the sign bit marks a value.
    if ((unit & 0x800000ff) >>> 0 !== bytes[at]) break;
    node ^= offset(unit);
    if (((unit >>> 8) & 1) === 0) continue;
    found = { place: (units[node] ?? 0) & 0x7fffffff, end: at + 1 };
    if (isShortest) break;
  }
  return found;
}
