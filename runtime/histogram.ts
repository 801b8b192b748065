/**
 * Owns counts of observed times in fixed buckets. An observation allocates nothing. Refuses to keep the times themselves.
 */
import type { LatencyHistogram } from './types.ts';

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /** `bounds`: upper bounds of the buckets in seconds, ascending; what is above the last has a bucket of its own. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (seconds > (this.#bounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += seconds;
  }

  /** A copy. */
  read(): LatencyHistogram {
    return { bounds: this.#bounds, counts: Array.from(this.#counts), sum: this.#sum };
  }
}

/**
 * Bounds in seconds as vLLM has them for the metrics of the same meaning (vllm/v1/metrics/loggers.py), so that its dashboards and
 * alerts read ours alike.
 */
export const firstTokenBounds: readonly number[] = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
export const tokenBounds: readonly number[] = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
export const requestBounds: readonly number[] = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
