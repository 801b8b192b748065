/**
 * Owns the requests whose answers are known: prompts that share beginnings, each with several ways to draw from it, and the tokens that
 * each gets alone on an engine that keeps no prefixes and guesses nothing. What a soak sends are beginnings of these, so every token of it can be judged.
 */
import type { Engine, EngineOptions, GenerateRequest, Sampling } from '../../runtime/index.ts';
import { createPrompt, idRange } from '../serve/prompts.ts';
import { createRandom, drawInteger, joinSeeds } from '../serve/random.ts';

export interface Known {
  readonly promptIds: Uint32Array;
  readonly sampling: Sampling;
  /** The whole answer. */
  readonly tokens: readonly number[];
}

/** Prompts, and ways to draw from each: greedy, then sampled with seeds of their own. */
export const promptCount = 8;
export const drawCount = 4;
/** Tokens of an answer, and of some greedy ones, which a slow reader needs to fall behind. */
const answerLength = 24;
const longLength = 112;
/** Tokens of a beginning that two prompts share: full blocks of the KV cache. */
const sharedLength = 32;
const longestPrompt = sharedLength + 24;

/** Tokens that a request may have, prompt and answer. */
export const soakContext: number = longestPrompt + longLength;

/** Of an engine that does nothing but compute; the reference. */
export const plainOptions: Partial<EngineOptions> = { contextLength: soakContext, maxSequences: 1, prefixSeconds: 0, draftLength: 0 };

/** Draws the requests and has `plain` answer them, one after the other. `onDone` is told the part that is done. */
export async function learnAnswers(plain: Engine, seed: number, onDone: (part: number) => void = () => undefined): Promise<Known[]> {
  const ids = idRange(plain.info.vocabularySize);
  const known: Known[] = [];
  for (let prompt = 0; prompt < promptCount; prompt++)
    for (let draw = 0; draw < drawCount; draw++) {
      const request = { promptIds: drawPrompt(seed, prompt, ids), sampling: draw === 0 ? {} : { temperature: 0.9, seed: joinSeeds(seed, prompt, draw) } };
      known.push({ ...request, tokens: await answer(plain, { ...request, maxTokens: draw === 0 && prompt % 2 === 0 ? longLength : answerLength }) });
      onDone(known.length / (promptCount * drawCount));
    }
  return known;
}

/** Neighbours begin alike; every fourth repeats a phrase, so that there is something to guess. */
function drawPrompt(seed: number, prompt: number, ids: readonly [number, number]): Uint32Array {
  const random = createRandom(joinSeeds(seed, prompt));
  const tail = drawInteger(random, 1, longestPrompt - sharedLength);
  const plan = { length: sharedLength + tail, blocks: [joinSeeds(seed, Math.floor(prompt / 2))], blockLength: sharedLength, seed: joinSeeds(seed, 7, prompt) };
  const drawn = createPrompt(plan, ids);
  return Uint32Array.from(prompt % 4 === 2 ? drawn.map((id, i) => (i < sharedLength ? id : (drawn[sharedLength + (i % 4)] ?? id))) : drawn);
}

async function answer(engine: Engine, request: GenerateRequest): Promise<number[]> {
  const tokens: number[] = [];
  for await (const event of engine.generate(request)) if (event.type === 'token') tokens.push(event.id);
  return tokens;
}
