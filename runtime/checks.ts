/**
 * Owns what the engine refuses before anything starts: options and requests out of range. Names the field and the
 * rule; refuses to repeat a value.
 */
import { InwardError } from './errors.ts';
import {
  activationFormats,
  draftKinds,
  type EngineInfo,
  type EngineOptions,
  engineNumbers,
  type GenerateRequest,
  grammarKinds,
  grammarLimit,
  kvFormats,
  logitBiasLimit,
  logprobsLimit,
  type NumberOption,
  priorities,
  type Sampling,
  saltLimit,
  tuneModes,
} from './types.ts';

/** Throws invalid_option. */
export function checkOptions(options: EngineOptions): void {
  for (const [option, range] of Object.entries(engineNumbers)) resolveNumber(option, options[option as keyof typeof engineNumbers], range);
  for (const option of ['expertMemory', 'expertHostMemory'] as const) {
    const size = options[option];
    if (size !== undefined && !isWhole(size, 1, Number.MAX_SAFE_INTEGER)) throw new InwardError('invalid_option', { option, rule: 'a whole number of bytes' });
  }
  if (options.expertHostMemory !== undefined && options.expertMemory === undefined)
    throw new InwardError('invalid_option', { option: 'expertHostMemory', rule: 'only with expertMemory' });
  checkChoice('draft', options.draft, draftKinds);
  checkChoice('kv', options.kv, kvFormats);
  checkChoice('activations', options.activations, activationFormats);
  checkChoice('tune', options.tune, tuneModes);
}

/** The value, or the standard one where it is left out. Throws invalid_option. */
export function resolveNumber(option: string, value: number | undefined, { low, high, standard }: NumberOption): number {
  if (value === undefined) return standard;
  if (isWhole(value, low, high)) return value;
  throw new InwardError('invalid_option', { option, rule: `a whole number from ${low} to ${high}` });
}

function checkChoice(option: string, value: string | undefined, choices: readonly string[]): void {
  if (value !== undefined && !choices.includes(value)) throw new InwardError('invalid_option', { option, rule: `one of ${choices.join(', ')}` });
}

/** Throws invalid_request unless the rule is kept. */
export function rule(isKept: boolean, path: string, text: string): void {
  if (!isKept) throw new InwardError('invalid_request', { path, rule: text });
}

const isWhole = (value: number, low: number, high: number): boolean => Number.isInteger(value) && value >= low && value <= high;

/** Throws generation_unsupported, prompt_empty, prompt_too_long, token_out_of_range, invalid_request. */
export function checkRequest(request: GenerateRequest, info: EngineInfo): void {
  const { promptIds, maxTokens, logprobs = 0, promptLogprobs = 0, deadlineMs = 1 } = request;
  rule(promptIds instanceof Uint32Array, 'promptIds', 'a Uint32Array');
  rule(isWhole(maxTokens, 0, Number.MAX_SAFE_INTEGER), 'maxTokens', 'a whole number from 0');
  if (info.encoder !== undefined && (maxTokens > 0 || (request.logits ?? 'none') !== 'none' || request.promptLogprobs !== undefined))
    throw new InwardError('generation_unsupported', { family: info.family });
  if (promptIds.length === 0) throw new InwardError('prompt_empty');
  const room = info.contextLength - (maxTokens > 0 ? 1 : 0);
  if (promptIds.length > room) throw new InwardError('prompt_too_long', { found: promptIds.length, limit: info.contextLength });
  if (promptIds.some((id) => id >= info.vocabularySize)) throw new InwardError('token_out_of_range', { limit: info.vocabularySize });
  rule(isWhole(logprobs, 0, logprobsLimit), 'logprobs', `a whole number from 0 to ${logprobsLimit}`);
  rule(isWhole(promptLogprobs, 0, logprobsLimit), 'promptLogprobs', `a whole number from 0 to ${logprobsLimit}`);
  rule(deadlineMs > 0 && deadlineMs < Number.POSITIVE_INFINITY, 'deadlineMs', 'a number above 0');
  const { tenant = 0, priority, cacheSalt, group = 0 } = request;
  rule(isWhole(tenant, 0, 2 ** 32 - 1), 'tenant', 'a whole number from 0 to 2^32 - 1');
  rule(priority === undefined || priorities.includes(priority), 'priority', `one of ${priorities.join(', ')}`);
  rule(isWhole(group, 0, Number.MAX_SAFE_INTEGER), 'group', 'a whole number from 0');
  rule(cacheSalt === undefined || (cacheSalt instanceof Uint32Array && cacheSalt.length <= saltLimit), 'cacheSalt', `a Uint32Array of at most ${saltLimit}`);
  const { grammar } = request;
  if (grammar !== undefined) {
    rule(grammarKinds.includes(grammar.kind), 'grammar.kind', `one of ${grammarKinds.join(', ')}`);
    rule(grammar.source instanceof Uint8Array && grammar.source.length <= grammarLimit, 'grammar.source', `a Uint8Array of at most ${grammarLimit}`);
  }
  checkSampling(request.sampling ?? {}, info);
}

function checkSampling(sampling: Sampling, info: EngineInfo): void {
  const { temperature = 0, topK = 0, topP = 1, minP = 0, seed = 0 } = sampling;
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias = [] } = sampling;
  rule(temperature >= 0 && temperature <= 100, 'sampling.temperature', 'from 0 to 100');
  rule(topP > 0 && topP <= 1, 'sampling.topP', 'above 0, at most 1');
  rule(minP >= 0 && minP <= 1, 'sampling.minP', 'from 0 to 1');
  rule(isWhole(topK, 0, 2 ** 32 - 1), 'sampling.topK', 'a whole number from 0 to 2^32 - 1');
  rule(isWhole(seed, 0, 2 ** 32 - 1), 'sampling.seed', 'a whole number from 0 to 2^32 - 1');
  rule(repetitionPenalty > 0 && repetitionPenalty <= 10, 'sampling.repetitionPenalty', 'above 0, at most 10');
  rule(Math.abs(presencePenalty) <= 10, 'sampling.presencePenalty', 'from -10 to 10');
  rule(Math.abs(frequencyPenalty) <= 10, 'sampling.frequencyPenalty', 'from -10 to 10');
  rule(Array.isArray(logitBias) && logitBias.length <= logitBiasLimit, 'sampling.logitBias', `a list of at most ${logitBiasLimit}`);
  for (const { id, bias } of logitBias) {
    if (!isWhole(id, 0, info.vocabularySize - 1)) throw new InwardError('token_out_of_range', { limit: info.vocabularySize });
    rule(Math.abs(bias) <= 100, 'sampling.logitBias', 'values from -100 to 100');
  }
  rule(new Set(logitBias.map(({ id }) => id)).size === logitBias.length, 'sampling.logitBias', 'each token once');
}
