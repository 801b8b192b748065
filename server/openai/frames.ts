/**
 * Owns what all answers and chunks of OpenAI's APIs with choices share: the envelope around them. Ids are random, never derived
 * from content.
 */
import { randomBytes } from 'node:crypto';
import type { ChoiceEnd } from './choice.ts';
import type { Presentation, WholeChoice } from './dialect.ts';
import type { ContentPart } from './parts.ts';
import type { ServiceTier } from './service.ts';

export interface Usage {
  readonly promptTokens: number;
  /** Those of the prompts' tokens whose keys and values were kept from earlier requests. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Those of thoughts; undefined where nobody told thoughts and text apart. */
  readonly reasoningTokens: number | undefined;
}

/** What all frames of one answer share. */
export interface AnswerHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  /** Undefined: the request named none. */
  readonly serviceTier: ServiceTier | undefined;
}

export function createId(prefix: string): string {
  return `${prefix}${randomBytes(18).toString('base64url')}`;
}

export function createHead(prefix: string, model: string, serviceTier: ServiceTier | undefined): AnswerHead {
  return { id: createId(prefix), created: Math.floor(Date.now() / 1000), model, serviceTier };
}

/** `usage`: null where it is still to come, undefined where it was not asked for. */
function createFrame(head: AnswerHead, object: string, choices: readonly object[], usage: Usage | null | undefined): object {
  return {
    id: head.id,
    object,
    created: head.created,
    model: head.model,
    ...(head.serviceTier === undefined ? {} : { service_tier: head.serviceTier }),
    system_fingerprint: null,
    choices,
    ...(usage === undefined ? {} : { usage: usage && toFrame(usage) }),
  };
}

function toFrame({ promptTokens, cachedTokens, completionTokens, reasoningTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    ...(reasoningTokens === undefined ? {} : { completion_tokens_details: { reasoning_tokens: reasoningTokens } }),
  };
}

/** The choices of one of OpenAI's two APIs. */
export interface ChoiceShapes {
  /** Names of the whole answer and of a chunk of a stream. */
  readonly objects: { readonly whole: string; readonly chunk: string };
  /** A choice of the whole answer. */
  whole(index: number, choice: WholeChoice): object;
  /** A choice of a chunk: before its first part (where there is such a chunk), with a part, after the last. */
  opening(index: number): object | undefined;
  delta(index: number, part: ContentPart): object;
  closing(index: number, end: ChoiceEnd): object;
}

/** An answer whose chunks have one choice each. `includesUsage`: a last chunk has the usage, and all before it null, as OpenAI does it. */
export function presentChoices(head: AnswerHead, shapes: ChoiceShapes, choiceCount: number, includesUsage: boolean): Presentation {
  const chunk = (choices: readonly object[], usage: Usage | null = null): object =>
    createFrame(head, shapes.objects.chunk, choices, includesUsage ? usage : undefined);
  return {
    whole: (choices, usage) =>
      createFrame(
        head,
        shapes.objects.whole,
        choices.map((choice, index) => shapes.whole(index, choice)),
        usage,
      ),
    opening: () =>
      Array.from({ length: choiceCount }, (_, index) => shapes.opening(index)).flatMap((choice) => (choice === undefined ? [] : [chunk([choice])])),
    part: (index, part) => [chunk([shapes.delta(index, part)])],
    closing: (index, end) => [chunk([shapes.closing(index, end)])],
    ending: (usage) => [...(includesUsage ? [chunk([], usage)] : []), '[DONE]'],
    failure: (error) => [error.toEnvelope()],
  };
}
