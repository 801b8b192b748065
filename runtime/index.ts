/**
 * The door `inward`: an engine that takes token ids and gives token ids. Text is the business of `inward/text`,
 * model files of `inward/checkpoint`.
 *
 * @example
 * await using engine = await openEngine({ modelPath: 'model.gguf' });
 * for await (const event of engine.generate({ promptIds, maxTokens: 32 })) if (event.type === 'token') use(event.id);
 */
import { openHostedEngine } from './host/host.ts';
import { judgeHibernation } from './layers/hibernation.ts';
import { judgeSwap } from './layers/swap.ts';
import type { Layer } from './layers/types.ts';
import type { Accelerator, StagePlan } from './sizing/types.ts';
import type { Engine, EngineOptions, MemoryRoom, ModelEstimate, ModelFit, ModelPlan, TunedDevice, Tuning } from './types.ts';

/**
 * Opens a model on a device, in a process of its own, and compiles its kernels.
 * Throws InwardError: file_missing, gguf_invalid, checkpoint_invalid, model_unsupported, device_missing, device_unfit, out_of_memory.
 */
export function openEngine(options: EngineOptions): Promise<Engine> {
  return openHostedEngine(options);
}

/**
 * The same in this process: it must have been started with the environment that the device's driver needs, and an engine that is
 * lost is not started anew. For who has a process of his own to spend on it. Throws like `openEngine`.
 */
export async function openLocalEngine(options: EngineOptions): Promise<Engine> {
  return (await import('./engine.ts')).createEngine(options);
}

/**
 * What a model file would take on a device, from its header alone; nothing is opened.
 * Throws InwardError: file_missing, gguf_invalid, checkpoint_invalid, model_unsupported.
 */
export async function planModel(options: EngineOptions): Promise<ModelPlan> {
  return (await import('./plan.ts')).planModel(options);
}

/**
 * What a model file or folder would take of so much memory, and how far its context could go; for a config.json alone one answer for each
 * storage that such models come in. Throws like `planModel`.
 */
export async function fitModel(modelPath: string, options: Omit<EngineOptions, 'modelPath'>, room: MemoryRoom): Promise<ModelFit[]> {
  return (await import('./fit.ts')).fitModel(modelPath, options, room);
}

/**
 * What a model would take of `count` equal devices, layer after layer, and the least time that decoding takes on them: computed, nothing measured. `model`: a
 * file, a folder, a config.json, or the name of a published one (`listReleases`). Throws like `planModel`, and invalid_option.
 */
export async function fitStages(model: string, options: Omit<EngineOptions, 'modelPath'>, device: Accelerator, count: number): Promise<StagePlan> {
  return (await import('./fit.ts')).fitStages(model, options, device, count);
}

/** The same for a model that is not here, in every storage of GGUF that has kernels, as if all its parameters were in that one. */
export async function estimateModel(
  shape: {
    readonly parameterCount: number;
    readonly contextLength: number;
    readonly layerCount: number;
    readonly kvHeads: number;
    readonly headLength: number;
  },
  options: Omit<EngineOptions, 'modelPath'>,
): Promise<ModelEstimate[]> {
  return (await import('./plan.ts')).estimateModel(shape, options);
}

/**
 * Which kernels an engine of these options would run on this device, as far as that has been measured; nothing is opened.
 * Throws InwardError: file_missing, gguf_invalid, checkpoint_invalid, model_unsupported.
 */
export async function readTuning(options: EngineOptions, device: TunedDevice): Promise<Tuning> {
  return (await import('./plan.ts')).readModelTuning(options, device);
}

/**
 * What the kernel holds around this process and the engine and text processes that it has started, read back and tried: no sockets,
 * no files, no cores, no swap. Takes some 0.2 s, never throws. `root`: top of the file system that describes the host.
 */
export async function examineLayers(root?: string): Promise<Layer[]> {
  return (await import('./layers/layers.ts')).examineLayers(root);
}

/** Of these only whether memory of a process (left out: of this one) can get to a disk by swapping; read from a few files of /proc and /sys, never throws. */
export function examineSwap(root?: string, pid?: number): Layer {
  return { name: 'swap', ...judgeSwap(root, pid) };
}

/** And whether the machine can write all memory to a disk in plain text to sleep; as `examineSwap`. */
export function examineHibernation(root?: string): Layer {
  return { name: 'hibernation', ...judgeHibernation(root) };
}

export { collectGarbage } from './collect.ts';
export { cacheFolder } from './drivers.ts';
export { embedTexts } from './embed.ts';
export { type ErrorCode, type ErrorFields, type ErrorKind, errorTable, formatBytes, InwardError, toInwardError } from './errors.ts';
export type { Layer, LayerName, LayerReason } from './layers/types.ts';
export { accelerators } from './sizing/accelerators.ts';
export { listReleases, type Release } from './sizing/releases.ts';
export type { Accelerator, CacheFit, CacheKind, DecodeFloor, StageFit, StagePlan } from './sizing/types.ts';
export type {
  ActivationFormat,
  AdapterFacts,
  DeviceName,
  DraftKind,
  Embedding,
  EmbedOptions,
  Engine,
  EngineInfo,
  EngineOptions,
  EngineRestart,
  EngineStats,
  FinishReason,
  GenerateRequest,
  Grammar,
  GrammarVocabulary,
  KvFormat,
  LatencyHistogram,
  LogitBias,
  MemoryPlan,
  MemoryRoom,
  ModelEstimate,
  ModelFit,
  ModelPlan,
  NumberOption,
  OpenProgress,
  Priority,
  Requirement,
  Sampling,
  StageInfo,
  TenantStats,
  TimedTile,
  TokenEvent,
  TokenId,
  TokenLogprobs,
  TunedDevice,
  TunedShape,
  TuneMode,
  Tuning,
  ZeroReport,
} from './types.ts';
export { activationFormats, deviceNames, draftKinds, engineNumbers, grammarLimit, kvFormats, logitBiasLimit, logprobsLimit, saltLimit } from './types.ts';
