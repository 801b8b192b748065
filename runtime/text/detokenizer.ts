/**
 * Owns streaming decode: token ids -> text, bit by bit. Holds back the bytes of an incomplete character; the joined
 * output equals decoding all bytes at once. Refuses nothing: an id outside the vocabulary has no text.
 */
import { type Pieces, readPiece } from './pieces.ts';
import type { StreamDecoder } from './types.ts';

export function createDecoder(pieces: Pieces): StreamDecoder {
  // A byte order mark is text like any other here.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push: (id) => {
      const { bytes, isText } = readPiece(pieces, id);
      return isText ? decoder.decode(bytes, { stream: true }) : '';
    },
    end: () => decoder.decode(),
  };
}
