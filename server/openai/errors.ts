/**
 * Owns the one table of errors that clients get, and OpenAI's envelope around them. Refuses free text: a sentence has
 * places for numbers, names of the schema and rules of the schema, never for a value or a key that a client chose.
 */
import { InwardError } from '../../runtime/index.ts';
import { Refusal, type RefusalCode, type RefusalFields, refusalTable } from '../privacy/errors.ts';

interface Row {
  readonly status: number;
  readonly sentence: string;
}

const table = {
  invalid_json: { status: 400, sentence: 'The body is not valid JSON.' },
  invalid_utf8: { status: 400, sentence: 'The body is not valid UTF-8.' },
  empty_body: { status: 400, sentence: 'The body is empty; send a JSON object.' },
  too_deep: { status: 400, sentence: 'The body nests deeper than {limit} levels.' },
  bad_request: { status: 400, sentence: 'The request is not valid HTTP for this server.' },
  invalid_value: { status: 400, sentence: '{path} {rule}.' },
  unknown_parameter: { status: 400, sentence: '{path} has a field that this server does not know; it knows: {known}.' },
  unsupported_parameter: { status: 400, sentence: '{path} is not supported with that value; {remedy}.' },
  context_length_exceeded: { status: 400, sentence: 'The prompt has {found} tokens and the context holds {limit}, the answer included; shorten {path}.' },
  identifiers_found: {
    status: 422,
    sentence: 'The request has identifiers ({known}), which this key may not send; take them out, for example with `inward deid`.',
  },
  rejected: { status: 400, sentence: '{sentence}' },
  route_not_found: {
    status: 404,
    sentence:
      'There is no such route; see /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/messages, /v1/responses, /v1/models, /tokenize, /detokenize, /tokenizer_info, /v1/deidentify, /inward/status, /inward/review, /health, /ready and /metrics.',
  },
  model_not_found: { status: 404, sentence: 'That model is not served here; this server serves "{model}" (also called "default").' },
  method_not_allowed: { status: 405, sentence: 'This route does not take that method; it takes {allowed}.' },
  request_timeout: { status: 408, sentence: 'The request did not arrive completely in time.' },
  body_too_large: { status: 413, sentence: 'The body is larger than {limit} bytes.' },
  media_type: { status: 415, sentence: 'The body must be application/json in UTF-8, not compressed.' },
  headers_too_large: { status: 431, sentence: 'The header fields are too large.' },
  queue_full: { status: 429, sentence: 'All places in the queue are taken; try again after the time in Retry-After.' },
  client_closed: { status: 499, sentence: 'The client went away.' },
  internal_error: { status: 500, sentence: 'The server failed to answer; the request itself may be fine.' },
  engine_restarted: {
    status: 503,
    sentence: 'The engine was lost while it worked on the answer, and is being started anew; try again after the time in Retry-After.',
  },
  shutting_down: { status: 503, sentence: 'The server is shutting down; try again later.' },
  deadline_exceeded: { status: 504, sentence: 'The answer was not complete within the time that x-inward-deadline-ms gave.' },
  deadline_unreachable: {
    status: 503,
    sentence: 'The answer could not be complete within the time that x-inward-deadline-ms gives; try again after the time in Retry-After.',
  },
  model_loading: { status: 503, sentence: 'The model is being loaded; try again after the time in Retry-After.' },
  engine_failed: { status: 503, sentence: 'The engine has stopped; the server needs a restart.' },
} as const;

export type ApiErrorCode = keyof typeof table | RefusalCode;
const rows: Readonly<Record<ApiErrorCode, Row>> = { ...table, ...refusalTable };

export interface ErrorEnvelope {
  readonly error: { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string };
}

interface ApiErrorFields extends Omit<RefusalFields, 'limit'> {
  readonly path?: string;
  readonly rule?: string;
  readonly known?: string;
  readonly allowed?: string;
  readonly model?: string;
  readonly sentence?: string;
  /** Of `unsupported_parameter`: what to do. */
  readonly remedy?: string;
  readonly limit?: number;
  readonly found?: number;
  /** How long the engine would have kept the request waiting; 0 or left out: nobody knows. */
  readonly waitMs?: number;
}

/** The longest wait that a client is told, in seconds: estimates beyond it are no better than guesses. */
const longestRetry = 600;

/** An answer other than 2xx. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  readonly status: number;
  readonly param: string | null;
  readonly #waitMs: number;

  /** `cause`: what the log is to name, and no client. */
  constructor(code: ApiErrorCode, fields: ApiErrorFields = {}, cause?: InwardError) {
    const values: Readonly<Record<string, unknown>> = { remedy: 'leave it out', ...fields };
    super(
      rows[code].sentence.replace(/\{(\w+)\}/g, (_, key: string) => String(values[key] ?? '?')),
      { cause },
    );
    this.code = code;
    this.status = rows[code].status;
    this.param = fields.path ?? null;
    this.#waitMs = fields.waitMs ?? 0;
  }

  get isBusy(): boolean {
    return this.status === 429 || this.status === 503;
  }

  /** Seconds until another try is worth while: as the engine estimates, else `standard`. */
  retryAfter(standard: number): number {
    // A quota is no estimate.
    const longest = this.code === 'quota_exceeded' ? Number.POSITIVE_INFINITY : longestRetry;
    return this.#waitMs > 0 ? Math.min(Math.max(Math.ceil(this.#waitMs / 1000), 1), longest) : standard;
  }

  toEnvelope(): ErrorEnvelope {
    return { error: { message: this.message, type: typeOf(this.status), param: this.param, code: this.code } };
  }
}

/** OpenAI's names. */
function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

/** Fastify's own refusals; their messages may quote the request and are dropped. */
const fastifyCodes: Readonly<Record<string, ApiErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_NOT_FOUND: 'route_not_found',
  FST_ERR_BAD_URL: 'route_not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'route_not_found',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
};

/** The field of a route that holds its prompt. */
export type PromptField = 'messages' | 'prompt' | 'input' | 'text';

/** Any thrown thing as an answer. What is not known becomes a 500 that says nothing of it. `promptField`: what errors about a prompt name. */
export function toApiError(error: unknown, bodyLimit: number, promptField: PromptField = 'messages'): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof Refusal) return new ApiError(error.code, error.fields);
  if (error instanceof InwardError) return fromInwardError(error, promptField);
  const { code, statusCode } = (error ?? {}) as { readonly code?: unknown; readonly statusCode?: unknown };
  const known = typeof code === 'string' ? fastifyCodes[code] : undefined;
  if (known !== undefined) return new ApiError(known, { limit: bodyLimit });
  const isClientFault = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
  const isNoHttp = typeof code === 'string' && /^(HPE|ERR_SSL|ERR_TLS)_/.test(code);
  return new ApiError(isClientFault || isNoHttp ? 'bad_request' : 'internal_error');
}

const passedOn = ['queue_full', 'shutting_down', 'deadline_exceeded', 'deadline_unreachable', 'engine_restarted'] as const;

/** Errors of the engine that the API has under the same name. */
function isPassedOn(code: string): code is (typeof passedOn)[number] {
  return (passedOn as readonly string[]).includes(code);
}

function fromInwardError(error: InwardError, path: string): ApiError {
  if (error.code === 'prompt_too_long') {
    return new ApiError('context_length_exceeded', { path, found: Number(error.fields['found']), limit: Number(error.fields['limit']) });
  }
  if (error.code === 'aborted') return new ApiError('client_closed');
  if (isPassedOn(error.code)) return new ApiError(error.code, { waitMs: Number(error.fields['waitMs'] ?? 0) });
  // Sentences of the runtime's table hold numbers and closed names only, so those about requests may be passed on.
  return error.kind === 'request' ? new ApiError('rejected', { path, sentence: error.message }) : new ApiError('internal_error', {}, error);
}
