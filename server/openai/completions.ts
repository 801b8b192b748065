/**
 * Owns the dialect of POST /v1/completions, OpenAI's older API, which evaluation harnesses score texts with: its prompts,
 * its fields and the shapes of its choices. Refuses every field that is not listed.
 */
import { z } from 'zod';
import type { TextModel } from '../../runtime/text/index.ts';
import { joinPassages } from './answer-text.ts';
import type { Dialect } from './dialect.ts';
import { ApiError, type PromptField } from './errors.ts';
import { type AnswerRequest, alternatives, choiceLimit, readShared, sharedRules, sharedShape, tokenLimit } from './fields.ts';
import { type ChoiceShapes, createHead, presentChoices } from './frames.ts';
import { toLegacyLogprobs } from './logprobs.ts';
import { document, unsupported, validate, wholeNumber } from './validate.ts';

/** OpenAI's default. */
const defaultMaxTokens = 16;

const ids = { type: 'array', minItems: 1, items: { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 } };
/** Read by `readPrompts`, which demands it. */
export const promptValue = (limit: number): z.ZodType<unknown> => {
  const list = { type: 'array', minItems: 1, maxItems: limit, items: { anyOf: [{ type: 'string' }, ids] } };
  return document(z.unknown(), { json: { anyOf: [{ type: 'string' }, ids, list] } }).optional();
};

const shape = {
  ...sharedShape,
  prompt: promptValue(choiceLimit),
  max_tokens: tokenLimit(0),
  echo: z.boolean().nullish(),
  logprobs: alternatives,
  best_of: wholeNumber(1, choiceLimit).nullish(),
  suffix: unsupported(''),
};
/** What `parse` demands, as far as a schema can say it. */
const someTokens = { anyOf: [{ properties: { max_tokens: { minimum: 1 } } }, { required: ['echo'], properties: { echo: { const: true } } }] };
const body = document(z.strictObject(shape), { json: { required: ['model', 'prompt'], allOf: [sharedRules, someTokens] } });

export const completionsDialect: Dialect = {
  url: '/v1/completions',
  promptField: 'prompt',
  body,
  hasEventNames: false,
  read: (value, model) => {
    const asked = parse(value);
    return {
      asked,
      present: (facts) => presentChoices(createHead('cmpl-', facts.model, asked.serviceTier), createShapes(model), facts.choiceCount, asked.includeUsage),
    };
  },
};

function createShapes(model: TextModel): ChoiceShapes {
  return {
    objects: { whole: 'text_completion', chunk: 'text_completion' },
    whole: (index, { parts, end }) => {
      const { text, tokens } = joinPassages(parts);
      return { text, index, logprobs: toLegacyLogprobs(model, tokens), finish_reason: end.reason };
    },
    opening: () => undefined,
    delta: (index, { text, tokens }) => ({ text, index, logprobs: toLegacyLogprobs(model, tokens), finish_reason: null }),
    closing: (index, { reason }) => ({ text: '', index, logprobs: null, finish_reason: reason }),
  };
}

function parse(value: unknown): AnswerRequest {
  const asked = validate(body, value, Object.keys(shape));
  const prompts = readPrompts(asked.prompt, 'prompt', choiceLimit);
  const shared = readShared(asked);
  const { max_tokens: maxTokens, echo } = asked;
  const candidateCount = asked.best_of ?? shared.choiceCount;
  if (candidateCount < shared.choiceCount) refuse('best_of', 'must be at least "n"');
  if (candidateCount > shared.choiceCount && shared.stream) refuse('best_of', 'must be the value of "n" with "stream": true');
  if (maxTokens === 0 && echo !== true) refuse('max_tokens', 'must be at least 1, unless "echo" is true');
  if (prompts.length * candidateCount > choiceLimit) {
    refuse(candidateCount > shared.choiceCount ? 'best_of' : 'n', `times the number of prompts must be at most ${choiceLimit}`);
  }
  const tokens = { maxTokens: maxTokens ?? defaultMaxTokens, isEchoed: echo ?? false, reportsEnd: true, logprobs: asked.logprobs ?? undefined };
  return { ...shared, ...tokens, prompts, chat: undefined, candidateCount };
}

/** A text, token ids, or a list of either, which is the field `path`. By hand, because a schema's check of millions of ids would hold up everybody else. */
export function readPrompts(value: unknown, path: PromptField, limit: number): readonly (string | Uint32Array)[] {
  if (!Array.isArray(value) || typeof value[0] === 'number') return [readPrompt(value, path)];
  if (value.length === 0) refuse(path, 'must have a length of at least 1');
  if (value.length > limit) refuse(path, `must be at most ${limit} ${path}s`);
  return value.map((entry, index) => readPrompt(entry, `${path}[${index}]`));
}

/** Throws ApiError. */
export function readPrompt(value: unknown, path: string): string | Uint32Array {
  if (typeof value === 'string') return value.isWellFormed() ? value : refuse(path, 'must be well-formed Unicode');
  if (!Array.isArray(value)) return refuse(path, 'must be a string or an array');
  if (value.length === 0) refuse(path, 'must have a length of at least 1');
  if (!value.every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 32)) refuse(path, 'must be a string or a list of token ids');
  return Uint32Array.from(value);
}

function refuse(path: string, rule: string): never {
  throw new ApiError('invalid_value', { path, rule });
}
