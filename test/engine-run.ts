/**
 * Owns how tests run a request to its end and what they keep of it. Tokens and logits only.
 */
import type { Engine, FinishReason, GenerateRequest, TokenLogprobs } from '../runtime/types.ts';

export interface Result {
  readonly tokens: number[];
  /** Logits at every prompt position but the last, then at every token. */
  readonly logits: Float32Array[];
  /** Log-probabilities in the same places, where they were asked for. */
  readonly logprobs: TokenLogprobs[];
  readonly reason: FinishReason | undefined;
}

export async function run(engine: Engine, promptIds: ArrayLike<number>, rest: Omit<GenerateRequest, 'promptIds'>, signal?: AbortSignal): Promise<Result> {
  const tokens: number[] = [];
  const logits: Float32Array[] = [];
  const logprobs: TokenLogprobs[] = [];
  let reason: FinishReason | undefined;
  for await (const event of engine.generate({ promptIds: Uint32Array.from(promptIds), ...rest }, signal)) {
    if (event.type === 'end') {
      reason = event.reason;
      continue;
    }
    if (event.logits !== undefined) logits.push(event.logits);
    if (event.logprobs !== undefined) logprobs.push(event.logprobs);
    if (event.type === 'token') tokens.push(event.id);
  }
  return { tokens, logits, logprobs, reason };
}

/** Largest absolute difference; NaN and a wrong length are infinite. */
export function distance(got: ArrayLike<number> | undefined, expected: ArrayLike<number>): number {
  if (got === undefined || got.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((got[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, difference);
  }
  return worst;
}

/** Whether two lists of logits are the same bit for bit; says where they first differ. */
export function firstDifference(got: readonly Float32Array[], expected: readonly Float32Array[]): string | undefined {
  if (got.length !== expected.length) return `${got.length} rows instead of ${expected.length}`;
  for (let row = 0; row < expected.length; row++) {
    const column = expected[row]?.findIndex((value, i) => !Object.is(value, got[row]?.[i])) ?? -1;
    if (column >= 0) return `row ${row}, column ${column}: ${got[row]?.[column]} instead of ${expected[row]?.[column]}`;
  }
  return undefined;
}
