/**
 * Owns which guesses at a layer's experts are worth bringing them ahead of the choice: those of ranks whose guesses came true often enough of late, so
 * that what is brought for nothing stays a small part. Pure. Refuses to guess: the layer before does (models/graph.ts).
 */

/** Part of a rank's guesses that must have come true. */
const leastRate = 0.75;
/** What a step's guesses weigh in it. */
const weight = 0.1;

export class Foresight {
  readonly #topK: number;
  readonly #experts: number;
  /** Of each rank. */
  readonly #rates: Float64Array;

  constructor({ topK, experts }: { readonly topK: number; readonly experts: number }) {
    this.#topK = topK;
    this.#experts = experts;
    // Tried before they are doubted.
    this.#rates = new Float64Array(topK).fill(1);
  }

  /** Experts to bring, each once, of guesses [token][rank]; the likeliest first. */
  choose(guesses: Uint32Array): number[] {
    const chosen = new Set<number>();
    for (let rank = 0; rank < this.#topK; rank++) {
      if ((this.#rates[rank] ?? 0) < leastRate) continue;
      for (let i = rank; i < guesses.length; i += this.#topK) if ((guesses[i] ?? 0) < this.#experts) chosen.add(guesses[i] ?? 0);
    }
    return [...chosen];
  }

  /** What became of them; `isChosen`: of each expert. */
  learn(guesses: Uint32Array, isChosen: (expert: number) => boolean): void {
    const tokens = guesses.length / this.#topK;
    if (tokens === 0) return;
    for (let rank = 0; rank < this.#topK; rank++) {
      let right = 0;
      for (let i = rank; i < guesses.length; i += this.#topK) if (isChosen(guesses[i] ?? 0)) right++;
      this.#rates[rank] = (this.#rates[rank] ?? 0) * (1 - weight) + (right / tokens) * weight;
    }
  }
}
