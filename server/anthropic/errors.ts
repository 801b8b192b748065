/**
 * Owns Anthropic's envelope around the errors of the one table (openai/errors.ts). Beside their fields it has the code and the path that OpenAI's
 * envelope has, so that both dialects can be looked up in the same list.
 */
import type { ApiError } from '../openai/errors.ts';
import type { RoutePattern } from '../privacy/words.ts';

export interface AnthropicEnvelope {
  readonly type: 'error';
  readonly error: { readonly type: string; readonly message: string; readonly code: string; readonly param: string | null };
}

/** Anthropic's names. */
const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

export function toAnthropicEnvelope(error: ApiError): AnthropicEnvelope {
  const type = types[error.status] ?? (error.status >= 500 ? 'api_error' : 'invalid_request_error');
  return { type: 'error', error: { type, message: error.message, code: error.code, param: error.param } };
}

export function speaksAnthropic(route: RoutePattern): boolean {
  return route === '/v1/messages' || route === '/v1/messages/count_tokens';
}
