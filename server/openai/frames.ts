/**
 * Owns the shapes that OpenAI's chat API answers with. Ids are random, never derived from content.
 */
import { randomBytes } from 'node:crypto';
import type { FinishReason } from '../../runtime/index.ts';
import type { Usage } from './completion.ts';

/** What all frames of one answer share. */
export interface AnswerHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

export function createHead(model: string): AnswerHead {
  return { id: `chatcmpl-${randomBytes(18).toString('base64url')}`, created: Math.floor(Date.now() / 1000), model };
}

interface UsageFrame {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

function toUsage(usage: Usage): UsageFrame {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
  };
}

interface Delta {
  readonly role?: 'assistant';
  readonly content?: string;
}

/** A chunk of the stream; `withUsage` adds the `usage: null` that OpenAI sends in every chunk when usage was asked for. */
export function createChunk(head: AnswerHead, delta: Delta, reason: FinishReason | null, withUsage: boolean): object {
  return {
    id: head.id,
    object: 'chat.completion.chunk',
    created: head.created,
    model: head.model,
    system_fingerprint: null,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
    ...(withUsage ? { usage: null } : {}),
  };
}

/** The chunk after the last choice, with `stream_options.include_usage`. */
export function createUsageChunk(head: AnswerHead, usage: Usage): object {
  return {
    id: head.id,
    object: 'chat.completion.chunk',
    created: head.created,
    model: head.model,
    system_fingerprint: null,
    choices: [],
    usage: toUsage(usage),
  };
}

/** The plain answer. */
export function createAnswer(head: AnswerHead, content: string, reason: FinishReason, usage: Usage): object {
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    system_fingerprint: null,
    choices: [{ index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: reason }],
    usage: toUsage(usage),
  };
}
