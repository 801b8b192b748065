/**
 * Owns the byte table: token id -> its bytes, as flat arrays that can be handed between processes.
 * Marks control, unknown and unused tokens: their bytes are a name, which is part of no text.
 */
import type { TokenId } from '../types.ts';
import { fromByteAlphabet } from './alphabet.ts';
import { tokenKinds } from './kinds.ts';
import type { Piece } from './types.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface Pieces {
  /** The bytes of token i lie at [offsets[i], offsets[i + 1]). */
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
  /** By id, 1 where the bytes are a name. */
  readonly names: Uint8Array;
  /** Ids of text tokens that were added to the vocabulary: a text is cut at them before anything else. */
  readonly added?: Uint32Array;
}

const encoder = new TextEncoder();
const textKinds: ReadonlySet<number> = new Set([tokenKinds.normal, tokenKinds.user, tokenKinds.byte]);

export function createPieces({ tokens, kinds, spelling }: Pick<Vocabulary, 'tokens' | 'kinds' | 'spelling'>): Pieces {
  const offsets = new Uint32Array(tokens.length + 1);
  const names = new Uint8Array(tokens.length);
  let bytes = new Uint8Array(tokens.length * 8);
  let end = 0;
  for (let id = 0; id < tokens.length; id++) {
    const piece = toBytes(tokens[id] as string, kinds[id] as number, spelling);
    if (end + piece.length > bytes.length) bytes = grow(bytes, end + piece.length);
    bytes.set(piece, end);
    end += piece.length;
    offsets[id + 1] = end;
    names[id] = textKinds.has(kinds[id] as number) ? 0 : 1;
  }
  const added = Uint32Array.from(Array.from(tokens.keys()).filter((id) => kinds[id] === tokenKinds.user));
  return { offsets, bytes: bytes.slice(0, end), names, added };
}

/** The token as the vocabulary spells it; an id outside the vocabulary has neither name nor text. */
export function readPiece({ offsets, bytes, names }: Pieces, id: TokenId): Piece {
  return { bytes: bytes.subarray(offsets[id], offsets[id + 1] ?? 0), isText: names[id] === 0 };
}

function grow(bytes: Uint8Array<ArrayBuffer>, needed: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(Math.max(needed, bytes.length * 2));
  grown.set(bytes);
  return grown;
}

function toBytes(token: string, kind: number, spelling: Vocabulary['spelling']): ArrayLike<number> {
  if (kind === tokenKinds.byte && /^<0x[0-9A-F]{2}>$/.test(token)) return [Number.parseInt(token.slice(3, 5), 16)];
  if (kind === tokenKinds.normal && spelling === 'alphabet') return fromByteAlphabet(token);
  return encoder.encode(textKinds.has(kind) && spelling === 'spaces' ? token.replaceAll('▁', ' ') : token);
}
