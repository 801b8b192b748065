/**
 * Owns what all answers and chunks of OpenAI's API share: the envelope around choices. Ids are random, never derived
 * from content.
 */
import { randomBytes } from 'node:crypto';
import type { ServiceTier } from './service.ts';

export interface Usage {
  readonly promptTokens: number;
  /** Those of the prompts' tokens whose keys and values were kept from earlier requests. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** What all frames of one answer share. */
export interface AnswerHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  /** Undefined: the request named none. */
  readonly serviceTier: ServiceTier | undefined;
}

export function createHead(prefix: string, model: string, serviceTier: ServiceTier | undefined): AnswerHead {
  return { id: `${prefix}${randomBytes(18).toString('base64url')}`, created: Math.floor(Date.now() / 1000), model, serviceTier };
}

/** `usage`: null where it is still to come, undefined where it was not asked for. */
export function createFrame(head: AnswerHead, object: string, choices: readonly object[], usage: Usage | null | undefined): object {
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

function toFrame({ promptTokens, cachedTokens, completionTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}
