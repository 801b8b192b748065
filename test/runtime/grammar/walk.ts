/** Owns random walks through an automaton. */
import { expect } from 'vitest';
import { advance, type Frame, isComplete, type Place } from '../../../runtime/grammar/frame.ts';

/** Lehmer's generator with the multiplier of Park and Miller. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % (2 ** 31 - 1)) / (2 ** 31 - 1);
}

/** A text that a random walk writes; undefined where it does not end in time. It fails where no byte can come. `hints`: texts that it writes now and then where they can come. */
export function walk(start: Frame, random: () => number, hints: readonly string[] = []): string | undefined {
  const bytes: number[] = [];
  let place: Place = { frame: start, stack: null };
  const closing = new Set([...'"}],:'].map((mark) => mark.charCodeAt(0)));
  while (bytes.length < 2000) {
    if (isComplete(place) && bytes.length > 0 && random() < 0.7) return Buffer.from(bytes).toString('utf8');
    const hint = Buffer.from(hints[Math.floor(random() * hints.length * 4)] ?? '');
    const behind = hint.reduce<Place | undefined>((at, byte) => at && advance(at, byte), place);
    if (hint.length > 0 && behind !== undefined) {
      bytes.push(...hint);
      place = behind;
      continue;
    }
    const next = Array.from({ length: 256 }, (_, byte) => ({ byte, place: advance(place, byte) })).filter((way) => way.place !== undefined);
    if (next.length === 0) {
      expect(isComplete(place)).toBe(true);
      return Buffer.from(bytes).toString('utf8');
    }
    const ending = bytes.length > 300 || random() < 0.3 ? next.filter(({ byte }) => closing.has(byte)) : [];
    const ways = ending.length > 0 ? ending : next;
    const way = ways[Math.floor(random() * ways.length)]!;
    bytes.push(way.byte);
    place = way.place!;
  }
  return undefined;
}
