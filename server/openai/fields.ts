/**
 * Owns the fields that both routes take, and the one request that both become. Refuses to know a wire format beyond
 * these fields.
 */
import { z } from 'zod';
import { type Grammar, type LogitBias, logitBiasLimit, logprobsLimit, type Sampling, type TokenId } from '../../runtime/index.ts';
import type { AnswerDemand, ChatMessage, ChatOptions } from '../../runtime/text/index.ts';
import { defaultTemperature } from '../config.ts';
import { ApiError } from './errors.ts';
import { readService, type Service, type ServiceBody, serviceShape } from './service.ts';
import { document, ignored, listOf, wholeNumber } from './validate.ts';

/** Bounds the cost of holding back text in which a stop string could still begin. */
const stopLengthLimit = 256;
/** OpenAI takes 4; evaluation harnesses send more. */
export const stopCountLimit = 16;
/** Choices of one request, over all its prompts. */
export const choiceLimit = 128;

/** A chat as its template gets it. */
export interface ChatPrompt {
  readonly messages: readonly ChatMessage[];
  readonly options: ChatOptions;
}

/** A chat, text, or token ids. */
export type Prompt = ChatPrompt | string | Uint32Array;

/** How the parts of an answer are told apart, and what must be among them. */
export interface Parsing {
  /** Those that the model was told of. */
  readonly tools: NonNullable<ChatOptions['tools']>;
  /** Calls that the answer may have. */
  readonly callLimit: number;
  readonly choice: NonNullable<AnswerDemand['choice']>;
  /** Names of tools whose arguments keep to their schema, whatever the choice. */
  readonly strict: readonly string[];
}

/** A request of either route after all checks that need no model. */
export interface AnswerRequest extends Service {
  readonly model: string;
  readonly prompts: readonly Prompt[];
  /** Undefined: the answer is text. */
  readonly chat: Parsing | undefined;
  /** Choices of each prompt in the answer. */
  readonly choiceCount: number;
  /** Choices that are made of each prompt; where they are more, the likeliest are the answer. */
  readonly candidateCount: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Undefined: what is left of the context. */
  readonly maxTokens: number | undefined;
  readonly stops: readonly string[];
  /** The prompt comes before the answer. */
  readonly isEchoed: boolean;
  /** Tokens that end a text do not end the answer. */
  readonly ignoresEnd: boolean;
  /** Alternatives to name with each token's log-probability; undefined: no log-probabilities. */
  readonly logprobs: number | undefined;
  /** The token that ends the text is reported too. */
  readonly reportsEnd: boolean;
  readonly sampling: Sampling;
  /** What the answer must keep to where it calls no tool. */
  readonly grammar?: Format | undefined;
}

/** A grammar, and the field of the request that it comes from. */
export interface Format extends Grammar {
  readonly field: string;
}

type Optional<T> = T | null | undefined;

export interface SharedBody extends ServiceBody {
  readonly model: string;
  readonly n: Optional<number>;
  readonly stream: Optional<boolean>;
  readonly stream_options: Optional<{ readonly include_usage?: Optional<boolean> }>;
  readonly stop: Optional<string | readonly string[]>;
  readonly seed: Optional<number>;
  readonly temperature: Optional<number>;
  readonly top_p: Optional<number>;
  readonly top_k: Optional<number>;
  readonly min_p: Optional<number>;
  readonly repetition_penalty: Optional<number>;
  readonly presence_penalty: Optional<number>;
  readonly frequency_penalty: Optional<number>;
  readonly logit_bias: Optional<readonly LogitBias[]>;
  readonly ignore_eos: Optional<boolean>;
  readonly user?: unknown;
}

export const stopText: z.ZodType<string> = z
  .string()
  .min(1)
  .max(stopLengthLimit)
  .refine((value) => value.isWellFormed(), 'must be well-formed Unicode');

/** Whole numbers, in the one way to write each, so that no token can be named twice. */
const idPattern = /^(?:0|[1-9]\d{0,9})$/;

/** `{"50256": -100}`. Ends at its first bad entry, as listOf does. */
const logitBias = z.unknown().transform((value, context): readonly LogitBias[] => {
  const refuse = (message: string): never => {
    context.issues.push({ code: 'custom', message, input: undefined });
    return z.NEVER;
  };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('must be an object');
  const entries = Object.entries(value);
  if (entries.length > logitBiasLimit) return refuse(`must name at most ${logitBiasLimit} tokens`);
  if (!entries.every(([id]) => idPattern.test(id))) return refuse('must name tokens by their ids');
  if (!entries.every(([, bias]) => typeof bias === 'number' && Math.abs(bias) <= 100)) return refuse('must give each token a number from -100 to 100');
  return entries.map(([id, bias]) => ({ id: Number(id) as TokenId, bias }));
});

export const sharedShape: { readonly [Name in keyof SharedBody]-?: z.ZodType<SharedBody[Name]> } = {
  model: z.string().min(1),
  n: wholeNumber(1, choiceLimit).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: ignored }).nullish(),
  stop: z.union([stopText, listOf(stopText, stopCountLimit)]).nullish(),
  seed: wholeNumber(0, 4_294_967_295).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: wholeNumber(0, 1_000_000).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: document(logitBias, {
    json: {
      type: 'object',
      maxProperties: logitBiasLimit,
      propertyNames: { pattern: idPattern.source },
      additionalProperties: { type: 'number', minimum: -100, maximum: 100 },
    },
  }).nullish(),
  ignore_eos: z.boolean().nullish(),
  ...serviceShape,
  user: ignored,
};

/** What `readShared` demands of two of them together. */
export const sharedRules: Readonly<Record<string, unknown>> = {
  anyOf: [{ properties: { stream_options: { type: 'null' } } }, { required: ['stream'], properties: { stream: { const: true } } }],
};

/** How many tokens an answer may have; `low` is the least. */
export const tokenLimit = (low: number): z.ZodType<Optional<number>> => wholeNumber(low, 2_147_483_647).nullish();
/** How many alternatives may be named. */
export const alternatives: z.ZodType<Optional<number>> = wholeNumber(0, logprobsLimit).nullish();

/** What the shared fields mean; throws ApiError where two of them do not go together. */
export function readShared(body: SharedBody): Omit<AnswerRequest, 'prompts' | 'chat' | 'maxTokens' | 'isEchoed' | 'logprobs' | 'reportsEnd'> {
  if (body.stream_options && body.stream !== true) throw new ApiError('invalid_value', { path: 'stream_options', rule: 'is only allowed with "stream": true' });
  return {
    ...readService(body),
    model: body.model,
    choiceCount: body.n ?? 1,
    candidateCount: body.n ?? 1,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    stops: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    ignoresEnd: body.ignore_eos ?? false,
    sampling: toSampling(body),
  };
}

function toSampling(body: SharedBody): Sampling {
  return {
    // top_p 0 leaves only the likeliest token, which is what greedy means.
    temperature: body.top_p === 0 ? 0 : (body.temperature ?? defaultTemperature),
    topK: body.top_k ?? 0,
    topP: body.top_p || 1,
    minP: body.min_p ?? 0,
    repetitionPenalty: body.repetition_penalty ?? 1,
    presencePenalty: body.presence_penalty ?? 0,
    frequencyPenalty: body.frequency_penalty ?? 0,
    logitBias: body.logit_bias ?? [],
    ...(body.seed == null ? {} : { seed: body.seed }),
  };
}
