/**
 * Owns the least time that decoding can take: bytes that devices must read, over the bandwidth that their makers publish. Refuses to guess at
 * anything else: a real engine is slower.
 */
import type { Accelerator, CacheBill, DecodeFloor, ModelBill, WeightBill } from './types.ts';

/** Layers of a stage, and whether it has what stands before or behind all of them. */
export interface StageRange {
  readonly firstLayer: number;
  readonly layerCount: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

export function isIn(place: ModelBill['weights'][number]['place'], { firstLayer, layerCount, isFirst, isLast }: StageRange): boolean {
  if (place === 'first') return isFirst;
  if (place === 'last') return isLast;
  return place !== 'prediction' && place >= firstLayer && place < firstLayer + layerCount;
}

/** Experts of each layer of a stage that so many bytes have room for; undefined: all, or there are none. */
export function slotsIn(bill: ModelBill, range: StageRange, expertMemory: number | undefined): number | undefined {
  if (expertMemory === undefined) return undefined;
  const routed = bill.weights.filter(({ place, experts }) => experts !== undefined && isIn(place, range));
  const slots = Math.floor(expertMemory / routed.reduce((sum, { size, experts = 1 }) => sum + size / experts, 0));
  return routed.every(({ experts = 1 }) => experts <= slots) ? undefined : slots;
}

/** Bytes that weights take on a device. */
export function residentSize({ size, experts }: WeightBill, slots: number | undefined): number {
  return experts === undefined || slots === undefined ? size : (size / experts) * Math.min(slots, experts);
}

/** Experts of `experts` that so many tokens have together, each `chosen`, if all are as likely. */
function expectedExperts(experts: number, chosen: number, tokens: number): number {
  return experts * (1 - (1 - chosen / experts) ** tokens);
}

/** Of one sequence of so many tokens. A recurrent state is read and written; of an open entry a step needs nothing but to write. */
function readSize({ kind, entrySize, every, count = 0, readMost = Number.POSITIVE_INFINITY }: CacheBill, contextLength: number): number {
  if (kind === 'open') return 0;
  if (kind === 'state') return 2 * entrySize * count;
  const entries = every === undefined ? Math.min(count, contextLength) : Math.floor(contextLength / every);
  return entrySize * Math.min(entries, readMost);
}

/** Bytes that a stage reads for a token of each of so many sequences. */
function stageReads(bill: ModelBill, range: StageRange, sequences: number, contextLength: number): number {
  const weights = bill.weights.reduce((sum, { place, size, experts, isTable }) => {
    if (isTable || !isIn(place, range)) return sum;
    return sum + (experts === undefined ? size : (size * expectedExperts(experts, bill.chosen, sequences)) / experts);
  }, 0);
  const caches = bill.caches.slice(range.firstLayer, range.firstLayer + range.layerCount).flat();
  return caches.reduce((sum, cache) => sum + sequences * readSize(cache, contextLength), weights);
}

/** Bytes of experts that a stage reads for a token of each, and finds not on its device, if every choice is as likely. */
function stageFetches(bill: ModelBill, range: StageRange, slots: number | undefined, sequences: number): number {
  if (slots === undefined) return 0;
  return bill.weights.reduce((sum, { place, size, experts }) => {
    if (experts === undefined || !isIn(place, range)) return sum;
    return sum + (size / experts) * expectedExperts(experts, bill.chosen, sequences) * Math.max(0, 1 - slots / experts);
  }, 0);
}

/** `contextLength`: of every sequence. `expertMemory`: of a device. Groups of sequences are as many as stages, where there are as many sequences. */
export function decodeFloor(
  bill: ModelBill,
  ranges: readonly StageRange[],
  device: Accelerator,
  { sequences, contextLength, expertMemory }: { readonly sequences: number; readonly contextLength: number; readonly expertMemory: number | undefined },
): DecodeFloor {
  const groups = Math.min(ranges.length, sequences);
  const reads = ranges.map((range) => stageReads(bill, range, sequences / groups, contextLength));
  const together = reads.reduce((sum, size) => sum + size, 0);
  const fetched = groups * ranges.reduce((sum, range) => sum + stageFetches(bill, range, slotsIn(bill, range, expertMemory), sequences / groups), 0);
  const floor = { sequences, stepSize: groups * together, ...(fetched > 0 && { fetchedSize: fetched }) };
  if (device.bandwidth === undefined) return floor;
  // Each group goes through all stages, and each stage has all groups.
  const seconds = Math.max(together, groups * Math.max(...reads)) / device.bandwidth;
  return { ...floor, tokenMs: 1000 * seconds, tokensPerSecond: sequences / seconds };
}
