/**
 * Owns the opening of an engine: file, family, device, memory plan, weights, graph, runner, in this order. The only
 * place that knows all of them. Refuses to run steps for anyone but the warm-up.
 */
import { basename } from 'node:path';
import { poolExtent } from '../kernels/attention.ts';
import { PipelineCache } from '../kernels/pipeline.ts';
import { steadyFamily, tileFacts } from '../kernels/tiles.ts';
import { type Family, Graph, type ModelShape, poolShapeOf, stateLengthOf, type WeightSpec } from '../models/index.ts';
import { hashModel } from './checkpoint/fingerprint.ts';
import { describeCheckpoint, openCheckpoint } from './checkpoint/index.ts';
import { countSlots, loadWeights, weightSize } from './checkpoint/loader.ts';
import { stageSize } from './checkpoint/stage.ts';
import type { Checkpoint } from './checkpoint/types.ts';
import { type DevicePretence, type OpenDevice, openDevice } from './device.ts';
import type { Driver } from './drivers.ts';
import { formatBytes, InwardError } from './errors.ts';
import { DeviceMemory, wholeBuffer } from './memory.ts';
import { outlineModel, outlineScratch } from './outline.ts';
import { blockLength, limitsOf, planMemory, readModel } from './plan.ts';
import { Runner } from './runner.ts';
import { Batch } from './scheduling/batch.ts';
import { BlockPool } from './scheduling/blocks.ts';
import { Scheduler } from './scheduling/scheduler.ts';
import { effectiveWindow, windowOf } from './scheduling/window.ts';
import { type KeepTuning, tuneGraph } from './tuner.ts';
import { type EngineInfo, type EngineOptions, engineNumbers, type OpenProgress, tuneModes } from './types.ts';
import { warmUp } from './warmup.ts';

/** What an engine whose process may look for little and write nothing is given, and does not find or do itself. */
export interface EngineHost {
  readonly driver?: Driver;
  readonly keepTuning?: KeepTuning;
}

/** Everything a step touches. */
export interface Parts {
  readonly open: OpenDevice;
  readonly memory: DeviceMemory;
  readonly runner: Runner;
  readonly batch: Batch;
  readonly pool: BlockPool;
  /** Blocks of recurrent state, where the model has such state. */
  readonly states: BlockPool | undefined;
  readonly scheduler: Scheduler;
  /** The model's, where experts are read from them as they are wanted. */
  readonly files?: Disposable;
}

/**
 * From a model file and a device to everything that a step touches: weights on the device, KV pools, compiled kernels,
 * warmed up. Throws InwardError: file_missing, gguf_invalid, checkpoint_invalid, model_unsupported, device_missing, device_unfit, out_of_memory.
 */
export async function openParts(options: EngineOptions, pretence: DevicePretence = {}, host: EngineHost = {}): Promise<{ parts: Parts; info: EngineInfo }> {
  const started = performance.now();
  using files = new DisposableStack();
  const checkpoint = files.use(openCheckpoint(options.modelPath));
  const { family, config } = readModel(checkpoint);
  const specs = family.weights(config);
  // Every tensor is looked at before there is a device that could be left with some of them.
  const slots = countSlots(checkpoint, specs, options.expertMemory);
  const weightsSize = weightSize(checkpoint, specs, slots);
  const open = await openDevice(host.driver ?? options.device ?? 'auto', pretence);
  const memory = new DeviceMemory(open.device, open.memoryLimit);
  try {
    const { parts, info } = await assemble(options, { checkpoint, family, config, specs, slots, weightsSize }, open, memory, host);
    return { parts: { ...parts, ...(slots !== undefined && { files: files.move() }) }, info: { ...info, loadMs: performance.now() - started } };
  } catch (error) {
    memory[Symbol.dispose]();
    open[Symbol.dispose]();
    throw error;
  }
}

/** A model all of whose tensors are as its family wants them. */
interface CheckedModel {
  readonly checkpoint: Checkpoint;
  readonly family: Family;
  readonly config: ModelShape;
  readonly specs: ReadonlyMap<string, WeightSpec>;
  /** Experts of a layer that are on the device at a time; undefined: all. */
  readonly slots: number | undefined;
  /** Of all weights on the device, in bytes. */
  readonly weightsSize: number;
}

async function assemble(
  options: EngineOptions,
  { checkpoint, family, config, specs, slots, weightsSize }: CheckedModel,
  open: OpenDevice,
  memory: DeviceMemory,
  host: EngineHost,
): Promise<{ parts: Parts; info: Omit<EngineInfo, 'loadMs'> }> {
  const { device, subgroupSize: lanes } = open;
  const { deterministic: isDeterministic = true, tune: mode = tuneModes[0], tuningFile: path } = options;
  const kernels = steadyFamily(open.family, isDeterministic);
  const plan = planMemory(config, options);
  const { contextLength, maxSequences, tokenBudget, kv, activations, kvBlocks: blockCount, kvSize, stateLayerSize, stateSize } = plan;
  const window = effectiveWindow(windowOf(config.caches), contextLength);
  memory.reserve('weights', weightsSize);
  memory.reserve('kv', kvSize, weightsSize);
  memory.reserve('state', stateSize, weightsSize + kvSize);
  const facts = tileFacts({ ...open, family: kernels });
  const batchLimits = limitsOf(config, plan, kernels);
  memory.reserve(
    'activations',
    outlineScratch(outlineModel(checkpoint, family, config), batchLimits, { ...facts, kv, activations, window }) + (slots === undefined ? 0 : stageSize),
    weightsSize + kvSize + stateSize,
  );
  if (open.place === 'buffer') demandBinding('The KV cache of a layer', plan.kvLayerSize, open);
  demandBinding('The recurrent state of a layer', stateLayerSize, open);

  const batch = new Batch(batchLimits);
  const pipelines = new PipelineCache(device, open.pinsSubgroups);
  const target = { device, memory, pipelines, place: open.place, bindingLimit: open.bindingLimit, textureLimit: open.textureLimit };
  const weights = await loadWeights(checkpoint, specs, { ...target, onProgress: report('weights', options) }, slots);
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const batchBuffer = memory.create('batch', 'batch', batch.words.byteLength, storage);
  const graph = new Graph({
    ...facts,
    layout: batch.layout,
    invocationLimit: open.invocationLimit,
    activations,
    kv,
    maxTokens: tokenBudget,
    maxLogitRows: batch.limits.maxLogitRows,
    maxItems: batch.maxItems,
    maxEdits: batch.limits.maxEdits,
    maxCopies: maxSequences,
    contextLength,
    window,
    blockLength,
    batch: wholeBuffer(batchBuffer),
    pools: config.caches.map((cache, layer) => {
      const shape = poolShapeOf(cache, kv);
      if (shape === undefined) return undefined;
      const { width, rows, fold } = poolExtent(shape, blockCount * blockLength, open);
      return { vectors: memory.createVectors('kv', `KV ${layer}`, open.place, width, rows, 'rgba32uint'), fold };
    }),
    states: config.caches.map((cache, layer) => {
      const length = stateLengthOf(cache);
      if (length === undefined) return undefined;
      const blocks = memory.create('state', `state ${layer}`, length * 4 * maxSequences, storage);
      return { blocks: wholeBuffer(blocks), length };
    }),
    create: (owner, label, size, data) => {
      demandBinding(owner === 'logits' ? 'The logits' : 'The working memory of a step', size, open);
      const buffer = memory.create(data === undefined ? owner : 'constants', label, size, storage | GPUBufferUsage.UNIFORM);
      if (data !== undefined) device.queue.writeBuffer(buffer, 0, data() as Float32Array<ArrayBuffer>);
      return wholeBuffer(buffer);
    },
    createRows: (label, rows, width) => {
      if (open.place === 'buffer') demandBinding('The working memory of a step', rows * width * 4, open);
      return memory.createVectors('activations', label, open.place, width / 4, rows);
    },
  });
  family.forward(config, weights, graph);
  const blocks = new BlockPool(blockCount);
  const states = stateSize > 0 ? new BlockPool(maxSequences) : undefined;
  const { queueLength, prefixSeconds, prefixQuota, draftLength } = withStandards(options);
  const limits = {
    ...{ maxSequences, queueLength, tokenBudget, blockLength, draftLength, window, longFrom: config.longFrom, states, isEncoder: config.encoder !== undefined },
    prefix: {
      timeToLiveMs: prefixSeconds * 1000,
      quota: Math.floor((blockCount * prefixQuota) / 100),
      // So much can always be had by those who run.
      reserve: Math.floor(blockCount * reservedPart),
    },
  };
  const reportTuning = report('tuning', options);
  const tuning = await tuneGraph(
    graph,
    { device, memory, pipelines, batch, batchBuffer, blocks, limits },
    {
      mode,
      isDeterministic,
      path,
      device: { ...open, name: open.driver.name, family: kernels },
      keep: host.keepTuning,
      onProgress: (done, total) => reportTuning({ done, total }),
    },
  );
  const reportKernels = report('kernels', options);
  // Half of it is compiling; the other half is the first run, at which some drivers compile in truth.
  const onCompiled = (done: number, total: number): void => reportKernels({ done, total: 2 * total });
  const runner = await Runner.create(device, memory, pipelines, batchBuffer, graph, onCompiled, weights.files);
  // Every step of an encoder needs it.
  if (config.encoder !== undefined) runner.reserveLogits();
  // On a scheduler of its own, so that no one sees it in the counts.
  await warmUp(new Scheduler(limits, blocks), batch, runner, kernels, (done, total) => reportKernels({ done: total + done, total: 2 * total }));
  const summary = describeCheckpoint(checkpoint);
  return {
    parts: { open, memory, runner, batch, pool: blocks, states, scheduler: new Scheduler(limits, blocks) },
    info: {
      device: open.driver.name,
      deviceReason: open.driver.reason,
      adapter: open.adapter,
      subgroupSize: lanes,
      modelName: basename(options.modelPath, '.gguf'),
      fingerprint: hashModel(checkpoint),
      family: family.name,
      parameterCount: summary.parameterCount,
      vocabularySize: config.vocabularySize,
      contextLength,
      maxSequences,
      encoder: config.encoder && { ...config.encoder, length: config.embeddingLength },
      kv,
      activations,
      weightBytes: memory.usage()['weights'] ?? 0,
      kvBytes: memory.usage()['kv'] ?? 0,
      deterministic: isDeterministic,
      tuning,
    },
  };
}

/** Part of the KV blocks that kept prefixes of other tenants may hold against a sequence that needs some. */
const reservedPart = 0.75;

function withStandards(options: EngineOptions): Record<keyof typeof engineNumbers, number> {
  const standards = Object.entries(engineNumbers).map(([name, { standard }]) => [name, options[name as keyof typeof engineNumbers] ?? standard]);
  return Object.fromEntries(standards);
}

/** What one kernel reads or writes must fit one binding; matrices are cut, but this is not. */
function demandBinding(owner: string, size: number, { bindingLimit }: OpenDevice): void {
  if (size > bindingLimit) throw new InwardError('out_of_memory', { owner, needed: formatBytes(size), free: formatBytes(bindingLimit) });
}

function report(part: OpenProgress['part'], { onProgress }: EngineOptions): (progress: { readonly done: number; readonly total: number }) => void {
  return ({ done, total }) => onProgress?.({ part, done, total });
}
