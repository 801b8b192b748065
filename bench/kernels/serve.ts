/**
 * Owns the process of a side: makes the chain that the bench names (so that the bench, whose memory counts as a server's, never holds
 * one), lets the side multiply, times it the same way for all, and holds the result against the truth. Refuses to outlive its parent.
 */
import { answerMessages } from '../answer.ts';
import { type Chain, type ChainPlan, createChain, createInput, multiplyChain } from './chain.ts';

/** What multiplies. */
export interface Multiplier {
  open(options: Readonly<Record<string, unknown>>): Promise<void>;
  /** In place of what was loaded before. */
  load(chain: Chain, mostTokens: number): Promise<void>;
  /** The first row of the result for `tokens` vectors, from the host to the host. */
  run(x: Float32Array, tokens: number): Promise<Float32Array>;
}

export interface Timed {
  /** Of each run, in ms. */
  readonly times: readonly number[];
  /** Of the first row: root of the mean square error over that of the values. */
  readonly error: number;
}

const leastRuns = 3;
const leastMs = 500;
const mostRuns = 200;
/** Enough for one run of the slowest. */
const mostMs = 10_000;

/**
 * Once unmeasured, because kernels are compiled and buffers made at the first use, then at least three times and for half a second; only
 * what takes seconds a run gets fewer.
 */
async function timeRuns(run: () => Promise<Float32Array>, truth: Float64Array): Promise<Timed> {
  const row = await run();
  const times: number[] = [];
  let total = 0;
  do {
    const started = performance.now();
    await run();
    times.push(performance.now() - started);
    total += times.at(-1) ?? 0;
  } while (total < mostMs && (times.length < leastRuns || (total < leastMs && times.length < mostRuns)));
  return { times, error: relativeError(row, truth) };
}

/** Infinite for a row of another length, NaN for one with a NaN. */
export function relativeError(row: ArrayLike<number>, truth: Float64Array): number {
  if (row.length !== truth.length) return Number.POSITIVE_INFINITY;
  const sum = (square: (value: number, i: number) => number): number => truth.reduce((total, value, i) => total + square(value, i), 0);
  return Math.sqrt(sum((value, i) => (value - (row[i] ?? 0)) ** 2) / sum((value) => value ** 2));
}

type Message =
  | { readonly type: 'open'; readonly options: Readonly<Record<string, unknown>> }
  | { readonly type: 'load'; readonly plan: ChainPlan; readonly mostTokens: number }
  | { readonly type: 'run'; readonly tokens: number };

/** Answers the messages of bench/kernels/side.ts. */
export function serve(multiplier: Multiplier): void {
  let columns = 0;
  let truth: Float64Array = new Float64Array();
  answerMessages(async (message: Message) => {
    if (message.type === 'open') await multiplier.open(message.options);
    else if (message.type === 'load') {
      const chain = createChain(message.plan);
      columns = chain.matrices[0]?.columns ?? 0;
      // The first vector is the same for every count of them.
      truth = multiplyChain(chain, createInput(columns, 1));
      await multiplier.load(chain, message.mostTokens);
    } else {
      const x = createInput(columns, message.tokens);
      return { type: 'ran', ...(await timeRuns(() => multiplier.run(x, message.tokens), truth)) };
    }
    return { type: 'done' };
  });
}
