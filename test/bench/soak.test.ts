/** The soak sees what it is there to see: engines that give wrong tokens, lose requests or leave something behind. No device. */
import { expect, test } from 'vitest';
import { createTally, type End, runClients, type Tally } from '../../bench/soak/clients.ts';
import { judgeEnds, judgeGrowth, judgeMemory, judgeRest } from '../../bench/soak/judge.ts';
import { drawCount, type Known, promptCount } from '../../bench/soak/known.ts';
import { type Behaviour, type PlannedRequest, planTurns } from '../../bench/soak/plan.ts';
import { emptyStats } from '../../runtime/host/stats.ts';
import { type Engine, InwardError, type TokenEvent } from '../../runtime/index.ts';

const known: Known = { promptIds: Uint32Array.of(1, 2), sampling: {}, tokens: [5, 6, 7, 8] };
const plan = (behaviour: Behaviour = { type: 'read' }): PlannedRequest => ({
  ...{ known, maxTokens: 3, behaviour, tenant: 1, priority: 'interactive', keepsPrefix: true },
});
const end = (cachedTokens = 0): TokenEvent => ({ type: 'end', reason: 'length', promptTokens: 2, completionTokens: 3, cachedTokens });
const tokens = (...ids: number[]): TokenEvent[] => ids.map((id) => ({ type: 'token', id }) as TokenEvent);

/** What becomes of one request that gets these events, then this error or nothing at all. */
async function endOf(planned: PlannedRequest, events: readonly TokenEvent[], last?: Error | 'silence'): Promise<{ end: End; tally: Tally }> {
  const tally = createTally();
  const engine = {
    stats: () => ({ ...emptyStats, blockLength: 16 }),
    async *generate(_: unknown, signal?: AbortSignal) {
      yield* events;
      if (last === 'silence') await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new InwardError('aborted'))));
      else if (last !== undefined) throw last;
    },
  } as unknown as Engine;
  await runClients(engine, [[planned]].values(), tally, { clients: 2, limitMs: 200 });
  const [found] = Object.entries(tally.ends).filter(([, count]) => count > 0);
  return { end: found?.[0] as End, tally };
}

const error = (code: 'aborted' | 'engine_restarted' | 'deadline_exceeded' | 'device_lost'): Error =>
  code === 'deadline_exceeded' ? new InwardError(code, { limit: 1 }) : new InwardError(code);

test.each<[End, Behaviour, TokenEvent[], (Error | 'silence')?]>([
  ['complete', { type: 'read' }, [...tokens(5, 6, 7), end()]],
  ['wrong', { type: 'read' }, [...tokens(5, 6, 8), end()]],
  ['wrong', { type: 'read' }, [...tokens(5, 6), end()]],
  ['wrong', { type: 'read' }, [...tokens(5, 6, 7, 8), end()]],
  ['wrong', { type: 'read' }, tokens(5, 6, 7)],
  ['wrong', { type: 'read' }, [...tokens(5, 6, 7), { ...end(), reason: 'stop' } as TokenEvent]],
  ['cancelled', { type: 'leave', after: 2 }, tokens(5, 6), 'silence'],
  ['wrong', { type: 'leave', after: 2 }, tokens(5, 7), 'silence'],
  ['cancelled', { type: 'abort', afterMs: 20 }, tokens(5), 'silence'],
  ['failed', { type: 'read' }, tokens(5), error('aborted')],
  ['late', { type: 'deadline', deadlineMs: 1 }, tokens(5), error('deadline_exceeded')],
  ['failed', { type: 'read' }, tokens(5), error('deadline_exceeded')],
  ['restarted', { type: 'read' }, tokens(5), error('engine_restarted')],
  ['failed', { type: 'read' }, [], error('device_lost')],
  ['failed', { type: 'read' }, [], new Error('of nobody')],
  ['hung', { type: 'read' }, tokens(5), 'silence'],
])('%s: %j with %j and %s', async (expected, behaviour, events, last) => {
  expect((await endOf(plan(behaviour), events, last)).end).toBe(expected);
});

test('what took place is counted: kept tokens, and copies where they are no whole blocks', async () => {
  for (const [cachedTokens, cached, copied] of [
    [0, 0, 0],
    [32, 1, 0],
    [33, 1, 1],
  ] as const)
    expect((await endOf(plan(), [...tokens(5, 6, 7), end(cachedTokens)])).tally).toMatchObject({ cached, copied, tokens: 3 });
});

test('each bound is broken by what it is for, and by nothing else', () => {
  const broken = (bounds: readonly { readonly isMet: boolean | null }[]): number => bounds.filter(({ isMet }) => isMet === false).length;
  const rested = { ...emptyStats, kvBlocksTotal: 8, kvBlocksFree: 8 };
  expect(broken(judgeRest(rested, 0))).toBe(0);
  for (const change of [{ running: 1 }, { waiting: 1 }, { kvBlocksFree: 7 }, { kvBlocksCached: 1 }])
    expect(broken(judgeRest({ ...rested, ...change }, 0))).toBe(1);
  expect(broken(judgeRest(rested, 1))).toBe(1);
  const tally = (ends: Partial<Tally['ends']>): Tally => ({ ...createTally(), ends: { ...createTally().ends, complete: 9, cancelled: 3, late: 2, ...ends } });
  expect(broken(judgeEnds(tally({}), 0, rested))).toBe(0);
  for (const name of ['wrong', 'failed', 'hung', 'restarted'] as const) expect(broken(judgeEnds(tally({ [name]: 1 }), 0, rested)), name).toBe(1);
  expect(broken(judgeEnds(tally({ restarted: 9 }), 2, { ...rested, restarts: 2 }))).toBe(0);
  for (const restarts of [1, 3]) expect(broken(judgeEnds(tally({}), 2, { ...rested, restarts }))).toBe(1);
  const sizes = (engine: number, parent: number): { engine: number; parent: number } => ({ engine, parent });
  expect(broken(judgeGrowth(sizes(100, 100), sizes(101.9, 90), true))).toBe(0);
  expect(broken(judgeGrowth(sizes(100, 100), sizes(103, 103), true))).toBe(2);
  expect(judgeGrowth(sizes(100, 100), sizes(200, 100), false).map(({ isMet }) => isMet)).toEqual([null, null]);
  const memory = { ...rested, memory: { kv: 1, logits: 2 } };
  expect(judgeMemory(memory, memory).isMet).toBe(true);
  for (const changed of [
    { kv: 1, logits: 3 },
    { kv: 1, logits: 2, staging: 1 },
  ])
    expect(judgeMemory(memory, { ...rested, memory: changed }).isMet).toBe(false);
});

test('the same seed plans the same turns, with all that clients can do; another seed, others', () => {
  const catalogue = Array.from(
    { length: promptCount * drawCount },
    (_, i): Known => ({ ...known, promptIds: Uint32Array.of(i), tokens: new Array(112).fill(i) }),
  );
  const [first, again, other] = [1, 1, 2].map((seed) => [...planTurns(catalogue, seed, 300)]);
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  const requests = (first ?? []).flat();
  expect(new Set(requests.map(({ behaviour }) => behaviour.type))).toEqual(new Set(['read', 'leave', 'abort', 'deadline', 'stall']));
  expect(new Set(requests.map(({ tenant }) => tenant))).toEqual(new Set([1, 2, 3]));
  for (const isThere of [
    ({ group }: PlannedRequest) => group !== undefined,
    ({ cacheSalt }: PlannedRequest) => cacheSalt !== undefined,
    ({ priority }: PlannedRequest) => priority === 'batch',
    ({ keepsPrefix }: PlannedRequest) => !keepsPrefix,
    ({ logprobs }: PlannedRequest) => logprobs !== undefined,
  ])
    expect(requests.some(isThere)).toBe(true);
  for (const turn of first ?? [])
    expect(new Set(turn.map(({ known: { promptIds }, group }) => `${Math.floor((promptIds[0] ?? 0) / drawCount)} ${group}`)).size).toBe(1);
  for (const {
    maxTokens,
    known: { tokens: whole },
  } of requests)
    expect(maxTokens).toBeLessThanOrEqual(whole.length);
});
