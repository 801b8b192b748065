/**
 * Owns the byte table: token id -> its bytes, as flat arrays that can be handed between processes.
 * Marks control, unknown and unused tokens: their bytes are a name, which is part of no text.
 */
import type { TokenId } from '../types.ts';
import type { Piece } from './types.ts';
import { tokenKinds, type Vocabulary } from './vocabulary.ts';

export interface Pieces {
  /** The bytes of token i lie at [offsets[i], offsets[i + 1]). */
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
  /** By id, 1 where the bytes are a name. */
  readonly names: Uint8Array;
}

const encoder = new TextEncoder();
const textKinds: ReadonlySet<number> = new Set([tokenKinds.normal, tokenKinds.user, tokenKinds.byte]);

/**
 * GPT-2's alphabet: every byte as one printable character. Printable bytes stand for themselves, the others for
 * the characters from U+0100 on, in order. Source: openai/gpt-2 src/encoder.py.
 */
function createAlphabet(): ReadonlyMap<number, number> {
  const alphabet = new Map<number, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    alphabet.set(isPrintable ? byte : next++, byte);
  }
  return alphabet;
}

export function createPieces({ tokens, kinds }: Pick<Vocabulary, 'tokens' | 'kinds'>): Pieces {
  const alphabet = createAlphabet();
  const offsets = new Uint32Array(tokens.length + 1);
  const names = new Uint8Array(tokens.length);
  let bytes = new Uint8Array(tokens.length * 8);
  let end = 0;
  for (let id = 0; id < tokens.length; id++) {
    const piece = toBytes(tokens[id] as string, kinds[id] as number, alphabet);
    if (end + piece.length > bytes.length) bytes = grow(bytes, end + piece.length);
    bytes.set(piece, end);
    end += piece.length;
    offsets[id + 1] = end;
    names[id] = textKinds.has(kinds[id] as number) ? 0 : 1;
  }
  return { offsets, bytes: bytes.slice(0, end), names };
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

function toBytes(token: string, kind: number, alphabet: ReadonlyMap<number, number>): ArrayLike<number> {
  switch (kind) {
    case tokenKinds.normal:
      return decodeNormal(token, alphabet);
    case tokenKinds.byte:
      return /^<0x[0-9A-F]{2}>$/.test(token) ? [Number.parseInt(token.slice(3, 5), 16)] : encoder.encode(token);
    default:
      return encoder.encode(token);
  }
}

function decodeNormal(token: string, alphabet: ReadonlyMap<number, number>): ArrayLike<number> {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = alphabet.get(character.codePointAt(0) as number);
    // A character outside the alphabet stands for itself.
    if (byte === undefined) bytes.push(...encoder.encode(character));
    else bytes.push(byte);
  }
  return bytes;
}
