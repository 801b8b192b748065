/**
 * Owns the header fields that tell a client what is left of its quota, under the names that OpenAI's and Anthropic's clients read.
 * Without a quota there are none.
 */
import type { FastifyReply } from 'fastify';
import type { Grant } from '../privacy/gate.ts';
import type { Allowance } from '../privacy/quota.ts';

/** Reserves the tokens, and tells what is left, whether that succeeded or not. Throws Refusal. */
export async function reserve(granted: Grant, tokens: number, reply: FastifyReply, isAnthropic = false): Promise<void> {
  try {
    await granted.begin(tokens);
  } finally {
    const left = granted.readAllowance();
    if (left !== undefined) reply.headers(isAnthropic ? { ...describe(left), ...describeAnthropic(left) } : describe(left));
  }
}

function describe({ limit, remaining, resetMs }: Allowance): Readonly<Record<string, string>> {
  return {
    'x-ratelimit-limit-tokens': String(limit),
    'x-ratelimit-remaining-tokens': String(remaining),
    'x-ratelimit-reset-tokens': formatDuration(resetMs),
  };
}

function describeAnthropic({ limit, remaining, resetMs }: Allowance): Readonly<Record<string, string>> {
  const reset = `${new Date(Date.now() + resetMs).toISOString().slice(0, 19)}Z`;
  return {
    'anthropic-ratelimit-tokens-limit': String(limit),
    'anthropic-ratelimit-tokens-remaining': String(remaining),
    'anthropic-ratelimit-tokens-reset': reset,
  };
}

/** `1h0m5s`, as OpenAI writes it. */
function formatDuration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours > 0 ? `${hours}h` : ''}${seconds >= 60 ? `${minutes}m` : ''}${seconds % 60}s`;
}
