/**
 * Owns the arithmetic of the bench: from the times of tokens to speeds, from rounds to a median with its range.
 * Pure. Refuses means: one disturbed round must not move the result.
 */

/** What one run computes: `sequences` prompts of `promptTokens` at once, each continued by `newTokens`. */
export interface Workload {
  readonly sequences: number;
  readonly promptTokens: number;
  readonly newTokens: number;
}

/** A value of several rounds. */
export interface Statistic {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Speed {
  /** From the request to the first token of the last sequence to begin, in ms. */
  readonly firstTokenMs: number;
  /** Prompt tokens of all sequences over that time. */
  readonly prefillPerSecond: number;
  /** New tokens of all sequences while all of them were decoding; 0 if they never were at the same time. */
  readonly decodePerSecond: number;
}

/**
 * `times`: for each sequence, when each of its new tokens came, in ms since the request. The first token belongs to
 * prefill: decoding is measured from the moment when every sequence has one to the moment when the first one ends.
 */
export function measureSpeed({ sequences, promptTokens }: Workload, times: readonly (readonly number[])[]): Speed {
  const begin = Math.max(...times.map((own) => own[0] ?? 0));
  const end = Math.min(...times.map((own) => own.at(-1) ?? 0));
  const decoded = times.flat().filter((time) => time > begin && time <= end).length;
  return {
    firstTokenMs: begin,
    prefillPerSecond: (1000 * sequences * promptTokens) / begin,
    decodePerSecond: end > begin ? (1000 * decoded) / (end - begin) : 0,
  };
}

/** Median (mean of the middle two for an even count), smallest and largest. */
export function summarize(values: readonly number[]): Statistic {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** Ours over theirs, round by round: what disturbed a round disturbed both. */
export function compareRounds(ours: readonly number[], theirs: readonly number[]): Statistic {
  if (ours.length !== theirs.length) throw new RangeError(`${ours.length} rounds of ours beside ${theirs.length} of theirs`);
  return summarize(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}
