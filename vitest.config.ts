/**
 * Owns how tests run: pure ones side by side; those that compare what a device computes two at a time, since half of what they do is to
 * compile on one core; and one file after the other those that start servers or measure, because beside a CPU device, which takes every core, a
 * deadline would lie.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { overwritingMalloc } from './scripts/node.mjs';

/** Needs Dawn, but no device: its null backend compiles on one core. */
const deviceless = 'test/kernels/validate.test.ts';
const gpu = ['test/kernels/**/*.test.ts', 'test/runtime/engine/**/*.test.ts', 'test/models/**/*.test.ts', 'test/**/*.gpu.test.ts'];
/** Of those, where time counts. */
const alone = ['test/{bench,e2e,prove,server}/**/*.gpu.test.ts', 'test/runtime/engine/{hosted,tuning}.test.ts'];
const clients = 'test/clients/**/*.test.ts';
const exclude = ['dist/**', 'node_modules/**', 'bench/peers/**'];

export default defineConfig({
  test: {
    pool: 'forks',
    // Commands under test leave nothing in the user's cache; tests of the tuner ask for it. What they start is told as the command tells itself.
    env: { INWARD_TUNE: 'false', GLIBC_TUNABLES: overwritingMalloc },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...exclude, clients, ...gpu.slice(1), 'test/kernels/**/!(validate).test.ts'],
          // On two cores Vitest would take one: much of what these do is waiting.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      // Fetches what is Python's: by `npm run test:clients` only.
      { extends: true, test: { name: 'clients', include: [clients], exclude, fileParallelism: false, sequence: { groupOrder: 2 } } },
      { extends: true, test: { name: 'gpu', include: gpu, exclude: [...exclude, deviceless, ...alone], maxWorkers: 2, sequence: { groupOrder: 1 } } },
      { extends: true, test: { name: 'alone', include: alone, exclude, fileParallelism: false, sequence: { groupOrder: 3 } } },
    ],
  },
});
