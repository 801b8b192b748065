/**
 * Owns the prompts of the load bench: random token ids, made from seeds alone. What two prompts share is said by the seeds of their blocks, as
 * in the traces of Mooncake. Refuses text: what a tokenizer costs is not measured here.
 */
import { createRandom, drawInteger, joinSeeds } from './random.ts';

/** What a prompt is made of. */
export interface PromptPlan {
  readonly length: number;
  /** Seeds of the blocks that it begins with: prompts with equal seeds begin with equal ids. */
  readonly blocks: readonly number[];
  readonly blockLength: number;
  /** Of the ids behind the blocks. */
  readonly seed: number;
}

/** Ids of ordinary tokens in every vocabulary from 41,000 on: special ones stand at either end. */
const lowest = 1000;
const highest = 40_000;

/** The ids that prompts are made of, below `vocabularySize`: of a small vocabulary the upper half. */
export function idRange(vocabularySize: number): readonly [number, number] {
  return vocabularySize > highest ? [lowest, highest] : [Math.floor(vocabularySize / 2), vocabularySize - 1];
}

/** `range` from `idRange`. */
export function createPrompt({ length, blocks, blockLength, seed }: PromptPlan, [low, high]: readonly [number, number]): number[] {
  const draw = (count: number, of: number): number[] => {
    const random = createRandom(of);
    return Array.from({ length: Math.max(0, count) }, () => drawInteger(random, low, high));
  };
  // So that a block's seed and a tail's never give the same ids.
  const shared = blocks.flatMap((block) => draw(blockLength, joinSeeds(1, block))).slice(0, length);
  return [...shared, ...draw(length - shared.length, joinSeeds(2, seed))];
}
