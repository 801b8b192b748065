/**
 * Owns the least time that decoding can take: bytes that devices must read, over the bandwidth that their makers publish. Refuses to guess at
 * anything else: a real engine is slower.
 */
import type { Accelerator, CacheBill, DecodeFloor, ModelBill } from './types.ts';

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

/** `contextLength`: of every sequence. Groups of sequences are as many as stages, where there are as many sequences. */
export function decodeFloor(bill: ModelBill, ranges: readonly StageRange[], device: Accelerator, sequences: number, contextLength: number): DecodeFloor {
  const groups = Math.min(ranges.length, sequences);
  const reads = ranges.map((range) => stageReads(bill, range, sequences / groups, contextLength));
  const together = reads.reduce((sum, size) => sum + size, 0);
  const floor = { sequences, stepSize: groups * together };
  if (device.bandwidth === undefined) return floor;
  // Each group goes through all stages, and each stage has all groups.
  const seconds = Math.max(together, groups * Math.max(...reads)) / device.bandwidth;
  return { ...floor, tokenMs: 1000 * seconds, tokensPerSecond: sequences / seconds };
}
