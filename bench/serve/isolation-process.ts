/**
 * Times to the first token of prompts that nobody, another tenant, or the tenant itself has sent before; in the process of an engine of its own,
 * because HTTP says nothing of tenants yet. Started by bench/serve/inside.ts. Refuses to outlive its parent.
 */
import { createEngine } from '../../runtime/engine.ts';
import type { Engine, GenerateRequest } from '../../runtime/types.ts';
import { answerMessages } from '../answer.ts';
import type { IsolationOptions, IsolationSamples } from './inside.ts';
import { freshPrompt } from './load.ts';
import { createPrompt, idRange } from './prompts.ts';
import { joinSeeds } from './random.ts';

async function measure({ model, device, promptTokens, samples, seed }: IsolationOptions): Promise<IsolationSamples> {
  const contextLength = promptTokens + 16;
  // Room for the prompts of both tenants, so that none is evicted before it is asked for again.
  await using engine = await createEngine({ modelPath: model, device, contextLength, kvTokens: 4 * contextLength });
  const ids = idRange(engine.info.vocabularySize);
  const found: { readonly [Name in keyof IsolationSamples]: number[] } = { cold: [], other: [], own: [] };
  for (let sample = 0; sample < samples; sample++) {
    const promptIds = Uint32Array.from(createPrompt(freshPrompt(promptTokens, joinSeeds(seed, 11, sample)), ids));
    found.cold.push(await timeFirstToken(engine, promptIds, 1));
    // In turn, so that neither always has the cache as the other left it.
    const steps = [
      async () => found.other.push(await timeFirstToken(engine, promptIds, 2)),
      async () => found.own.push(await timeFirstToken(engine, promptIds, 1)),
    ];
    for (const step of sample % 2 === 0 ? steps : steps.reverse()) await step();
  }
  return found;
}

/** In ms; through to the end, so that nothing runs on. */
async function timeFirstToken(engine: Engine, promptIds: Uint32Array, tenant: number): Promise<number> {
  const request: GenerateRequest & { readonly tenant: number } = { promptIds, maxTokens: 1, tenant };
  const started = performance.now();
  let first = Number.NaN;
  for await (const event of engine.generate(request)) if (event.type === 'token') first = performance.now() - started;
  return first;
}

answerMessages(async (options: { readonly type: 'isolation' } & IsolationOptions) => ({ type: 'measured', samples: await measure(options) }));
