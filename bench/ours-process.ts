/**
 * Inward behind messages, in a process of its own as every engine of the bench: the engine as an embedder gets it, and the text
 * process that a server has beside it, so that memory is what serving takes. Started by bench/ours.ts. Refuses to outlive its parent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Engine, type EngineInfo, type EngineOptions, openEngine } from '../runtime/index.ts';
import { openText } from '../runtime/text/index.ts';
import { keepHeapSmall } from '../scripts/node.mjs';
import { answerMessages } from './answer.ts';

export type Question =
  | { readonly type: 'open'; readonly options: EngineOptions }
  | { readonly type: 'run'; readonly prompts: readonly Uint32Array[]; readonly newTokens: number }
  | { readonly type: 'dispatches' };
export type Answer =
  | { readonly type: 'opened'; readonly info: EngineInfo; readonly loadMs: number }
  | { readonly type: 'ran'; readonly times: readonly (readonly number[])[] }
  | { readonly type: 'counted'; readonly dispatches: number };

/** Counts of the engine's process arrive every 100 ms. */
const statsDelayMs = 250;
let engine: Engine | undefined;
let closeText = async (): Promise<void> => undefined;

async function answer(question: Question): Promise<Answer> {
  if (question.type === 'open') {
    const started = performance.now();
    engine = await openEngine(question.options);
    const loadMs = performance.now() - started;
    // A file without a tokenizer can be measured too.
    const text = await openText({ modelPath: question.options.modelPath }).catch(() => undefined);
    closeText = async () => text?.[Symbol.asyncDispose]();
    return { type: 'opened', info: engine.info, loadMs };
  }
  if (engine === undefined) throw new Error('asked before it was opened');
  if (question.type === 'dispatches') {
    await sleep(statsDelayMs);
    return { type: 'counted', dispatches: engine.stats().dispatchesPerStep };
  }
  const running = engine;
  const start = performance.now();
  return { type: 'ran', times: await Promise.all(question.prompts.map((promptIds) => readTimes(running, promptIds, question.newTokens, start))) };
}

async function readTimes(running: Engine, promptIds: Uint32Array, maxTokens: number, start: number): Promise<number[]> {
  const times: number[] = [];
  for await (const event of running.generate({ promptIds, maxTokens })) if (event.type === 'token') times.push(performance.now() - start);
  return times;
}

keepHeapSmall();
answerMessages(answer, async () => {
  await closeText();
  await engine?.[Symbol.asyncDispose]();
});
