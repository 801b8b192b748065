/**
 * Owns what the engine refuses before anything starts: options and requests out of range. Names the field and the
 * rule; refuses to repeat a value.
 */
import { InwardError } from './errors.ts';
import type { EngineInfo, EngineOptions, GenerateRequest } from './types.ts';

/** Lowest and highest value of each whole-number option. */
const ranges = {
  contextLength: [1, 2 ** 24],
  maxSequences: [1, 2 ** 12],
  kvTokens: [1, 2 ** 30],
  queueLength: [0, 2 ** 20],
  tokenBudget: [1, 2 ** 16],
} as const;

/** Throws invalid_option. */
export function checkOptions(options: EngineOptions): void {
  for (const [option, [low, high]] of Object.entries(ranges)) {
    const value = options[option as keyof typeof ranges];
    if (value === undefined || (Number.isInteger(value) && value >= low && value <= high)) continue;
    throw new InwardError('invalid_option', { option, rule: `a whole number from ${low} to ${high}` });
  }
  checkChoice('kv', options.kv, ['f16', 'f32']);
  checkChoice('activations', options.activations, ['f32', 'int8']);
}

function checkChoice(option: string, value: string | undefined, choices: readonly string[]): void {
  if (value !== undefined && !choices.includes(value)) throw new InwardError('invalid_option', { option, rule: `one of ${choices.join(', ')}` });
}

/** Throws prompt_empty, prompt_too_long, token_out_of_range, invalid_request. */
export function checkRequest(request: GenerateRequest, info: EngineInfo): void {
  const { promptIds, maxTokens } = request;
  const rule = (isKept: boolean, path: string, text: string): void => {
    if (!isKept) throw new InwardError('invalid_request', { path, rule: text });
  };
  rule(promptIds instanceof Uint32Array, 'promptIds', 'a Uint32Array');
  rule(Number.isInteger(maxTokens) && maxTokens >= 0, 'maxTokens', 'a whole number from 0');
  if (promptIds.length === 0) throw new InwardError('prompt_empty');
  const room = info.contextLength - (maxTokens > 0 ? 1 : 0);
  if (promptIds.length > room) throw new InwardError('prompt_too_long', { found: promptIds.length, limit: info.contextLength });
  if (promptIds.some((id) => id >= info.vocabularySize)) throw new InwardError('token_out_of_range', { limit: info.vocabularySize });
  const { temperature = 0, topK = 0, topP = 1, seed = 0 } = request.sampling ?? {};
  rule(temperature >= 0 && temperature <= 100, 'sampling.temperature', 'from 0 to 100');
  rule(topP > 0 && topP <= 1, 'sampling.topP', 'above 0, at most 1');
  rule(Number.isInteger(topK) && topK >= 0 && topK < 2 ** 32, 'sampling.topK', 'a whole number from 0 to 2^32 - 1');
  rule(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32, 'sampling.seed', 'a whole number from 0 to 2^32 - 1');
}
