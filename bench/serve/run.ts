/**
 * Owns the open loop: every request is sent at its intended time, whatever became of those before, and is timed from then on, so that a server
 * that falls behind cannot slow down what measures it ("coordinated omission").
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, ask, type Target } from './client.ts';
import type { PlannedRequest } from './load.ts';
import { createPrompt } from './prompts.ts';

/** A request and what became of it. */
export interface Outcome extends Answer {
  readonly kind: string;
  /** When it was to be sent, on the clock of performance.now(). */
  readonly intendedAt: number;
  readonly promptTokens: number;
}

/** `onDone` is called as each ends. The outcomes stand in the order of `requests`. */
export async function runLoad(
  target: Target,
  requests: readonly PlannedRequest[],
  ids: readonly [number, number],
  onDone: (outcome: Outcome) => void = () => undefined,
): Promise<Outcome[]> {
  // Made before, because making them takes time.
  const ready = requests.map((planned) => ({ planned, prompt: createPrompt(planned.prompt, ids) }));
  const beginning = performance.now();
  const outcomes = ready.map(async ({ planned, prompt }): Promise<Outcome> => {
    const { kind, at, newTokens } = planned;
    const intendedAt = beginning + at;
    // What is due goes out without a timer, which takes a millisecond at least. One counts from when the turn of the loop began, and so may ring early.
    while (performance.now() < intendedAt) await sleep(intendedAt - performance.now());
    const answer = await ask(target, { prompt, newTokens, seed: planned.prompt.seed });
    const outcome = { ...answer, kind, intendedAt, promptTokens: prompt.length };
    onDone(outcome);
    return outcome;
  });
  return await Promise.all(outcomes);
}
