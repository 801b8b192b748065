/**
 * Owns which layers each stage of a model has: from its header alone, so that every process comes to the same answer by itself. Refuses models whose
 * layers want more of each other than rows.
 */
import type { LayerRange } from '../../models/index.ts';
import { weightSize } from '../checkpoint/loader.ts';
import type { Checkpoint } from '../checkpoint/types.ts';
import { InwardError } from '../errors.ts';
import { type ModelOutline, outlineSpecs } from '../outline.ts';
import { type PlanOptions, planMemory } from '../plan.ts';
import { splitLayers } from '../sizing/split.ts';

/** Ranges of layers, cut so that weights, KV cache and state of the largest stage are as small as can be. Throws model_unsupported, invalid_option. */
export function planStages(checkpoint: Checkpoint, model: ModelOutline, count: number, options: PlanOptions): LayerRange[] {
  const { family, config } = model;
  // Its block wants the embedding, which is another stage's.
  if (config.foresees) throw new InwardError('invalid_option', { option: 'draft', rule: 'mtp with one stage' });
  const canCut = (layer: number): boolean => family.canCut?.(config, layer) ?? false;
  // A family that cannot be cut does not ask which layers it is about.
  const sizes = family.canCut === undefined ? [] : sizeLayers(checkpoint, model, options);
  const starts = splitLayers(sizes, count, 0, 0, canCut);
  if (starts.length > 0) return starts.map((start, i) => ({ start, end: starts[i + 1] ?? sizes.length }));
  const places = config.caches.filter((_, layer) => layer > 0 && canCut(layer)).length;
  throw new InwardError('model_unsupported', {
    part: `stages of the family ${family.name} with ${config.caches.length} layers`,
    expected: places === 0 ? '1 stage' : `at most ${places + 1} stages`,
    found: count,
  });
}

/** Of the first layer the embedding is a part, of the last one what makes logits. */
function sizeLayers(checkpoint: Checkpoint, model: ModelOutline, options: PlanOptions): number[] {
  const { family, config } = model;
  const specs = family.weights(config);
  return config.caches.map((_, start) => {
    const range: LayerRange = { start, end: start + 1 };
    const { kvSize, stateSize } = planMemory(config, options, range);
    return weightSize(checkpoint, outlineSpecs({ ...model, range }, specs)) + kvSize + stateSize;
  });
}
