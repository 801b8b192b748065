/** Inward as a subject of the bench, asked as the others are. */
import { join } from 'node:path';
import type { EngineInfo, EngineOptions } from '../runtime/index.ts';
import { Child } from './child.ts';
import { readTreeMemory } from './memory.ts';
import type { Answer, Question } from './ours-process.ts';
import type { Subject } from './subject.ts';

export interface OurSubject extends Subject {
  readonly info: EngineInfo;
  /** Of the last step; after a run of one sequence that is one token. */
  readDispatches(): Promise<number>;
}

/** Throws PeerError. */
export async function openOurs(options: EngineOptions): Promise<OurSubject> {
  const child = new Child(join(import.meta.dirname, 'ours-process.ts'), {});
  const ask = <Type extends Answer['type']>(question: Question): Promise<Extract<Answer, { type: Type }>> => child.ask(question);
  try {
    const { info, loadMs } = await ask<'opened'>({ type: 'open', options });
    return {
      info,
      loadMs,
      device: info.adapter,
      run: async (prompts, newTokens) => (await ask<'ran'>({ type: 'run', prompts, newTokens })).times,
      readMemory: () => readTreeMemory(child.pid),
      readDispatches: async () => (await ask<'counted'>({ type: 'dispatches' })).dispatches,
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}
