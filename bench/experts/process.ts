/**
 * The engine's process of a measured level: started by launchEngine as the server's, opens the engine as that does, answers prompts and looks at its
 * own memory. Refuses to serve. Started by bench/experts/measure.ts.
 */
import type { Driver } from '../../runtime/drivers.ts';
import { createEngine } from '../../runtime/engine.ts';
import { toInwardError } from '../../runtime/errors.ts';
import type { ExpertCounts } from '../../runtime/experts/pager.ts';
import { Link } from '../../runtime/link/link.ts';
import type { Engine, EngineOptions, EngineStats } from '../../runtime/types.ts';

export type LevelQuestion =
  | { readonly type: 'open'; readonly options: EngineOptions; readonly driver: Driver }
  | { readonly type: 'ask'; readonly promptIds: readonly number[]; readonly maxTokens: number };

export interface LevelAnswer {
  readonly tokens: readonly number[];
  /** From a token to the next, in ms. */
  readonly tokenMs: number;
  /** From the first token to the last, over the tokens between. */
  readonly counts: ExpertCounts;
}

/** Bytes. */
export interface LevelMemory {
  /** On the device, by the ledger: of weights, and of all. */
  readonly weights: number;
  readonly device: number;
  /** Highest resident size of the process so far, less what it was before the first weight; a software device's memory is in it. */
  readonly resident: number;
  /** Highest use of V8's heap, and of what lies outside of it and is held from there. */
  readonly heap: number;
  readonly external: number;
}

export type LevelReply =
  | { readonly type: 'opened' }
  | { readonly type: 'answered'; readonly answer: LevelAnswer; readonly memory: LevelMemory }
  | { readonly type: 'refused'; readonly reason: string };

const parent = Link.toParent<LevelReply, LevelQuestion>();
let engine: Engine | undefined;
let before = 0;
let [resident, heap, external] = [0, 0, 0];

function look(): void {
  const usage = process.memoryUsage();
  if (before === 0) before = usage.rss;
  resident = Math.max(resident, usage.rss - before);
  heap = Math.max(heap, usage.heapUsed);
  external = Math.max(external, usage.external);
}

async function ask(asked: Engine, promptIds: readonly number[], maxTokens: number): Promise<LevelAnswer> {
  const tokens: number[] = [];
  let first: { readonly at: number; readonly stats: EngineStats } | undefined;
  let last = 0;
  for await (const event of asked.generate({ promptIds: Uint32Array.from(promptIds), maxTokens })) {
    if (event.type !== 'token') continue;
    tokens.push(event.id);
    last = performance.now();
    first ??= { at: last, stats: asked.stats() };
    look();
  }
  const stats = asked.stats();
  const count = tokens.length - 1;
  const of = (name: keyof ExpertCounts): number => (stats[name] - (first?.stats[name] ?? 0)) / count;
  const counts = {
    ...{ expertUses: of('expertUses'), expertLoads: of('expertLoads'), expertsAhead: of('expertsAhead'), expertsForeseen: of('expertsForeseen') },
    ...{ expertBytes: of('expertBytes'), expertFileBytes: of('expertFileBytes') },
  };
  return { tokens, tokenMs: (last - (first?.at ?? 0)) / count, counts };
}

function measureMemory(opened: Engine): LevelMemory {
  const { memory } = opened.stats();
  const device = Object.values(memory).reduce((sum, size) => sum + size, 0);
  return { weights: memory['weights'] ?? 0, device, resident, heap, external };
}

async function reply(question: LevelQuestion): Promise<LevelReply> {
  try {
    if (question.type === 'open') {
      engine = await createEngine(
        { ...question.options, onProgress: ({ part }) => (part === 'weights' ? look() : undefined) },
        {},
        { driver: question.driver },
      );
      return { type: 'opened' };
    }
    if (engine === undefined) return { type: 'refused', reason: 'there is no engine' };
    return { type: 'answered', answer: await ask(engine, question.promptIds, question.maxTokens), memory: measureMemory(engine) };
  } catch (error) {
    return { type: 'refused', reason: toInwardError(error, 'the engine').message };
  }
}

parent.listen({ message: (question) => void reply(question).then((answer) => parent.send(answer)), closed: () => process.exit(0) });
