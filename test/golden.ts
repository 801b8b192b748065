/** Owns the distance of a run from what an oracle's golden knows of it. Refuses to judge it. */
import { distance, type Result } from './engine-run.ts';
import type { OraclePrompt } from './oracle.ts';

/** Steps before the first whose lead over the second token is under `margin`. */
export function stepsBeforeTie(golden: OraclePrompt, margin: number): number {
  const step = golden.greedyTopLogits.findIndex(([first = 0, second = 0]) => first - second < margin);
  return step < 0 ? golden.greedy.length : step;
}

/** Largest distance from everything that the golden knows of the prompt and its continuation. */
export function distanceFrom(golden: OraclePrompt, { logits }: Result, steps: number): number {
  const promptLength = golden.ids.length;
  const distances = [distance(logits[promptLength - 1], golden.lastLogits64), distance(logits[promptLength - 1], golden.lastLogits)];
  const compareTop = (row: Float32Array | undefined, ids: readonly number[], values: readonly number[]): void => {
    distances.push(distance(row && ids.map((id) => row[id] ?? Number.NaN), values));
    // The five largest, whichever they are: none that the golden does not know lies above.
    distances.push(distance(row?.toSorted().reverse().subarray(0, 5), values));
  };
  for (const [position, ids] of golden.topIds.entries()) compareTop(logits[position], ids, golden.topLogits[position] ?? []);
  for (const [step, ids] of golden.greedyTopIds.slice(0, steps).entries()) compareTop(logits[promptLength - 1 + step], ids, golden.greedyTopLogits[step] ?? []);
  if (steps === 24) distances.push(distance(logits[promptLength + 22], golden.greedyFinalLogits));
  golden.ids.forEach((_, position) => {
    const row = golden.logits?.subarray(position * golden.lastLogits.length, (position + 1) * golden.lastLogits.length);
    if (row !== undefined) distances.push(distance(logits[position], row));
  });
  return Math.max(...distances);
}
