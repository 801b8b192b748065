/** Owns the static table of model families. */
import type { Family } from './family.ts';
import { llama } from './llama.ts';
import { qwen3 } from './qwen3.ts';

export const families: readonly Family[] = [llama, qwen3];
