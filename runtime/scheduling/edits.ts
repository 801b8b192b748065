/**
 * Owns what one request changes at the logits before a token is drawn: bias, repetition, presence and frequency
 * penalties, as one entry for each token that is touched. Counts tokens as they come. Refuses to touch a device.
 */
import { logitBiasLimit, type Sampling } from '../types.ts';

/** Words of an entry: id, what is added, the repetition penalty, what is taken off; see kernels/sample.wgsl. */
export const editLength = 4;

interface Entry {
  readonly bias: number;
  /** Times in the answer; undefined where neither prompt nor answer holds the token. */
  count: number | undefined;
}

export class LogitEdits {
  readonly #sampling: Required<Sampling>;
  readonly #entries = new Map<number, Entry>();
  readonly #isCounting: boolean;

  constructor(sampling: Required<Sampling>, promptIds: Uint32Array) {
    const { repetitionPenalty, presencePenalty, frequencyPenalty, logitBias } = sampling;
    this.#sampling = sampling;
    this.#isCounting = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
    for (const { id, bias } of logitBias) this.#entries.set(id, { bias, count: undefined });
    // Presence and frequency look at the answer alone, as in OpenAI's API.
    if (repetitionPenalty !== 1) for (const id of promptIds) this.#entryOf(id).count = 0;
  }

  /** Entries that `write` writes. */
  get length(): number {
    return this.#entries.size;
  }

  /** The answer has gained this token. */
  add(id: number): void {
    if (!this.#isCounting) return;
    const entry = this.#entryOf(id);
    entry.count = (entry.count ?? 0) + 1;
  }

  /** Writes the entries from word `at` on; the two arrays share their memory. */
  write(words: Uint32Array, floats: Float32Array, at: number): void {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.#sampling;
    let next = at;
    for (const [id, { bias, count }] of this.#entries) {
      words[next] = id;
      floats[next + 1] = bias;
      floats[next + 2] = count === undefined ? 1 : repetitionPenalty;
      floats[next + 3] = (count ?? 0) > 0 ? presencePenalty + frequencyPenalty * (count ?? 0) : 0;
      next += editLength;
    }
  }

  /** Forgets the tokens. */
  clear(): void {
    this.#entries.clear();
  }

  #entryOf(id: number): Entry {
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = { bias: 0, count: undefined };
      this.#entries.set(id, entry);
    }
    return entry;
  }
}

/** Entries that a step has room for: those of all sequences, as long as that is no more than 16 MiB of upload; of one in any case. */
export function editRoom(maxSequences: number, vocabularySize: number, contextLength: number): number {
  const ofOne = Math.min(vocabularySize, contextLength + logitBiasLimit);
  return Math.max(ofOne, Math.min(maxSequences * ofOne, 2 ** 20));
}
