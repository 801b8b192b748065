/**
 * Owns the making of one choice: engine events -> pieces of text with their tokens, and an end. One generator, which
 * every presentation consumes. Refuses to know the wire format.
 */
import type { FinishReason, TokenId, TokenLogprobs } from '../../runtime/index.ts';
import { AnswerText, type Passage } from './answer-text.ts';
import type { ChoicePlan, Models } from './plan.ts';

export interface ChoiceEnd {
  readonly reason: FinishReason;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  /** Mean log-probability of all tokens that were made, those of a stop string and the one that ends the text too; 0 where none was asked for. */
  readonly meanLogprob: number;
}

/** What an answer has cost so far, whether it will be complete or not. */
export interface Spent {
  hasBegun: boolean;
  completionTokens: number;
  /** Of the choice that found the most. */
  cachedTokens: number;
}

export type Part = ({ readonly type: 'text' } & Passage) | ({ readonly type: 'end' } & ChoiceEnd);

/** The parts of one choice. Throws InwardError: from the first `next()` when the engine refuses it, later when it fails. */
export async function* makeChoice({ engine, text }: Models, plan: ChoicePlan, signal: AbortSignal, spent: Spent): AsyncGenerator<Part, void, undefined> {
  const { stopIds = [], promptIds } = plan.generate;
  const answer = new AnswerText(text, plan.stops, plan.reportsLogprobs);
  const scores: TokenLogprobs[] = [];
  let { echoFrom } = plan;
  let [completionTokens, cachedTokens, logprobSum] = [0, 0, 0];
  for await (const event of engine.generate(plan.generate, signal)) {
    spent.hasBegun = true;
    if (event.type === 'prompt') {
      if (event.logprobs !== undefined) scores.push(event.logprobs);
      continue;
    }
    // Not before: the scores are complete now, and what the engine refuses must not have begun.
    if (echoFrom !== undefined) yield { type: 'text', ...echo(answer, promptIds, echoFrom, scores) };
    echoFrom = undefined;
    cachedTokens = event.cachedTokens ?? cachedTokens;
    spent.cachedTokens = Math.max(spent.cachedTokens, cachedTokens);
    if (event.type === 'token') {
      completionTokens++;
      spent.completionTokens++;
      logprobSum += event.logprobs?.logprob ?? 0;
    }
    const isEnd = event.type === 'token' && stopIds.includes(event.id);
    if (isEnd && !plan.reportsEnd) continue;
    const { isStopped, ...passage } = event.type === 'end' ? answer.end() : answer.push({ id: event.id, logprobs: event.logprobs ?? null, isEnd });
    if (passage.text !== '' || passage.tokens?.length) yield { type: 'text', ...passage };
    if (isStopped || event.type === 'end') {
      const reason = isStopped || event.type !== 'end' ? 'stop' : event.reason;
      yield { type: 'end', reason, completionTokens, cachedTokens, meanLogprob: logprobSum / Math.max(1, completionTokens) };
      return;
    }
  }
}

/** The places of the choices that are the answer: of each prompt's `candidateCount` the likeliest `choiceCount`, likeliest first, equal ones as they stand. */
export function pickChoices(ends: readonly ChoiceEnd[], candidateCount: number, choiceCount: number): readonly number[] {
  if (candidateCount === choiceCount) return [...ends.keys()];
  const likelihood = (place: number): number => ends[place]?.meanLogprob ?? 0;
  return Array.from({ length: ends.length / candidateCount }, (_, prompt) => prompt * candidateCount).flatMap((from) =>
    Array.from({ length: candidateCount }, (_, candidate) => from + candidate)
      .sort((a, b) => likelihood(b) - likelihood(a))
      .slice(0, choiceCount),
  );
}

function echo(answer: AnswerText, ids: Uint32Array, from: number, scores: readonly TokenLogprobs[]): Passage {
  const tokens = Array.from(ids, (id, position) => ({ id: id as TokenId, logprobs: scores[position - 1] ?? null, isEnd: false }));
  return answer.echo(tokens.slice(from));
}
