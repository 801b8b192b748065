/**
 * The door `inward`: an engine that takes token ids and gives token ids. Text is the business of `inward/text`,
 * model files of `inward/checkpoint`.
 *
 * @example
 * await using engine = await openEngine({ modelPath: 'model.gguf' });
 * for await (const event of engine.generate({ promptIds, maxTokens: 32 })) if (event.type === 'token') use(event.id);
 */
import { openHostedEngine } from './host/host.ts';
import type { Engine, EngineOptions } from './types.ts';

/**
 * Opens a model on a device, in a process of its own, and compiles its kernels.
 * Throws InwardError: file_missing, gguf_invalid, model_unsupported, device_missing, device_unfit, out_of_memory.
 */
export function openEngine(options: EngineOptions): Promise<Engine> {
  return openHostedEngine(options);
}

export { type ErrorCode, type ErrorFields, type ErrorKind, formatBytes, InwardError, toInwardError } from './errors.ts';
export type {
  ActivationFormat,
  DeviceName,
  Engine,
  EngineInfo,
  EngineOptions,
  EngineStats,
  FinishReason,
  GenerateRequest,
  KvFormat,
  LogitBias,
  Sampling,
  TokenEvent,
  TokenId,
  TokenLogprobs,
} from './types.ts';
export { deviceNames, logitBiasLimit, logprobsLimit } from './types.ts';
