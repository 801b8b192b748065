/**
 * Owns what the fake engine process computes: tokens that follow from the prompt and the place alone, so that a wrong, a missing
 * and a doubled one all show.
 */

/** The content of the file that stands for a model. */
export interface FakeModel {
  readonly fingerprint: string;
  /** What opening it leads to: an engine, an end of the process, silence, or a refusal. */
  readonly opening: 'good' | 'exit' | 'silence' | 'gguf_invalid' | 'out_of_memory';
}

/** First ids of prompts that do something to the process as soon as they are begun, before any token. */
export const harmful = { exit: 900, block: 901, loseDevice: 902, speakForOthers: 903 } as const;

export const vocabularySize = 1000;

export function tokenOf(prompt: Uint32Array, place: number): number {
  return prompt.reduce((hash, id) => (hash * 31 + id) % 65_521, place * 7 + 1) % vocabularySize;
}

export function tokensOf(prompt: Uint32Array, count: number): number[] {
  return Array.from({ length: count }, (_, place) => tokenOf(prompt, place));
}
