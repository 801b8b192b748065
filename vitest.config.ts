/**
 * Owns how tests run: pure ones side by side, those that load a device one file after the other, because a CPU
 * device takes every core: two at a time take as long, kernels of attention ten times as long, and a measurement or a deadline would lie.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { overwritingMalloc } from './scripts/node.mjs';

/** Needs Dawn, but no device: its null backend compiles on one core. */
const deviceless = 'test/kernels/validate.test.ts';
const gpu = ['test/kernels/**/*.test.ts', 'test/runtime/engine/**/*.test.ts', 'test/models/**/*.test.ts', 'test/**/*.gpu.test.ts'];
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
      { extends: true, test: { name: 'gpu', include: gpu, exclude: [...exclude, deviceless], fileParallelism: false, sequence: { groupOrder: 1 } } },
    ],
  },
});
