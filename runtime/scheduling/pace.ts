/**
 * Owns what is known of the device's speed: a step takes a fixed time, one for each token of a prompt, and one for each token that
 * asks for a choice, none of them less than nothing; learned from the steps themselves by weighted least squares that forgets
 * (Ljung, System Identification, section 11.2), solved by coordinate descent from what was known before.
 * Nothing that a sequence gets depends on it but when it gets it. Pure: it is told times.
 */

/** Steps after which the estimate is used. */
const leastSteps = 8;
/** What a step counts after the next one: about the last thirty matter. */
const memory = 0.97;
/** Rounds of the descent for each step; the next step goes on from there. */
const rounds = 8;
/** Steps are told apart by no less, in ms. */
const leastMs = 0.01;
/** Answers are taken to be so long before any has ended. */
const firstAnswer = 128;

export class Pace {
  /** Milliseconds of a step, of a prompt token, of a choice. */
  readonly #costs: [number, number, number] = [0, 0, 0];
  /** Weighted sums over the steps: [3][3] of the products of these three inputs, and of each times what the costs leave unexplained. */
  readonly #products = new Float64Array(9);
  readonly #unexplained = new Float64Array(3);
  #steps = 0;
  #answer = firstAnswer;

  /** Whether anything can be foretold. */
  get isKnown(): boolean {
    return this.#steps >= leastSteps;
  }

  /** A step of so many prompt tokens and choices took `ms`. */
  observe(promptTokens: number, choices: number, ms: number): void {
    this.#steps++;
    const inputs = [1, promptTokens, choices];
    const expected = this.stepMs(promptTokens, choices);
    // Steps are off by a part of their time; and one that stalled must not be taken for the device's speed: the longer it took, the less it counts.
    const weight = 1 / Math.max(ms, expected, leastMs) ** 2;
    // A step without prompt tokens teaches nothing about them, so nothing is forgotten for it either.
    const kept = inputs.map((input) => (input === 0 ? 1 : Math.sqrt(memory)));
    for (const [i, input] of inputs.entries()) {
      this.#unexplained[i] = (this.#unexplained[i] ?? 0) * (kept[i] ?? 0) + weight * input * (ms - expected);
      for (const [j, other] of inputs.entries())
        this.#products[3 * i + j] = (this.#products[3 * i + j] ?? 0) * (kept[i] ?? 0) * (kept[j] ?? 0) + weight * input * other;
    }
    for (let round = 0; round < rounds; round++) for (const i of [0, 1, 2] as const) this.#descend(i);
  }

  /** The best cost of one input, the others as they are. */
  #descend(i: 0 | 1 | 2): void {
    const square = this.#products[4 * i] ?? 0;
    if (square === 0) return;
    const change = Math.max(-this.#costs[i], (this.#unexplained[i] ?? 0) / square);
    this.#costs[i] += change;
    for (let j = 0; j < 3; j++) this.#unexplained[j] = (this.#unexplained[j] ?? 0) - (this.#products[3 * j + i] ?? 0) * change;
  }

  /** An answer of so many tokens has ended. */
  observeAnswer(tokens: number): void {
    this.#answer += (tokens - this.#answer) / 16;
  }

  /** Expected time of a step. */
  stepMs(promptTokens: number, choices: number): number {
    const [fixed, promptMs, choiceMs] = this.#costs;
    return fixed + promptMs * promptTokens + choiceMs * choices;
  }

  get #promptMs(): number {
    return this.#costs[1];
  }

  get choiceMs(): number {
    return this.#costs[2];
  }

  /** Tokens that an answer may still be expected to get. */
  restOf(generated: number, maxTokens: number): number {
    return Math.max(Math.min(1, maxTokens - generated), Math.min(maxTokens, this.#answer) - generated);
  }

  /** Least time in which a sequence alone on the device gets its first token. */
  firstTokenMs(pending: number): number {
    return this.isKnown ? this.stepMs(pending, 1) : 0;
  }

  /** Time of so much work, with so many sequences side by side. */
  workMs(promptTokens: number, generated: number, together: number): number {
    return this.isKnown ? promptTokens * this.#promptMs + (generated / Math.max(1, together)) * this.stepMs(0, together) : 0;
  }

  /** Prompt tokens that fit a step of so many choices if it may take `times` as long as one of `most` choices and no prompt. */
  room(choices: number, most: number, times: number): number {
    if (!this.isKnown || this.#promptMs === 0) return Number.POSITIVE_INFINITY;
    const more = Math.max(0, most - choices);
    return ((times - 1) * this.stepMs(0, choices) + times * more * this.choiceMs) / this.#promptMs;
  }
}
