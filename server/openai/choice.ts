/**
 * Owns the making of one choice: engine events -> parts of the answer with their tokens, and an end. One generator, which
 * every presentation consumes. Refuses to know the wire format.
 */
import type { FinishReason, TokenId, TokenLogprobs } from '../../runtime/index.ts';
import type { TextModel } from '../../runtime/text/index.ts';
import { AnswerParts, type Grown } from './answer-parts.ts';
import { AnswerText, type Passage, type ScoredToken } from './answer-text.ts';
import { HeldAnswer } from './held-answer.ts';
import type { ContentPart } from './parts.ts';
import type { ChoicePlan, Models } from './plan.ts';
import type { Stopped } from './stop.ts';

export interface ChoiceEnd {
  readonly reason: FinishReason;
  /** The stop string that ended it. */
  readonly stop?: string | undefined;
  /** Calls of tools in it. */
  readonly callCount: number;
  readonly completionTokens: number;
  /** Of those. */
  readonly reasoningTokens: number;
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

export type Part = ContentPart | ({ readonly type: 'end' } & ChoiceEnd);

/** The parts of one choice. Throws InwardError: from the first `next()` when the engine refuses it, later when it fails. */
export async function* makeChoice({ engine, text }: Models, plan: ChoicePlan, signal: AbortSignal, spent: Spent): AsyncGenerator<Part, void, undefined> {
  const { stopIds = [], promptIds } = plan.generate;
  const answer = createAnswer(text, plan);
  const scores: TokenLogprobs[] = [];
  const held = plan.generate.grammar && new HeldAnswer(plan);
  let { echoFrom } = plan;
  let [completionTokens, cachedTokens, logprobSum] = [0, 0, 0];
  for await (const event of engine.generate(plan.generate, signal)) {
    spent.hasBegun = true;
    if (event.type === 'prompt') {
      if (event.logprobs !== undefined) scores.push(event.logprobs);
      continue;
    }
    // Not before: the scores are complete now, and what the engine refuses must not have begun.
    if (echoFrom !== undefined) yield { type: 'text', ...answer.echo(listPrompt(promptIds, echoFrom, scores)) };
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
    const { parts, isStopped, stop } = event.type === 'end' ? answer.end() : answer.push({ id: event.id, logprobs: event.logprobs ?? null, isEnd });
    for (const part of parts) held?.add(part);
    yield* parts;
    if (isStopped || event.type === 'end') {
      const reason = isStopped || event.type !== 'end' ? 'stop' : event.reason;
      // What was cut is not whole.
      if (held !== undefined && reason === 'stop' && stop === undefined) await text.checkAnswer(held.listValues());
      const { callCount, reasoningTokens } = answer;
      const meanLogprob = logprobSum / Math.max(1, completionTokens);
      yield { type: 'end', reason, stop, callCount, completionTokens, reasoningTokens, cachedTokens, meanLogprob };
      return;
    }
  }
}

/** An answer as it grows, whether it is text alone or has other parts too. */
interface Answer {
  readonly callCount: number;
  readonly reasoningTokens: number;
  echo(tokens: readonly ScoredToken[]): Passage;
  push(token: ScoredToken): Grown;
  end(): Grown;
}

function createAnswer(model: TextModel, { stops, reportsLogprobs, parsing, generate: { promptIds } }: ChoicePlan): Answer {
  const text = new AnswerText(model, stops, reportsLogprobs);
  const echo: Answer['echo'] = (tokens) => text.echo(tokens);
  if (parsing === undefined) return { callCount: 0, reasoningTokens: 0, echo, push: (token) => toGrown(text.push(token)), end: () => toGrown(text.end()) };
  const decoder = model.createAnswerDecoder({ prompt: promptIds, tools: parsing.tools });
  return Object.assign(new AnswerParts(decoder, { stops, lengths: reportsLogprobs ? model.createDecoder() : undefined, callLimit: parsing.callLimit }), {
    echo,
  });
}

function toGrown({ text, tokens, ...stopped }: Passage & Stopped): Grown {
  return { parts: text !== '' || tokens?.length ? [{ type: 'text', text, tokens }] : [], ...stopped };
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

function listPrompt(ids: Uint32Array, from: number, scores: readonly TokenLogprobs[]): readonly ScoredToken[] {
  return Array.from(ids, (id, position) => ({ id: id as TokenId, logprobs: scores[position - 1] ?? null, isEnd: false })).slice(from);
}
