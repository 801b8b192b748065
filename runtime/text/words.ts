/**
 * Owns what the kinds of vocabulary share: a word goes in, the ids of its pieces come out.
 * Refuses to leave out a part of a text: what has no token becomes bytes, the unknown token, or an error.
 */
import { InwardError } from '../errors.ts';

export interface WordModel {
  /** Adds the ids of a word. Throws text_unencodable. */
  encode(word: string, into: number[]): void;
}

export interface Fallback {
  /** A piece without a token becomes its bytes, where the vocabulary has them all. */
  readonly bytes: boolean;
  /** What it becomes otherwise. */
  readonly unknownId: number | undefined;
  /** Several such pieces in a row become one unknown token. */
  readonly fuses: boolean;
}

const encoder = new TextEncoder();

/** How a token for one byte is written. */
const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/** By byte, what there is. `ids`: of tokens by how they are written. */
export function findByteIds(ids: ReadonlyMap<string, number>): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (let byte = 0; byte < 256; byte++) {
    const id = ids.get(byteToken(byte));
    if (id !== undefined) found.set(byte, id);
  }
  return found;
}

/** Adds what stands for a piece that has no token; gives whether that is the unknown token. Throws text_unencodable where there is none. */
export function createFallback(
  byteIds: ReadonlyMap<number, number>,
  { bytes, unknownId, fuses }: Fallback,
): (piece: string, wasUnknown: boolean, into: number[]) => boolean {
  return (piece, wasUnknown, into) => {
    const ids = bytes ? Array.from(encoder.encode(piece), (byte) => byteIds.get(byte)) : [undefined];
    if (!ids.includes(undefined)) {
      into.push(...(ids as number[]));
      return false;
    }
    if (unknownId === undefined) throw new InwardError('text_unencodable');
    if (!wasUnknown || !fuses) into.push(unknownId);
    return true;
  };
}
