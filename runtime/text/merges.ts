/**
 * Owns words -> ids by merging pairs: BPE with a list of merges, and SentencePiece's, where the score of what a pair gives decides.
 * Refuses to remember: it has no cache.
 */
import { mergePairs, type PairTable } from './merging.ts';
import { createFallback, type Fallback, type WordModel } from './words.ts';

export interface MergeOptions {
  /** By token, without those that no text may spell. */
  readonly ids: ReadonlyMap<string, number>;
  readonly byteIds: ReadonlyMap<number, number>;
  readonly fallback: Fallback;
}

/** Pairs are merged in the order of `merges`. `ignoreMerges`: a word that is a token as a whole is not built from pairs. */
export function createPairModel(
  merges: Iterable<readonly [left: string, right: string]>,
  options: MergeOptions & { readonly ignoreMerges: boolean },
): WordModel {
  const { ids, ignoreMerges } = options;
  const ranks = new Map<number, number>();
  const results: number[] = [];
  // Below 2^53: ids have at most 22 bits.
  const keyOf = (left: number, right: number): number => left * 2 ** 26 + right;
  for (const [left, right] of merges) {
    const [a, b, whole] = [ids.get(left), ids.get(right), ids.get(left + right)];
    // What no text may spell is not built from pairs either.
    if (a === undefined || b === undefined || whole === undefined) continue;
    if (!ranks.has(keyOf(a, b))) ranks.set(keyOf(a, b), results.length);
    results.push(whole);
  }
  const table: PairTable = {
    find: (left, right) => (left < 0 || right < 0 ? -1 : (ranks.get(keyOf(left, right)) ?? -1)),
    rank: (merge) => merge,
    result: (merge) => results[merge] as number,
  };
  return createMergeModel(table, options, ignoreMerges);
}

/** Pairs are merged whose result is the token of the highest score. Source: sentencepiece src/bpe_model.cc. */
export function createScoreModel(scores: ReadonlyMap<string, number>, options: MergeOptions): WordModel {
  const { ids } = options;
  const order = new Map(
    Array.from(new Set(scores.values()))
      .sort((a, b) => b - a)
      .map((score, rank) => [score, rank]),
  );
  const ranks: number[] = [];
  for (const [token, score] of scores) ranks[ids.get(token) as number] = order.get(score) as number;
  const longest = Array.from(ids.keys()).reduce((most, token) => Math.max(most, token.length), 0);
  const table: PairTable = {
    find: (_left, _right, word, start, end) => (end - start > longest ? -1 : (ids.get(word.slice(start, end)) ?? -1)),
    rank: (merge) => ranks[merge] as number,
    result: (merge) => merge,
  };
  return createMergeModel(table, options, false);
}

function createMergeModel(table: PairTable, { ids, byteIds, fallback }: MergeOptions, ignoreMerges: boolean): WordModel {
  const cut = createCut(ids.keys());
  const addUnknown = createFallback(byteIds, fallback);
  return {
    encode(word, into) {
      const whole = ignoreMerges ? ids.get(word) : undefined;
      if (whole !== undefined) {
        into.push(whole);
        return;
      }
      let wasUnknown = false;
      for (const part of cut(word)) {
        const pieces = splitCharacters(part, ids);
        mergePairs(part, pieces, table);
        for (let start = 0, end = 0; start < part.length; start = end) {
          end = pieces.ends[start] as number;
          const id = pieces.ids[start] as number;
          if (id >= 0) into.push(id);
          wasUnknown = id < 0 && addUnknown(part.slice(start, end), wasUnknown, into);
        }
      }
    },
  };
}

function splitCharacters(word: string, ids: ReadonlyMap<string, number>): { readonly ids: number[]; readonly ends: number[] } {
  const pieces = { ids: [] as number[], ends: [] as number[] };
  for (let start = 0, end = 0; start < word.length; start = end) {
    end = start + ((word.codePointAt(start) as number) > 0xffff ? 2 : 1);
    // Every place gets a value: arrays with holes are slow.
    for (let place = start; place < end; place++) {
      pieces.ids[place] = ids.get(word.slice(start, end)) ?? -1;
      pieces.ends[place] = end;
    }
  }
  return pieces;
}

/** Cuts a text without words where no token reaches over: before a ▁ whose character in front no token has in front of one. Long texts then need no queue of all their pairs. */
function createCut(tokens: Iterable<string>): (word: string) => readonly string[] {
  const across = new Set<string>();
  for (const token of tokens) for (const [, character] of token.matchAll(/([^▁])(?=▁)/gu)) across.add(character as string);
  return (word) => {
    const parts: string[] = [];
    let start = 0;
    for (let at = word.indexOf('▁', 1); at > 0; at = word.indexOf('▁', at + 1)) {
      const last = word.codePointAt(at - 2) as number;
      const character = last > 0xffff ? String.fromCodePoint(last) : word.charAt(at - 1);
      if (character === '▁' || across.has(character)) continue;
      parts.push(word.slice(start, at));
      start = at;
    }
    parts.push(word.slice(start));
    return parts;
  };
}
