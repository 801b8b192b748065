/**
 * Speed of summaries with guessed tokens and without, in the process of two engines that differ in this alone, one after the other.
 * Started by bench/serve/inside.ts. Refuses to outlive its parent, and to call anything faster that gives other tokens.
 */
import { createEngine } from '../../runtime/engine.ts';
import type { Engine, TokenId } from '../../runtime/types.ts';
import { answerMessages } from '../answer.ts';
import type { DraftsOptions, DraftsSample } from './inside.ts';

interface Run {
  readonly ids: readonly TokenId[];
  /** From the first token to the last, in ms. */
  readonly ms: number;
}

async function measure({ model, device, prompts, stopIds, newTokens }: DraftsOptions): Promise<DraftsSample[]> {
  const contextLength = Math.max(...prompts.map(({ length }) => length)) + newTokens;
  const options = { modelPath: model, device, contextLength, prefixSeconds: 0 };
  await using plain = await createEngine({ ...options, draftLength: 0 });
  await using guessing = await createEngine(options);
  const found: DraftsSample[] = [];
  for (const [index, promptIds] of prompts.entries()) {
    const before = guessing.stats();
    const runs: { plain?: Run; guessing?: Run } = {};
    const works = [
      async () => (runs.plain = await generate(plain, promptIds, stopIds, newTokens)),
      async () => (runs.guessing = await generate(guessing, promptIds, stopIds, newTokens)),
    ];
    for (const work of index % 2 === 0 ? works : works.reverse()) await work();
    const { plain: a, guessing: b } = runs as Required<typeof runs>;
    if (a.ids.join() !== b.ids.join()) throw new Error('guessing changed what is drawn');
    const { draftTokens, acceptedTokens } = guessing.stats();
    found.push({
      tokens: a.ids.length,
      plainMs: a.ms,
      guessingMs: b.ms,
      guessed: draftTokens - before.draftTokens,
      accepted: acceptedTokens - before.acceptedTokens,
    });
  }
  return found;
}

async function generate(engine: Engine, promptIds: Uint32Array, stopIds: readonly TokenId[], maxTokens: number): Promise<Run> {
  const ids: TokenId[] = [];
  let first = Number.NaN;
  for await (const event of engine.generate({ promptIds, maxTokens, stopIds })) {
    if (event.type !== 'token') continue;
    if (ids.length === 0) first = performance.now();
    ids.push(event.id);
  }
  return { ids, ms: performance.now() - first };
}

answerMessages(async (options: { readonly type: 'drafts' } & DraftsOptions) => ({ type: 'measured', samples: await measure(options) }));
