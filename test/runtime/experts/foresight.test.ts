/** Which guesses are worth bringing experts for: by how many of a rank came true. */
import { expect, test } from 'vitest';
import { random } from '../../../kernels/random.ref.ts';
import { Foresight } from '../../../runtime/experts/foresight.ts';

const shape = { topK: 3, experts: 64 };

test('at first all guesses are tried, the likeliest first, each once, and only experts that there are', () => {
  const foresight = new Foresight(shape);
  expect(foresight.choose(Uint32Array.of(5, 9, 63, 7, 5, 64))).toEqual([5, 7, 9, 63]);
  expect(foresight.choose(new Uint32Array())).toEqual([]);
});

test('a rank is left out while fewer of its guesses come true than what is brought for nothing may cost', () => {
  const foresight = new Foresight(shape);
  const next = random(1);
  const share = [1, 0.9, 0.5];
  let [brought, foreseen, lastBrought] = [0, 0, 0];
  for (let step = 0; step < 2000; step++) {
    const guesses = Uint32Array.from({ length: 3 * (1 + (step % 3)) }, (_, i) => (i * 7 + step) % 64);
    const right = new Set([...guesses].filter((_, i) => next() < (share[i % 3] ?? 0)));
    const chosen = foresight.choose(guesses);
    brought += chosen.length;
    foreseen += chosen.filter((expert) => right.has(expert)).length;
    lastBrought = chosen.length / (1 + (step % 3));
    foresight.learn(guesses, (expert) => right.has(expert));
  }
  expect(lastBrought).toBeLessThan(3);
  expect(foreseen / brought).toBeGreaterThan(0.85);
  // One that comes true again is tried again.
  for (let step = 0; step < 30; step++) foresight.learn(Uint32Array.of(1, 2, 3), () => true);
  expect(foresight.choose(Uint32Array.of(1, 2, 3))).toEqual([1, 2, 3]);
  for (let step = 0; step < 30; step++) foresight.learn(Uint32Array.of(1, 2, 3), (expert) => expert === 2);
  expect(foresight.choose(Uint32Array.of(1, 2, 3))).toEqual([2]);
});
