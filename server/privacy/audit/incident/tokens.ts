/**
 * Owns sums of numbers that are known by their bucket only: a power of two that is not below the number, and less than twice it. Refuses
 * to name one number where two bounds are known.
 */

export interface Bounds {
  readonly atLeast: number;
  readonly atMost: number;
  /** Requests of which no number is known. */
  readonly unknown: number;
}

export class TokenSum {
  #atLeast = 0;
  #atMost = 0;
  #unknown = 0;

  add(bucket: number | undefined): void {
    if (bucket === undefined) this.#unknown++;
    else {
      // Of 0 and 1 the number itself is known; of 8 it is 5 to 8.
      this.#atLeast += bucket < 2 ? bucket : bucket / 2 + 1;
      this.#atMost += bucket;
    }
  }

  get bounds(): Bounds {
    return { atLeast: this.#atLeast, atMost: this.#atMost, unknown: this.#unknown };
  }
}
