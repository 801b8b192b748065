/**
 * Owns the opening of an engine: file, family, device, memory plan, weights, graph, runner, in this order. The only
 * place that knows all of them. Refuses to run steps for anyone but the warm-up.
 */
import { basename } from 'node:path';
import { PipelineCache } from '../kernels/pipeline.ts';
import { type KernelFamily, steadyFamily, tileFacts } from '../kernels/tiles.ts';
import { type Graph, type ModelShape, mostGuesses, type WeightSpec } from '../models/index.ts';
import { hashModel } from './checkpoint/fingerprint.ts';
import { describeCheckpoint, openCheckpoint } from './checkpoint/index.ts';
import { countSlots, loadWeights, weightSize } from './checkpoint/loader.ts';
import { expertStageSize } from './checkpoint/stage.ts';
import type { Checkpoint } from './checkpoint/types.ts';
import { availableMemory, type DevicePretence, type OpenDevice, openDevice } from './device.ts';
import type { Driver } from './drivers.ts';
import { formatBytes, InwardError } from './errors.ts';
import { createGraph, demandBinding } from './graph.ts';
import { DeviceMemory } from './memory.ts';
import { type Outlet, ResultOutlet, RowOutlet } from './outlets.ts';
import { type ModelOutline, outlineModel, outlineScratch, outlineSpecs } from './outline.ts';
import { blockLength, limitsOf, planMemory, readModel } from './plan.ts';
import type { StepResults } from './results.ts';
import { Runner } from './runner.ts';
import { Batch } from './scheduling/batch.ts';
import { BlockPool } from './scheduling/blocks.ts';
import { Scheduler, type SchedulerLimits } from './scheduling/scheduler.ts';
import { effectiveWindow, windowOf } from './scheduling/window.ts';
import { planStages } from './stages/plan.ts';
import type { Ring } from './stages/ring.ts';
import type { StageRunner } from './stages/stage.ts';
import { StagedRunner } from './stages/staged-runner.ts';
import { type KeepTuning, tuneGraph } from './tuner.ts';
import { type EngineInfo, type EngineOptions, engineNumbers, type OpenProgress, tuneModes } from './types.ts';
import { warmUp } from './warmup.ts';

/** Which part of a model is in this process, and the way to the others. */
export interface StagePlace {
  readonly index: number;
  readonly count: number;
  readonly ring: Ring;
}

/** What an engine whose process may look for little and write nothing is given, and does not find or do itself. */
export interface EngineHost {
  readonly driver?: Driver;
  readonly keepTuning?: KeepTuning;
  /** Default: all of the model is here. */
  readonly stage?: StagePlace;
}

/** What the engine wants of a runner: of one device, or of several stages. */
export interface StepRunner {
  run(batch: Batch): Promise<StepResults>;
  reserveLogits(): void;
  readResidue: Runner<StepResults>['readResidue'];
  readonly dispatchCount: number;
  readonly submittedAt: number;
  readonly expertCounts: Runner<StepResults>['expertCounts'];
}

/** Everything a step touches. */
export interface Parts {
  readonly open: OpenDevice;
  readonly memory: DeviceMemory;
  readonly runner: StepRunner;
  readonly batch: Batch;
  /** For steps that may be under way beside it. */
  readonly spares: readonly Batch[];
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
  if ((options.stages ?? 1) > 1 && host.stage === undefined)
    throw new InwardError('invalid_option', { option: 'stages', rule: 'stages have processes of their own: openEngine starts them' });
  const { parts, info, files } = await openWith(options, pretence, host, async (built) => {
    // Each stage can work on a step of its own.
    const spares = Array.from({ length: (host.stage?.count ?? 1) - 1 }, () => new Batch(built.batch.limits));
    const runner =
      host.stage === undefined ? await built.create(new ResultOutlet(built.memory, built.graph)) : await createStaged(built, spares, host.stage, options);
    // Every step of an encoder needs it.
    if (built.config.encoder !== undefined) runner.reserveLogits();
    const { open, memory, batch, pool, states, limits } = built;
    // Uncut, so that every tile is reached.
    const whole = runner instanceof StagedRunner ? { run: (step: Batch) => runner.run(step, 1) } : runner;
    // On a scheduler of its own, so that no one sees it in the counts.
    await warmUp(new Scheduler(limits, pool), batch, whole, built.kernels, built.onWarm);
    return { parts: { open, memory, runner, batch, spares, pool, states, scheduler: new Scheduler(limits, pool) } };
  });
  return { parts: { ...parts, ...(files && { files }) }, info };
}

async function createStaged(
  { graph, memory, batch, config, kernels, create }: Built,
  spares: readonly Batch[],
  { ring }: StagePlace,
  options: EngineOptions,
): Promise<StagedRunner> {
  const { maxTokens, maxLogitRows } = batch.limits;
  if (graph.exit === undefined) throw new InwardError('internal', { part: 'the first stage' });
  const first = await create(new RowOutlet(memory, graph.exit, maxTokens));
  const { microBatches } = withStandards(options);
  const leastTokens = leastPart[kernels === 'narrow' ? 'cpu' : 'gpu'];
  return new StagedRunner(first, ring, [batch, ...spares], { vocabularySize: config.vocabularySize, maxLogitRows, microBatches, leastTokens });
}

/** Tokens of a part of a step at least: below so many a device takes hardly less time for fewer. */
const leastPart = { cpu: 4, gpu: 64 };

/** A stage that is not the first, and its device. */
export interface OpenStage {
  readonly stage: StageRunner;
  readonly open: OpenDevice;
  readonly memory: DeviceMemory;
}

/** The layers of a stage that is not the first, ready for what the one before hands on. Throws like `openParts`. */
export function openStage(options: EngineOptions, host: EngineHost): Promise<Opened<OpenStage>> {
  return openWith(options, {}, host, async ({ open, memory, graph, batch, create }): Promise<OpenStage> => {
    const { exit } = graph;
    if (exit !== undefined) return { open, memory, stage: { isLast: false, runner: await create(new RowOutlet(memory, exit, batch.limits.maxTokens)) } };
    const runner = await create(new ResultOutlet(memory, graph));
    // Nobody here could refuse the request that is the first to ask for logits.
    runner.reserveLogits();
    return { open, memory, stage: { isLast: true, runner } };
  });
}

/** A model all of whose tensors, as far as they belong here, are as its family wants them. */
interface CheckedModel extends ModelOutline {
  readonly checkpoint: Checkpoint;
  readonly specs: ReadonlyMap<string, WeightSpec>;
  /** Experts of a layer that are on the device at a time; undefined: all. */
  readonly slots: number | undefined;
  /** Of all weights on the device, in bytes. */
  readonly weightsSize: number;
}

function checkModel(checkpoint: Checkpoint, options: EngineOptions, place: StagePlace | undefined): CheckedModel {
  const { family, config } = readModel(checkpoint, options.draft);
  const all = family.weights(config);
  const whole = outlineModel(checkpoint, family, config);
  const own: ModelOutline = place === undefined ? whole : { ...whole, range: planStages(checkpoint, whole, place.count, options)[place.index] };
  const specs = place === undefined ? all : outlineSpecs(own, all);
  const slots = countSlots(checkpoint, specs, options.expertMemory);
  return { ...own, checkpoint, specs, slots, weightsSize: weightSize(checkpoint, specs, slots) };
}

/** What a device holds of a model, ready but for the runner. */
interface Built {
  readonly open: OpenDevice;
  readonly memory: DeviceMemory;
  readonly config: ModelShape;
  readonly graph: Graph;
  readonly kernels: KernelFamily;
  readonly batch: Batch;
  readonly pool: BlockPool;
  readonly states: BlockPool | undefined;
  readonly limits: SchedulerLimits;
  /** Compiles the graph. */
  create<Out>(outlet: Outlet<Out>): Promise<Runner<Out>>;
  readonly onWarm: (done: number, total: number) => void;
}

type OpenInfo = Omit<EngineInfo, 'loadMs' | 'weightBytes' | 'kvBytes'>;

type Opened<Made> = Made & {
  readonly info: EngineInfo;
  /** The model's, where experts are read from them as they are wanted. */
  readonly files?: Disposable;
};

/** From file and device to what `finish` makes; nothing stays on the device where that fails. */
async function openWith<Made extends object>(
  options: EngineOptions,
  pretence: DevicePretence,
  host: EngineHost,
  finish: (built: Built) => Promise<Made>,
): Promise<Opened<Made>> {
  const started = performance.now();
  using files = new DisposableStack();
  const checkpoint = files.use(openCheckpoint(options.modelPath));
  // Every tensor is looked at before there is a device that could be left with some of them.
  const model = checkModel(checkpoint, options, host.stage);
  const open = await openDevice(host.driver ?? options.device ?? 'auto', pretence);
  const memory = new DeviceMemory(open.device, open.memoryLimit);
  try {
    const { built, info } = await assemble(options, model, open, memory, host);
    const made = await finish(built);
    const sizes = { weightBytes: memory.usage()['weights'] ?? 0, kvBytes: memory.usage()['kv'] ?? 0 };
    const { range, slots } = model;
    const stages = range && { stages: [{ adapter: open.adapter, firstLayer: range.start, layerCount: range.end - range.start, ...sizes }] };
    return {
      ...made,
      ...(slots !== undefined && { files: files.move() }),
      info: { ...info, ...sizes, ...stages, loadMs: performance.now() - started },
    };
  } catch (error) {
    memory[Symbol.dispose]();
    open[Symbol.dispose]();
    throw error;
  }
}

async function assemble(
  options: EngineOptions,
  model: CheckedModel,
  open: OpenDevice,
  memory: DeviceMemory,
  host: EngineHost,
): Promise<{ built: Built; info: OpenInfo }> {
  const { checkpoint, family, config, specs, slots, weightsSize, range } = model;
  const { device, subgroupSize: lanes } = open;
  const { deterministic: isDeterministic = true, tune: mode = tuneModes[0], tuningFile: path } = options;
  const kernels = steadyFamily(open.family, isDeterministic);
  const plan = planMemory(config, options, range);
  const { contextLength, maxSequences, tokenBudget, kv, activations, kvBlocks: blockCount, kvSize, stateLayerSize, stateSize } = plan;
  const window = effectiveWindow(windowOf(config.caches), contextLength);
  memory.reserve('weights', weightsSize);
  memory.reserve('kv', kvSize, weightsSize);
  memory.reserve('state', stateSize, weightsSize + kvSize);
  const facts = tileFacts({ ...open, family: kernels });
  const batchLimits = limitsOf(config, plan, kernels);
  const pagingSize = slots === undefined ? 0 : expertStageSize;
  const hostSize = slots === undefined ? 0 : (options.expertHostMemory ?? 0);
  const scratchSize = outlineScratch(model, batchLimits, { ...facts, kv, activations, window }) + pagingSize;
  memory.reserve('activations', scratchSize, weightsSize + kvSize + stateSize);
  demandHost(Math.min(hostSize, checkpoint.fileSize), Number.isFinite(open.memoryLimit) ? weightsSize + kvSize + stateSize + scratchSize : 0);
  if (open.place === 'buffer') demandBinding('The KV cache of a layer', plan.kvLayerSize, open);
  demandBinding('The recurrent state of a layer', stateLayerSize, open);

  const batch = new Batch(batchLimits);
  const pipelines = new PipelineCache(device, open.pinsSubgroups);
  const target = { device, memory, pipelines, place: open.place, bindingLimit: open.bindingLimit, textureLimit: open.textureLimit };
  const weights = await loadWeights(checkpoint, specs, { ...target, onProgress: report('weights', options) }, { slots, hostSize });
  const { graph, batchBuffer } = createGraph({ ...facts, range, window }, config.caches, plan, batch, { open, memory });
  family.forward(config, weights, graph);
  const blocks = new BlockPool(blockCount);
  // Of all layers: whoever schedules gives every sequence one, wherever it is kept.
  const states = planMemory(config, options).stateSize > 0 ? new BlockPool(maxSequences) : undefined;
  const { queueLength, prefixSeconds, prefixQuota, draftLength } = withStandards(options);
  const limits: SchedulerLimits = {
    ...{ maxSequences, queueLength, tokenBudget, blockLength, window, longFrom: config.longFrom, states, isEncoder: config.encoder !== undefined },
    draftLength: Math.min(draftLength, ...config.caches.map(mostGuesses)),
    foresees: config.foresees,
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
  const summary = describeCheckpoint(checkpoint);
  return {
    built: {
      ...{ open, memory, config, graph, kernels, batch, pool: blocks, states, limits },
      create: (outlet) => Runner.create(device, memory, pipelines, batchBuffer, graph, outlet, onCompiled, weights.files),
      onWarm: (done, total) => reportKernels({ done: total + done, total: 2 * total }),
    },
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

/** Experts in host memory, beside a software device, which takes its own from there. */
function demandHost(size: number, deviceSize: number): void {
  const free = Math.max(0, availableMemory() - deviceSize);
  if (size > free) throw new InwardError('out_of_memory', { owner: 'The experts in host memory', needed: formatBytes(size), free: formatBytes(free) });
}

function report(part: OpenProgress['part'], { onProgress }: EngineOptions): (progress: { readonly done: number; readonly total: number }) => void {
  return ({ done, total }) => onProgress?.({ part, done, total });
}
