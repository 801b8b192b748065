/**
 * Owns what is known of the device's speed: a step takes a fixed time, one for each token of a prompt, and one for each token that
 * asks for a choice; learned from the steps themselves by recursive least squares that forgets (Ljung, System Identification,
 * section 11.2). Nothing that a sequence gets depends on it but when it gets it. Pure: it is told times.
 */

/** Steps after which the estimate is used. */
const leastSteps = 8;
/** What a step counts after the next one: about the last hundred matter. */
const memory = 0.99;
/** Trace of the inverse from which nothing is forgotten; the start is above it. */
const uncertain = 100;
/** Answers are taken to be so long before any has ended. */
const firstAnswer = 128;

export class Pace {
  /** Milliseconds of a step, of a prompt token, of a choice. */
  readonly #costs: [number, number, number] = [0, 0, 0];
  /** Inverse of the correlation of the inputs. */
  #inverse = [1e4, 0, 0, 0, 1e4, 0, 0, 0, 1e4];
  #steps = 0;
  #answer = firstAnswer;

  /** Whether anything can be foretold. */
  get isKnown(): boolean {
    return this.#steps >= leastSteps;
  }

  /** A step of so many prompt tokens and choices took `ms`. */
  observe(promptTokens: number, choices: number, ms: number): void {
    this.#steps++;
    const x = [1, promptTokens, choices];
    const row = (i: number): number => x.reduce((sum, value, j) => sum + (this.#inverse[3 * i + j] ?? 0) * value, 0);
    const px = [row(0), row(1), row(2)];
    // Steps that are all alike teach little, and to forget the others for them would make the next different one count for everything.
    const forgetting = (this.#inverse[0] ?? 0) + (this.#inverse[4] ?? 0) + (this.#inverse[8] ?? 0) < uncertain ? memory : 1;
    const scale = forgetting + x.reduce((sum, value, i) => sum + value * (px[i] ?? 0), 0);
    // One stalled step must not be taken for the device's speed.
    const error = Math.min(ms, 4 * Math.max(this.stepMs(promptTokens, choices), this.#steps < leastSteps ? ms : 0)) - this.#raw(x);
    for (let i = 0; i < 3; i++) this.#costs[i as 0 | 1 | 2] += ((px[i] ?? 0) / scale) * error;
    this.#inverse = this.#inverse.map((value, at) => (value - ((px[Math.floor(at / 3)] ?? 0) * (px[at % 3] ?? 0)) / scale) / forgetting);
  }

  /** An answer of so many tokens has ended. */
  observeAnswer(tokens: number): void {
    this.#answer += (tokens - this.#answer) / 16;
  }

  /** Expected time of a step. */
  stepMs(promptTokens: number, choices: number): number {
    return Math.max(0, this.#raw([1, promptTokens, choices]));
  }

  get #promptMs(): number {
    return Math.max(0, this.#costs[1]);
  }

  get choiceMs(): number {
    return Math.max(0, this.#costs[2]);
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

  /** Prompt tokens that fit a step of so many choices if it may take `times` as long as without them. */
  room(choices: number, times: number): number {
    if (!this.isKnown || this.#promptMs === 0) return Number.POSITIVE_INFINITY;
    return ((times - 1) * this.stepMs(0, choices)) / this.#promptMs;
  }

  #raw(x: readonly number[]): number {
    return x.reduce((sum, value, i) => sum + value * (this.#costs[i] ?? 0), 0);
  }
}
