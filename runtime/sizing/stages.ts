/**
 * Owns the plan of a model over several equal devices, layer after layer: what each gets, whether it fits, how far it could go, and the floor of
 * the time per token. Refuses to measure, and to know files.
 */
import { families } from '../../models/index.ts';
import { expertStageSize } from '../checkpoint/stage.ts';
import { blockLength, type PlanOptions, planMemory } from '../plan.ts';
import type { MemoryPlan } from '../types.ts';
import { decodeFloor, isIn, residentSize, type StageRange, slotsIn } from './floor.ts';
import { splitLayers } from './split.ts';
import type { Accelerator, CacheBill, CacheFit, ModelBill, StageFit, StagePlan } from './types.ts';

/** No limit of a binding is known of a device that is not here: pools of one layer beyond that are not promised anywhere. */
const bindingOfOthers = 2 ** 32;

interface Cut {
  readonly stages: readonly StageFit[];
  readonly ranges: readonly StageRange[];
  readonly overBinding: number | undefined;
}

/** `count`: from 1 to the count of layers. Throws model_unsupported for a cache format that the model cannot have. */
export function planStages(bill: ModelBill, device: Accelerator, count: number, options: PlanOptions): StagePlan {
  const planFor = (contextLength: number, maxSequences: number): MemoryPlan =>
    planMemory(bill.shape, { ...options, contextLength, maxSequences, kvTokens: contextLength * maxSequences });
  const standard = planMemory(bill.shape, options);
  const { contextLength, maxSequences } = standard;
  // Every sequence has a whole context, where nobody says less.
  const asked = options.kvTokens === undefined ? planFor(contextLength, maxSequences) : standard;
  const { expertMemory } = options;
  const cutFor = (devices: number, plan: MemoryPlan, scratchSize: number): Cut => cutStages(bill, device, devices, plan, { scratchSize, expertMemory });
  const scratchSize = bill.scratchSize(asked);
  const cut = cutFor(count, asked, scratchSize);
  const isWhole = (plan: MemoryPlan): boolean => fits(cutFor(count, plan, bill.scratchSize(plan)));
  const blocks = Math.ceil(bill.shape.contextLength / blockLength);
  const tooFew = countUpTo(bill.caches.length, (devices) => !fits(cutFor(devices, asked, scratchSize)));
  const sum = (of: (stage: StageFit) => number): number => cut.stages.reduce((all, stage) => all + of(stage), 0);
  return {
    isComputed: true,
    ...{ name: bill.name, family: bill.family, parameterCount: bill.parameterCount, modelContextLength: bill.shape.contextLength },
    canRun: families.some(({ name }) => name === bill.family),
    ...{ device, count, contextLength, maxSequences, tokenBudget: asked.tokenBudget, kv: asked.kv },
    ...{ stages: cut.stages, caches: listCaches(bill, asked) },
    ...{ weightSize: sum(({ weightSize }) => weightSize), cacheSize: sum(({ cacheSize }) => cacheSize), totalSize: sum(({ totalSize }) => totalSize) },
    predictionSize: bill.weights.reduce((all, { place, size }) => (place === 'prediction' ? all + size : all), 0),
    streamSize: bill.streamSize,
    fits: fits(cut),
    ...(cut.overBinding !== undefined && { overBinding: cut.overBinding }),
    ...(tooFew < bill.caches.length && { fewestDevices: tooFew + 1 }),
    largestContext: Math.min(countUpTo(blocks, (length) => isWhole(planFor(length * blockLength, maxSequences))) * blockLength, bill.shape.contextLength),
    mostSequences: countUpTo(4096, (sequences) => isWhole(planFor(contextLength, sequences))),
    floors: [...new Set([1, maxSequences])].map((sequences) => decodeFloor(bill, cut.ranges, device, { sequences, contextLength, expertMemory })),
  };
}

/** The largest number up to `most` that has what all smaller ones have; 0: not even 1 has it. */
function countUpTo(most: number, has: (number: number) => boolean): number {
  if (has(most)) return most;
  let [enough, tooMuch] = [0, most];
  while (tooMuch - enough > 1) {
    const between = Math.floor((enough + tooMuch) / 2);
    if (has(between)) enough = between;
    else tooMuch = between;
  }
  return enough;
}

function fits({ stages, overBinding }: Cut): boolean {
  return overBinding === undefined && stages.every((stage) => stage.fits);
}

/** Bytes of a layer's cache for all sequences. Blocks are shared by all; what has no length is a sequence's own. */
function cacheSize({ entrySize, every, room = every, count = 0 }: CacheBill, { kvBlocks, maxSequences }: MemoryPlan): number {
  return entrySize * (room === undefined ? count * maxSequences : Math.ceil((kvBlocks * blockLength) / room));
}

interface Bounds {
  readonly scratchSize: number;
  /** Of a device. */
  readonly expertMemory: number | undefined;
}

function cutStages(bill: ModelBill, device: Accelerator, count: number, plan: MemoryPlan, bounds: Bounds): Cut {
  const caches = bill.caches.map((layer) => layer.map((cache) => cacheSize(cache, plan)));
  const cacheSizes = caches.map((sizes) => sizes.reduce((sum, size) => sum + size, 0));
  const weightsOf = (range: StageRange, slots?: number): number =>
    bill.weights.reduce((sum, weight) => (isIn(weight.place, range) && !(weight.isCopy && range.isFirst) ? sum + residentSize(weight, slots) : sum), 0);
  const none = { firstLayer: 0, layerCount: 0, isFirst: false, isLast: false };
  const sizes = cacheSizes.map((size, firstLayer) => size + weightsOf({ ...none, firstLayer, layerCount: 1 }));
  const starts = splitLayers(sizes, count, weightsOf({ ...none, isFirst: true }), weightsOf({ ...none, isLast: true }));
  const ranges = starts.map((firstLayer, i) => {
    const layerCount = (starts[i + 1] ?? sizes.length) - firstLayer;
    return { firstLayer, layerCount, isFirst: i === 0, isLast: i === starts.length - 1 };
  });
  const stages = ranges.map((range) => {
    const { firstLayer, layerCount } = range;
    const slots = slotsIn(bill, range, bounds.expertMemory);
    const weightSize = weightsOf(range, slots);
    const scratchSize = bounds.scratchSize + (slots === undefined ? 0 : expertStageSize);
    const own = cacheSizes.slice(firstLayer, firstLayer + layerCount).reduce((sum, size) => sum + size, 0);
    const totalSize = weightSize + own + scratchSize;
    const isFit = totalSize <= device.memory && slots !== 0;
    return { firstLayer, layerCount, weightSize, cacheSize: own, scratchSize, totalSize, ...(slots !== undefined && { expertSlots: slots }), fits: isFit };
  });
  const largest = Math.max(0, ...caches.flat());
  return { stages, ranges, overBinding: largest > bindingOfOthers ? largest : undefined };
}

/** Kinds in the order in which layers have them. */
function listCaches(bill: ModelBill, plan: MemoryPlan): CacheFit[] {
  const kinds = new Map<string, CacheFit>();
  for (const layer of bill.caches) {
    const seen = new Set<string>();
    for (const cache of layer) {
      const { kind, every, room = every, entrySize, count = 0 } = cache;
      const key = `${kind} ${every}`;
      const before = kinds.get(key) ?? { kind, ...(every !== undefined && { every }), layerCount: 0, tokenSize: 0, sequenceSize: 0, size: 0 };
      kinds.set(key, {
        ...before,
        layerCount: before.layerCount + (seen.has(key) ? 0 : 1),
        tokenSize: before.tokenSize + (room === undefined ? 0 : entrySize / room),
        sequenceSize: before.sequenceSize + (room === undefined ? entrySize * count : 0),
        size: before.size + cacheSize(cache, plan),
      });
      seen.add(key);
    }
  }
  return [...kinds.values()];
}
