/**
 * Owns `how much of this model fits`: the plan for a model file, or for a config.json alone in the storages that such a model is released
 * in, and the longest context that a given memory has room for. Reads headers only. Refuses to know devices: sizes are handed in.
 */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { openCheckpoint } from './checkpoint/index.ts';
import { openShape } from './checkpoint/shape.ts';
import type { Checkpoint } from './checkpoint/types.ts';
import { blockLength, createPlanner, type PlanOptions } from './plan.ts';
import type { MemoryRoom, ModelFit, ModelPlan } from './types.ts';

/** What a config.json alone is sized in: as it is released, and as it is usually made smaller. */
const shapeStorages = ['BF16', 'Q8_0', 'Q6_K', 'Q4_K'] as const;

/**
 * One fit for a model file or folder; several, by storage, for a config.json. `room`: bytes on the device and in one of its bindings.
 * Throws file_missing, gguf_invalid, checkpoint_invalid, model_unsupported.
 */
export function fitModel(modelPath: string, options: PlanOptions, room: MemoryRoom): ModelFit[] {
  if (isConfig(modelPath)) return shapeStorages.map((storage) => sizeModel(openShape(modelPath, storage), options, room, storage));
  return [sizeModel(openCheckpoint(modelPath), options, room)];
}

function isConfig(path: string): boolean {
  return basename(path).endsWith('.json') && (statSync(path, { throwIfNoEntry: false })?.isFile() ?? true);
}

function sizeModel(opened: Checkpoint, options: PlanOptions, room: MemoryRoom, storage?: string): ModelFit {
  using checkpoint = opened;
  const plan = createPlanner(checkpoint);
  const first = plan(options);
  // Every sequence has a whole context, where nobody says less.
  const asked = options.kvTokens === undefined ? plan({ ...options, kvTokens: first.contextLength * first.maxSequences }) : first;
  return {
    ...asked,
    ...(storage !== undefined && { storage }),
    kvTokenSize: asked.kvSize / (asked.kvBlocks * blockLength),
    largestContext: findLargest(asked, (contextLength) => fits(plan({ ...options, contextLength, kvTokens: contextLength * asked.maxSequences }), room)),
  };
}

export function fits({ weightSize, kvSize, kvLayerSize, scratchSize }: ModelPlan, { memory, binding }: MemoryRoom): boolean {
  return weightSize + kvSize + scratchSize <= memory && kvLayerSize <= binding;
}

/** In whole blocks, by halving; 0: not even one. Needs grow with the context. */
function findLargest({ modelContextLength }: ModelPlan, isEnough: (contextLength: number) => boolean): number {
  if (isEnough(modelContextLength)) return modelContextLength;
  let [enough, tooMuch] = [0, Math.ceil(modelContextLength / blockLength)];
  while (tooMuch - enough > 1) {
    const middle = Math.floor((enough + tooMuch) / 2);
    if (isEnough(middle * blockLength)) enough = middle;
    else tooMuch = middle;
  }
  return enough * blockLength;
}
