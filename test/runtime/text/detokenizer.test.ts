/** Streaming decode equals decoding at once, wherever the bytes are split. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDecoder } from '../../../runtime/text/detokenizer.ts';
import { createPieces, type Pieces, readPiece } from '../../../runtime/text/pieces.ts';
import type { TokenId } from '../../../runtime/types.ts';

/** A table whose tokens are exactly these runs of bytes. */
function table(runs: readonly Uint8Array[]): Pieces {
  const offsets = new Uint32Array(runs.length + 1);
  runs.forEach((run, i) => {
    offsets[i + 1] = offsets[i]! + run.length;
  });
  return { offsets, bytes: Buffer.concat(runs), names: new Uint8Array(runs.length) };
}

const whole = (bytes: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

function stream(runs: readonly Uint8Array[]): string[] {
  const decoder = createDecoder(table(runs));
  const parts = runs.map((_, id) => decoder.push(id as TokenId));
  return [...parts, decoder.end()];
}

/** Bytes near the borders of UTF-8, mixed with whole characters. */
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(0x41, 0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xbb, 0xa0, 0xf0, 0xf4, 0x90, 0xf5, 0xff).map((byte) => [byte]),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }).map((text) => [...Buffer.from(text)]),
    ),
    { maxLength: 10 },
  )
  .map((parts) => Uint8Array.from(parts.flat()));

test('every split of every byte string', () => {
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(40), { maxLength: 6 }), (all, places) => {
      const cuts = [0, ...places.map((place) => Math.min(place, all.length)).sort((a, b) => a - b), all.length];
      const runs = cuts.slice(1).map((end, i) => all.subarray(cuts[i], end));
      expect(stream(runs).join('')).toBe(whole(all));
      expect(stream(Array.from(all, (byte) => Uint8Array.of(byte))).join('')).toBe(whole(all));
    }),
    { numRuns: 3000 },
  );
});

test('no part of a valid text holds a replacement character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-composite', maxLength: 8 }), (text) => {
      const parts = stream(Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte)));
      expect(parts.join('')).toBe(text);
      expect(parts.some((part) => part.includes('\ufffd'))).toBe(text.includes('\ufffd'));
    }),
  );
});

test('an incomplete end is one U+FFFD, given by end()', () => expect(stream([Buffer.from('a'), Uint8Array.of(0xf0, 0x9f, 0xa6)])).toEqual(['a', '', '\ufffd']));

test('kinds of tokens: the bytes of text, the names of the others', () => {
  const tokens = ['Ġa', 'Ã¤', 'Ġ', '<unk>', '<|end|>', 'ä b', '[unused]', '<0x0A>', '漢'];
  const pieces = createPieces({ tokens, kinds: [1, 1, 1, 2, 3, 4, 5, 6, 1], spelling: 'alphabet' });
  const read = tokens.map((_, id) => readPiece(pieces, id as TokenId));
  expect(read.map(({ bytes: part }) => Buffer.from(part).toString())).toEqual([' a', 'ä', ' ', '<unk>', '<|end|>', 'ä b', '[unused]', '\n', '漢']);
  expect(read.map(({ isText }) => isText)).toEqual([true, true, true, false, false, true, false, true, true]);
  const decoder = createDecoder(pieces);
  expect(tokens.map((_, id) => decoder.push(id as TokenId))).toEqual([' a', 'ä', ' ', '', '', 'ä b', '', '\n', '漢']);
});

test('an id outside the vocabulary has no text', () => {
  const decoder = createDecoder(table([Buffer.from('a')]));
  for (const id of [1, 5]) {
    const piece = readPiece(table([Buffer.from('a')]), id as TokenId);
    expect([piece.bytes.length, piece.isText]).toEqual([0, false]);
  }
  expect([decoder.push(5 as TokenId), decoder.push(1 as TokenId), decoder.push(0 as TokenId), decoder.end()]).toEqual(['', '', 'a', '']);
});
