/**
 * Owns the clients of a soak: they send turns side by side, and judge every token by what is known of it. No request may take longer than a limit.
 * Refuses to go by what the engine says of itself.
 */
import { type Engine, InwardError, type TokenEvent } from '../../runtime/index.ts';
import type { PlannedRequest, Turn } from './plan.ts';

/** How a request can end. The last three are faults, `restarted` is one unless processes are killed. */
export const ends = ['complete', 'cancelled', 'late', 'restarted', 'wrong', 'failed', 'hung'] as const;
export type End = (typeof ends)[number];

export interface Tally {
  readonly ends: Record<End, number>;
  /** Tokens that clients read. */
  tokens: number;
  /** Answers that began with keys and values of another request; those that had part of a block copied; most that were parked at once. */
  cached: number;
  copied: number;
  parked: number;
  /** What failed requests failed with. */
  readonly codes: Set<string>;
}

export const createTally = (): Tally => ({
  ends: { complete: 0, cancelled: 0, late: 0, restarted: 0, wrong: 0, failed: 0, hung: 0 },
  ...{ tokens: 0, cached: 0, copied: 0, parked: 0, codes: new Set<string>() },
});

export interface ClientOptions {
  readonly clients: number;
  /** Longest time for a request, in ms. */
  readonly limitMs: number;
  readonly onEnd?: (end: End) => void;
}

/** Longest time that a client does not read, in ms; it reads on as soon as the engine has parked a request. */
const stallMs = 5000;

/** Sends the turns until there are no more. */
export async function runClients(engine: Engine, turns: Iterator<Turn, unknown>, tally: Tally, options: ClientOptions): Promise<void> {
  const client = async (): Promise<void> => {
    for (let turn = turns.next(); !turn.done; turn = turns.next())
      await Promise.all(
        turn.value.map(async (planned) => {
          const end = await sendWithin(options.limitMs, engine, planned, tally);
          tally.ends[end]++;
          options.onEnd?.(end);
        }),
      );
  };
  await Promise.all(Array.from({ length: options.clients }, client));
}

async function sendWithin(limitMs: number, engine: Engine, planned: PlannedRequest, tally: Tally): Promise<End> {
  const abort = new AbortController();
  const { promise, resolve } = Promise.withResolvers<End>();
  const hung = setTimeout(() => {
    resolve('hung');
    abort.abort();
  }, limitMs);
  const { behaviour } = planned;
  const left = behaviour.type === 'abort' ? setTimeout(() => abort.abort(), behaviour.afterMs) : undefined;
  const end = await Promise.race([send(engine, planned, abort.signal, tally), promise]);
  clearTimeout(hung);
  clearTimeout(left);
  return end;
}

async function send(engine: Engine, planned: PlannedRequest, signal: AbortSignal, tally: Tally): Promise<End> {
  const { behaviour, known, maxTokens } = planned;
  let count = 0;
  try {
    for await (const event of engine.generate(toRequest(planned), signal)) {
      if (event.type === 'end') return count === maxTokens && event.reason === 'length' ? noteEnd(event, engine, tally) : 'wrong';
      if (event.type !== 'token' || event.id !== known.tokens[count++] || count > maxTokens) return 'wrong';
      tally.tokens++;
      if (behaviour.type === 'leave' && count === behaviour.after) return 'cancelled';
      if (behaviour.type === 'stall' && count === 1) await stall(engine, tally);
    }
    return 'wrong'; // without an end
  } catch (error) {
    return judgeError(error, planned, tally);
  }
}

function toRequest({ known: { promptIds, sampling }, behaviour, ...rest }: PlannedRequest): Parameters<Engine['generate']>[0] {
  return { promptIds, sampling, ...rest, ...(behaviour.type === 'deadline' && { deadlineMs: behaviour.deadlineMs }) };
}

function noteEnd({ cachedTokens }: TokenEvent & { type: 'end' }, engine: Engine, tally: Tally): End {
  if (cachedTokens > 0) tally.cached++;
  // The prefix cache has full blocks only.
  if (cachedTokens % engine.stats().blockLength > 0) tally.copied++;
  return 'complete';
}

async function stall(engine: Engine, tally: Tally): Promise<void> {
  const end = performance.now() + stallMs;
  while (engine.stats().parked === 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  tally.parked = Math.max(tally.parked, engine.stats().parked);
}

function judgeError(error: unknown, { behaviour }: PlannedRequest, { codes }: Tally): End {
  const code = error instanceof InwardError ? error.code : 'no InwardError';
  if (code === 'aborted' && behaviour.type === 'abort') return 'cancelled';
  if (code.startsWith('deadline_') && behaviour.type === 'deadline') return 'late';
  if (code === 'engine_restarted') return 'restarted';
  codes.add(code);
  return 'failed';
}
