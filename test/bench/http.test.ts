/** What the bench of HTTP makes of what it has counted, by hand. */
import { expect, test } from 'vitest';
import { judgeBurst } from '../../bench/http.ts';

test('the time of a token, and of those of a step as part of it', () => {
  // 0.1 s for 1,000 tokens are 100 us each; eight of them are 0.8 ms, and a step takes 20 ms.
  const { tokenUs, share } = judgeBurst({ cpuSeconds: 0.1, tokens: 1000, steps: 130, stepSeconds: 2.6 });
  expect(tokenUs).toBeCloseTo(100, 9);
  expect(share).toBeCloseTo(0.8 / 20, 9);
});
