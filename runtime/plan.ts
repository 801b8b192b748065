/**
 * Owns the memory plan: what a model takes on a device with given options, from its header alone. The opening of an
 * engine and `inward doctor` both go by it. Refuses to touch a device and to read weights.
 */
import { kvPoolSize } from '../kernels/attention.ts';
import { type KernelFamily, steadyFamily } from '../kernels/tiles.ts';
import { blockColumns, isBlockStorage, packedSize, packedStorages, rowTile, type StorageWithKernels } from '../kernels/weights.ts';
import { type Family, families, type LayerCache, type LayerRange, type ModelShape, poolShapeOf, stateLengthOf } from '../models/index.ts';
import { describeCheckpoint, openCheckpoint } from './checkpoint/index.ts';
import { inFile, plainName } from './checkpoint/json.ts';
import { countSlots, weightSize } from './checkpoint/loader.ts';
import { expertStageSize } from './checkpoint/stage.ts';
import type { Checkpoint } from './checkpoint/types.ts';
import { InwardError } from './errors.ts';
import { type ModelOutline, outlineMatmuls, outlineModel, outlineScratch } from './outline.ts';
import { type BatchLimits, leastItems } from './scheduling/batch.ts';
import { editRoom } from './scheduling/edits.ts';
import { blocksHeld, effectiveWindow, windowOf } from './scheduling/window.ts';
import { readTuning } from './tuner.ts';
import {
  activationFormats,
  type DraftKind,
  draftKinds,
  type EngineOptions,
  engineNumbers,
  kvFormats,
  type MemoryPlan,
  type ModelEstimate,
  type ModelPlan,
  type TunedDevice,
  type Tuning,
} from './types.ts';

export const blockLength = 16;

/** `draft`: who guesses tokens. Throws gguf_invalid, model_unsupported. */
export function readModel(checkpoint: Checkpoint, draft: DraftKind = draftKinds[0]): { family: Family; config: ModelShape } {
  const { model } = checkpoint;
  if (model === undefined) {
    throw new InwardError('model_unsupported', {
      part: `general.architecture in ${checkpoint.fileAt()}`,
      expected: families.flatMap(({ gguf }) => (gguf === undefined ? [] : [gguf.architecture])).join(', '),
      found: plainName(describeCheckpoint(checkpoint).family, 'something else'),
    });
  }
  const foresees = draft === 'mtp';
  const read = (): ModelShape => model.family.readConfig(model.config, foresees);
  // Those of a folder name config.json.
  const config = checkpoint.format === 'gguf' ? inFile(checkpoint.fileAt(), read) : read();
  if (foresees && !config.foresees)
    throw new InwardError('model_unsupported', { part: 'multi-token prediction (draft mtp)', expected: 'deepseek_v4', found: model.family.name });
  return { family: model.family, config };
}

export type PlanOptions = Pick<EngineOptions, 'contextLength' | 'maxSequences' | 'kvTokens' | 'tokenBudget' | 'kv' | 'activations' | 'expertMemory' | 'draft'>;
type KvShape = Pick<ModelShape, 'contextLength' | 'caches' | 'encoder'>;

/** The options with their defaults, and the KV pool and recurrent state that they ask for; `range`: of these layers. */
export function planMemory(shape: KvShape, options: PlanOptions, range?: LayerRange): MemoryPlan {
  const contextLength = Math.min(options.contextLength ?? engineNumbers.contextLength.standard, shape.contextLength);
  const maxSequences = options.maxSequences ?? engineNumbers.maxSequences.standard;
  const kv = options.kv ?? kvFormats[0];
  const isEncoder = shape.encoder !== undefined;
  // An encoder computes a whole text in a step.
  const tokenBudget = Math.max(options.tokenBudget ?? engineNumbers.tokenBudget.standard, maxSequences, isEncoder ? contextLength : 0);
  // What the longest sequence holds at once. With a window nothing else is kept, and of an encoder nothing beyond a step: room for more would stay empty.
  const window = effectiveWindow(windowOf(shape.caches), contextLength);
  const longest = Math.min(contextLength, blocksHeld(contextLength, window, tokenBudget, blockLength) * blockLength);
  const stepTokens = tokenBudget + maxSequences * blockLength;
  const most = isEncoder ? stepTokens : window === undefined ? Number.POSITIVE_INFINITY : maxSequences * longest;
  const kvTokens = Math.max(longest, Math.min(options.kvTokens ?? engineNumbers.kvTokens.standard, most));
  const kvBlocks = Math.ceil(kvTokens / blockLength) + 1;
  if (kv === 'q8' && shape.caches.some(({ kind }) => kind === 'latent' || kind === 'compressed'))
    throw new InwardError('model_unsupported', { part: 'the KV format with latent or compressed attention', expected: 'f16, f32', found: kv });
  const caches = shape.caches.slice(range?.start, range?.end);
  const layerSizes = caches.map((cache) => {
    const pool = poolShapeOf(cache, kv);
    return pool === undefined ? 0 : kvPoolSize(pool, kvBlocks * blockLength);
  });
  const stateSizes = caches.map((cache) => (stateLengthOf(cache) ?? 0) * 4 * maxSequences);
  return {
    contextLength,
    maxSequences,
    tokenBudget,
    kv,
    activations: options.activations ?? activationFormats[0],
    kvTokens,
    kvBlocks,
    kvLayerSize: largest(layerSizes),
    kvSize: total(layerSizes),
    stateLayerSize: largest(stateSizes),
    stateSize: total(stateSizes),
  };
}

const largest = (sizes: readonly number[]): number => sizes.reduce((most, size) => Math.max(most, size), 0);
const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);

/** What a step of this plan can hold. */
export function limitsOf(
  config: Pick<ModelShape, 'vocabularySize' | 'longFrom' | 'encoder' | 'foresees'>,
  { contextLength, maxSequences, tokenBudget, kvBlocks }: MemoryPlan,
  kernels: KernelFamily = 'narrow',
): BatchLimits {
  return {
    maxTokens: tokenBudget,
    maxSequences,
    maxLogitRows: Math.max(2 * maxSequences, 16),
    contextLength,
    blockCount: kvBlocks,
    blockLength,
    leastItem: kernels === 'narrow' ? leastItems.cpu : leastItems.gpu,
    maxEdits: editRoom(maxSequences, config.vocabularySize, contextLength),
    longFrom: config.longFrom,
    isEncoder: config.encoder !== undefined,
    foresees: config.foresees,
  };
}

/** What a model file would take, from its header. Throws file_missing, gguf_invalid, checkpoint_invalid, model_unsupported. */
export function planModel(options: EngineOptions): ModelPlan {
  using checkpoint = openCheckpoint(options.modelPath);
  return createPlanner(checkpoint, options.draft)(options);
}

/** Plans of one model with different options. Throws checkpoint_invalid, gguf_invalid, model_unsupported. */
export function createPlanner(checkpoint: Checkpoint, draft?: DraftKind): (options: Omit<PlanOptions, 'draft'>) => ModelPlan {
  const { family, config } = readModel(checkpoint, draft);
  const { name, parameterCount } = describeCheckpoint(checkpoint);
  const model = outlineModel(checkpoint, family, config);
  const specs = family.weights(config);
  const whole = weightSize(checkpoint, specs);
  return ({ expertMemory, ...options }) => {
    const slots = countSlots(checkpoint, specs, expertMemory);
    if (slots === undefined) return planOf(model, { name, parameterCount, weightSize: whole }, options);
    const plan = planOf(model, { name, parameterCount, weightSize: weightSize(checkpoint, specs, slots) }, options);
    return { ...plan, scratchSize: plan.scratchSize + expertStageSize };
  };
}

function planOf(model: ModelOutline, facts: Pick<ModelPlan, 'name' | 'parameterCount' | 'weightSize'>, options: PlanOptions): ModelPlan {
  const { family, config } = model;
  const plan = planMemory(config, options);
  // Of CPU devices, whatever the list of operations. GPUs cut attention into more items (leastItems), and do not say how much memory is free.
  const device = { lanes: 8, kv: plan.kv, activations: plan.activations, window: effectiveWindow(windowOf(config.caches), plan.contextLength) };
  return {
    ...plan,
    scratchSize: outlineScratch(model, limitsOf(config, plan), device),
    family: family.name,
    ...facts,
    modelContextLength: config.contextLength,
    encoder: config.encoder,
  };
}

/** Which kernels would run, as far as this device has measured them. Throws file_missing, gguf_invalid, checkpoint_invalid, model_unsupported. */
export function readModelTuning(options: EngineOptions, device: TunedDevice): Tuning {
  using checkpoint = openCheckpoint(options.modelPath);
  const { family, config } = readModel(checkpoint, options.draft);
  const { kv, activations } = planMemory(config, options);
  const { deterministic: isDeterministic = true } = options;
  return readTuning(
    outlineMatmuls(outlineModel(checkpoint, family, config), { lanes: device.subgroupSize, kv, activations }),
    { ...device, family: steadyFamily(device.family, isDeterministic) },
    isDeterministic,
    options.tuningFile,
  );
}

/** A model whose layers are all alike. */
interface UniformShape {
  readonly parameterCount: number;
  readonly contextLength: number;
  readonly layerCount: number;
  readonly kvHeads: number;
  readonly headLength: number;
}

/** The same for a model that is not here, in every storage of GGUF that has kernels: all its parameters in that one. */
export function estimateModel(shape: UniformShape, options: PlanOptions): ModelEstimate[] {
  const { layerCount, kvHeads, headLength, contextLength } = shape;
  const caches = Array.from({ length: layerCount }, (): LayerCache => ({ kind: 'kv', kvHeads, headLength }));
  const plan = planMemory({ contextLength, caches }, options);
  return (Object.keys(packedStorages) as StorageWithKernels[]).filter(isBlockStorage).map((storage) => {
    return {
      ...plan,
      storage,
      weightSize: (shape.parameterCount * packedSize(storage, rowTile, blockColumns)) / (rowTile * blockColumns),
    };
  });
}
