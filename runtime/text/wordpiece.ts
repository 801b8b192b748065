/**
 * Owns words -> ids by the longest pieces from the left: WordPiece. A word with a part that has no token is unknown as a whole.
 * Time is in proportion to the text times the longest token. Refuses to remember: it has no cache.
 */
import { InwardError } from '../errors.ts';
import type { WordModel } from './words.ts';

export function createWordPieceModel(options: {
  readonly ids: ReadonlyMap<string, number>;
  readonly unknownId: number | undefined;
  /** What a token that goes on with a word begins with. */
  readonly prefix: string;
  /** Characters; a longer word is unknown. */
  readonly limit: number;
}): WordModel {
  const { ids, unknownId, prefix, limit } = options;
  const longest = Array.from(ids.keys()).reduce((most, token) => Math.max(most, token.length), 0);
  return {
    encode(word, into) {
      const found = Array.from(word).length > limit ? undefined : findPieces(word, ids, prefix, longest);
      if (found !== undefined) into.push(...found);
      else if (unknownId !== undefined) into.push(unknownId);
      else throw new InwardError('text_unencodable');
    },
  };
}

function findPieces(word: string, ids: ReadonlyMap<string, number>, prefix: string, longest: number): number[] | undefined {
  const found: number[] = [];
  for (let start = 0; start < word.length; ) {
    let end = Math.min(word.length, start + longest);
    let id: number | undefined;
    for (; end > start; end--) {
      id = ids.get((start === 0 ? '' : prefix) + word.slice(start, end));
      if (id !== undefined) break;
    }
    if (id === undefined) return undefined;
    found.push(id);
    start = end;
  }
  return found;
}
