/**
 * Owns `how much of this model fits`: the plan for a model file, or for a config.json alone in the storages that such a model is released
 * in, and the longest context that a given memory has room for. Reads headers only. Refuses to know devices: sizes are handed in.
 */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { families } from '../models/index.ts';
import { openCheckpoint } from './checkpoint/index.ts';
import { openShape } from './checkpoint/shape.ts';
import type { Checkpoint } from './checkpoint/types.ts';
import { InwardError } from './errors.ts';
import { blockLength, createPlanner, type PlanOptions } from './plan.ts';
import { billCheckpoint } from './sizing/bill.ts';
import { findBill, findConfig } from './sizing/releases.ts';
import { planStages } from './sizing/stages.ts';
import type { Accelerator, ModelBill, StagePlan } from './sizing/types.ts';
import { type DraftKind, type KvFormat, kvFormats, type MemoryRoom, type ModelFit, type ModelPlan } from './types.ts';

/** What a config.json alone is sized in: as it is released, and as it is usually made smaller. */
const shapeStorages = ['BF16', 'Q8_0', 'Q6_K', 'Q4_K'] as const;

/**
 * One fit for a model file or folder; several, by storage, for a config.json. `room`: bytes on the device and in one of its bindings.
 * Throws file_missing, gguf_invalid, checkpoint_invalid, model_unsupported.
 */
export function fitModel(modelPath: string, options: PlanOptions, room: MemoryRoom): ModelFit[] {
  if (isConfig(modelPath)) return shapeStorages.map((storage) => sizeModel(openShape(modelPath, storage, options.draft === 'mtp'), options, room, storage));
  return [sizeModel(openCheckpoint(modelPath), options, room)];
}

function isConfig(path: string): boolean {
  return basename(path).endsWith('.json') && (statSync(path, { throwIfNoEntry: false })?.isFile() ?? true);
}

function sizeModel(opened: Checkpoint, options: PlanOptions, room: MemoryRoom, storage?: string): ModelFit {
  using checkpoint = opened;
  const plan = createPlanner(checkpoint, options.draft);
  const first = plan(options);
  // Every sequence has a whole context, where nobody says less.
  const asked = options.kvTokens === undefined ? plan({ ...options, kvTokens: first.contextLength * first.maxSequences }) : first;
  return {
    ...asked,
    ...(storage !== undefined && { storage }),
    kvTokenSize: asked.kvSize / (asked.kvBlocks * blockLength),
    largestContext: findLargest(asked, (contextLength) => excessOf(plan({ ...options, contextLength, kvTokens: contextLength * asked.maxSequences }), room)),
  };
}

export function fits(plan: ModelPlan, room: MemoryRoom): boolean {
  return excessOf(plan, room) <= 0;
}

/** Bytes that are wanting, on the device or in a binding; zero or below: none. */
function excessOf({ weightSize, kvSize, kvLayerSize, stateSize, stateLayerSize, scratchSize }: ModelPlan, { memory, binding }: MemoryRoom): number {
  return Math.max(weightSize + kvSize + stateSize + scratchSize - memory, Math.max(kvLayerSize, stateLayerSize) - binding);
}

/** In whole blocks; 0: not even one. Needs grow with the context, nearly in a line. */
function findLargest({ modelContextLength }: ModelPlan, excessAt: (contextLength: number) => number): number {
  const at = (blocks: number): { readonly blocks: number; readonly excess: number } => ({ blocks, excess: excessAt(blocks * blockLength) });
  let tooMuch = { blocks: Math.ceil(modelContextLength / blockLength), excess: excessAt(modelContextLength) };
  if (tooMuch.excess <= 0) return modelContextLength;
  let enough = at(1);
  if (enough.excess > 0) return 0;
  for (let step = 0; tooMuch.blocks - enough.blocks > 1; step++) {
    // Every second step halves, so that none is far off where they are no line.
    const share = step % 2 === 0 ? enough.excess / (enough.excess - tooMuch.excess) : 0.5;
    const between = enough.blocks + Math.floor(share * (tooMuch.blocks - enough.blocks));
    const next = at(Math.min(Math.max(between, enough.blocks + 1), tooMuch.blocks - 1));
    if (next.excess > 0) tooMuch = next;
    else enough = next;
  }
  return enough.blocks * blockLength;
}

/**
 * A model over `count` equal devices, from a file, a folder, a config.json, or by the name of a published shape without one (`listReleases`); files go before names.
 * Throws as fitModel does, and invalid_option for more devices than layers.
 */
export function fitStages(model: string, options: PlanOptions, device: Accelerator, count: number): StagePlan {
  const bill = billModel(model, options.kv ?? kvFormats[0], options.draft);
  const most = bill.caches.length;
  if (count > most) throw new InwardError('invalid_option', { option: 'count', rule: `at most ${most}, a layer of ${bill.name} on each` });
  return planStages(bill, device, count, options);
}

function billModel(model: string, kv: KvFormat, draft: DraftKind | undefined): ModelBill {
  const foresees = draft === 'mtp';
  const bill = findBill(model, kv, foresees);
  if (bill !== undefined && statSync(model, { throwIfNoEntry: false }) === undefined) return withScratch(bill, findConfig(model), kv, draft);
  const isShape = isConfig(model);
  using checkpoint = isShape ? openShape(model, 'BF16', foresees) : openCheckpoint(model);
  const found = billCheckpoint(checkpoint, kv, isShape, draft);
  return { ...found, name: found.name || basename(model, '.json') };
}

/** Working memory follows from the forward pass, once the engine has the family. */
function withScratch(bill: ModelBill, configPath: string | undefined, kv: KvFormat, draft: DraftKind | undefined): ModelBill {
  if (configPath === undefined || families.every(({ name }) => name !== bill.family)) return bill;
  using checkpoint = openShape(configPath, 'BF16', draft === 'mtp');
  const { scratchSize } = billCheckpoint(checkpoint, kv, true, draft);
  return { ...bill, scratchSize };
}
