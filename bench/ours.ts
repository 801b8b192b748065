/**
 * Inward as a subject of the bench: the engine as an embedder gets it, in its own process, and the text process that
 * a server has beside it, so that memory is what serving takes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Engine, type EngineInfo, type EngineOptions, openEngine } from '../runtime/index.ts';
import { openText, type TextModel } from '../runtime/text/index.ts';
import { readTreeMemory } from './memory.ts';
import type { Subject } from './subject.ts';

export interface OurSubject extends Subject {
  readonly info: EngineInfo;
  /** Of the last step; after a run of one sequence that is one token. */
  readDispatches(): Promise<number>;
}

/** Counts of the engine's process arrive every 100 ms. */
const statsDelayMs = 250;

export async function openOurs(options: EngineOptions): Promise<OurSubject> {
  const started = performance.now();
  const engine = await openEngine(options);
  const loadMs = performance.now() - started;
  // A file without a tokenizer can be measured too.
  const text = await openText({ modelPath: options.modelPath }).catch(() => undefined);
  return {
    info: engine.info,
    loadMs,
    device: engine.info.adapter,
    run: (prompts, newTokens) => {
      const start = performance.now();
      return Promise.all(prompts.map((promptIds) => readTimes(engine, promptIds, newTokens, start)));
    },
    readMemory: () => readTreeMemory(process.pid),
    readDispatches: async () => {
      await sleep(statsDelayMs);
      return engine.stats().dispatchesPerStep;
    },
    [Symbol.asyncDispose]: () => close(engine, text),
  };
}

async function readTimes(engine: Engine, promptIds: Uint32Array, maxTokens: number, start: number): Promise<number[]> {
  const times: number[] = [];
  for await (const event of engine.generate({ promptIds, maxTokens })) if (event.type === 'token') times.push(performance.now() - start);
  return times;
}

async function close(engine: Engine, text: TextModel | undefined): Promise<void> {
  await text?.[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
}
