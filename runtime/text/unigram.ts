/**
 * Owns words -> ids by the likeliest pieces: SentencePiece's unigram model, as the Rust library tokenizers 0.23 finds them.
 * Time and memory are in proportion to the text times the longest token. Refuses to remember: it has no cache.
 */
import { createFallback, type Fallback, type WordModel } from './words.ts';

/** What an unknown character costs more than the worst token. */
const unknownPenalty = 10;

export function createUnigramModel(
  scores: ReadonlyMap<string, number>,
  options: { readonly ids: ReadonlyMap<string, number>; readonly byteIds: ReadonlyMap<number, number>; readonly fallback: Fallback },
): WordModel {
  const prefixes = collectPrefixes(scores);
  const worst = Array.from(scores.values()).reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - unknownPenalty;
  const addUnknown = createFallback(options.byteIds, options.fallback);
  return {
    encode(word, into) {
      let wasUnknown = false;
      for (const piece of findPieces(word, prefixes, worst)) {
        const id = options.ids.get(piece);
        if (id !== undefined) into.push(id);
        wasUnknown = id === undefined && addUnknown(piece, wasUnknown, into);
      }
    },
  };
}

/** Every beginning of a token with its score; NaN where it is no token itself. */
function collectPrefixes(scores: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const prefixes = new Map<string, number>();
  for (const token of scores.keys()) for (let end = 1; end < token.length; end++) prefixes.set(token.slice(0, end), Number.NaN);
  for (const [token, score] of scores) prefixes.set(token, score);
  return prefixes;
}

/** The best way through the word; where no token begins with a character, that one is unknown, and several in a row are one piece. */
function findPieces(word: string, prefixes: ReadonlyMap<string, number>, unknownScore: number): string[] {
  const best = new Float64Array(word.length + 1).fill(Number.NEGATIVE_INFINITY);
  const starts = new Int32Array(word.length + 1);
  best[0] = 0;
  const improve = (start: number, end: number, score: number): void => {
    const total = (best[start] as number) + score;
    if (total <= (best[end] as number)) return;
    best[end] = total;
    starts[end] = start;
  };
  for (let start = 0; start < word.length; ) {
    const next = start + ((word.codePointAt(start) as number) > 0xffff ? 2 : 1);
    let hasSingle = false;
    for (let end = start + 1; end <= word.length; end++) {
      const score = prefixes.get(word.slice(start, end));
      if (score === undefined) break;
      if (Number.isNaN(score)) continue;
      hasSingle ||= end === next;
      improve(start, end, score);
    }
    if (!hasSingle) improve(start, next, unknownScore);
    start = next;
  }
  const pieces: string[] = [];
  for (let end = word.length; end > 0; end = starts[end] as number) pieces.push(word.slice(starts[end], end));
  return pieces.reverse();
}
