import { expect, test } from 'vitest';
import { measure } from '../../bench/round.ts';
import type { Subject } from '../../bench/subject.ts';

test('no prompt begins like one before it, in the warm-up either, and every engine gets the same', async () => {
  const run = async (): Promise<string[]> => {
    const seen: Uint32Array[] = [];
    const subject: Subject = {
      loadMs: 1,
      device: 'd',
      run: async (prompts, newTokens) => {
        seen.push(...prompts);
        return prompts.map(() => Array.from({ length: newTokens }, (_, index) => index + 1));
      },
      readMemory: () => ({ processes: 1, resident: 1, proportional: 1, peak: 1 }),
      [Symbol.asyncDispose]: async () => undefined,
    };
    const workloads = [
      { sequences: 1, promptTokens: 20, newTokens: 4 },
      { sequences: 1, promptTokens: 40, newTokens: 4 },
      { sequences: 8, promptTokens: 20, newTokens: 4 },
      { sequences: 1, promptTokens: 20, newTokens: 4 },
    ];
    await measure(subject, workloads, 361, 0);
    return seen.map((prompt) => prompt.slice(0, 16).join());
  };
  const beginnings = await run();
  // Three shapes to warm up with, four workloads.
  expect(beginnings).toHaveLength(10 + 11);
  expect(new Set(beginnings).size).toBe(beginnings.length);
  expect(await run()).toEqual(beginnings);
});
