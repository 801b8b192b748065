/**
 * Owns the making of one choice: engine events -> pieces of text with their tokens, and an end. One generator, which
 * every presentation consumes. Refuses to know the wire format.
 */
import type { FinishReason, TokenId, TokenLogprobs } from '../../runtime/index.ts';
import { AnswerText, type Passage } from './answer-text.ts';
import type { ChoicePlan, Models } from './plan.ts';

export type Part = ({ readonly type: 'text' } & Passage) | { readonly type: 'end'; readonly reason: FinishReason; readonly completionTokens: number };

/** The parts of one choice. Throws InwardError: from the first `next()` when the engine refuses it, later when it fails. */
export async function* makeChoice({ engine, text }: Models, plan: ChoicePlan, signal: AbortSignal): AsyncGenerator<Part, void, undefined> {
  const { stopIds = [], logprobs, promptIds } = plan.generate;
  const answer = new AnswerText(text, plan.stops, logprobs !== undefined);
  const scores: TokenLogprobs[] = [];
  let { echoFrom } = plan;
  let completionTokens = 0;
  for await (const event of engine.generate(plan.generate, signal)) {
    if (event.type === 'prompt') {
      if (event.logprobs !== undefined) scores.push(event.logprobs);
      continue;
    }
    // Not before: the scores are complete now, and what the engine refuses must not have begun.
    if (echoFrom !== undefined) yield { type: 'text', ...echo(answer, promptIds, echoFrom, scores) };
    echoFrom = undefined;
    if (event.type === 'token') completionTokens++;
    const isEnd = event.type === 'token' && stopIds.includes(event.id);
    if (isEnd && !plan.reportsEnd) continue;
    const { isStopped, ...passage } = event.type === 'end' ? answer.end() : answer.push({ id: event.id, logprobs: event.logprobs ?? null, isEnd });
    if (passage.text !== '' || passage.tokens?.length) yield { type: 'text', ...passage };
    if (isStopped || event.type === 'end') {
      yield { type: 'end', reason: isStopped || event.type !== 'end' ? 'stop' : event.reason, completionTokens };
      return;
    }
  }
}

function echo(answer: AnswerText, ids: Uint32Array, from: number, scores: readonly TokenLogprobs[]): Passage {
  const tokens = Array.from(ids, (id, position) => ({ id: id as TokenId, logprobs: scores[position - 1] ?? null, isEnd: false }));
  return answer.echo(tokens.slice(from));
}
