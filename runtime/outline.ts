/**
 * Owns a model's list of operations without its weights and without a device: from the header of the file, for whoever asks what its
 * matmuls are, or how much working memory they need. The forward pass runs over matrices that have no rows anywhere.
 */
import type { Slice } from '../kernels/kernel.ts';
import type { MatmulWork, TileFacts } from '../kernels/tiles.ts';
import {
  type Family,
  Graph,
  type GraphSettings,
  type LayerRange,
  type ModelShape,
  poolShapeOf,
  stateLengthOf,
  type WeightSpec,
  type Weights,
} from '../models/index.ts';
import { outlineWeights } from './checkpoint/loader.ts';
import type { Checkpoint } from './checkpoint/types.ts';
import { Batch, type BatchLimits } from './scheduling/batch.ts';
import type { ActivationFormat, KvFormat } from './types.ts';

interface Formats {
  readonly kv: KvFormat;
  readonly activations: ActivationFormat;
}

const nowhere: Slice = { buffer: {} as GPUBuffer, offset: 0, size: Number.POSITIVE_INFINITY };

/** A model as its header tells it. */
export interface ModelOutline {
  readonly family: Family;
  readonly config: ModelShape;
  readonly weights: Weights;
  /** Default: all layers. */
  readonly range?: LayerRange | undefined;
}

/** Throws model_unsupported naming the first tensor that does not fit the family. */
export function outlineModel(checkpoint: Checkpoint, family: Family, config: ModelShape): ModelOutline {
  return { family, config, weights: outlineWeights(checkpoint, family.weights(config), nowhere) };
}

function outline({ family, config, weights, range }: ModelOutline, settings: Omit<GraphSettings, 'batch' | 'pools' | 'states'>): Graph {
  const graph = new Graph({
    ...settings,
    range,
    batch: nowhere,
    pools: config.caches.map((cache) => (poolShapeOf(cache, settings.kv) === undefined ? undefined : { vectors: nowhere, fold: 1 })),
    states: config.caches.map((cache) => {
      const length = stateLengthOf(cache);
      return length === undefined ? undefined : { blocks: nowhere, length };
    }),
  });
  family.forward(config, weights, graph);
  return graph;
}

/** Of whoever asks for no sizes. */
const least = { layout: {}, blockLength: 1, contextLength: 1, maxTokens: 1, maxLogitRows: 1, maxItems: 1, maxEdits: 1, maxCopies: 1 };

/** The matmuls of a step. */
export function outlineMatmuls(model: ModelOutline, formats: Formats & { readonly lanes: number }): MatmulWork[] {
  const graph = outline(model, { ...formats, ...least, create: () => nowhere, createRows: () => nowhere });
  return graph.matmuls.map(({ work }) => work);
}

/** The weights that the layers of the outline's range work with: those that their forward pass asks for. */
export function outlineSpecs(model: ModelOutline, specs: ReadonlyMap<string, WeightSpec>): ReadonlyMap<string, WeightSpec> {
  const asked = new Set<string>();
  const noting =
    <Found>(find: (name: string) => Found) =>
    (name: string): Found => {
      asked.add(name);
      return find(name);
    };
  const { matrix, experts, vector, host } = model.weights;
  const weights = { matrix: noting(matrix), experts: noting(experts), vector: noting(vector), host: noting(host) };
  outline({ ...model, weights }, { lanes: 8, kv: 'f16', activations: 'f32', ...least, create: () => nowhere, createRows: () => nowhere });
  return new Map([...specs].filter(([name]) => asked.has(name)));
}

/** Bytes that a step works in, beside weights, KV cache and recurrent state: rows between operations, tables, logits, the batch. */
export function outlineScratch(model: ModelOutline, limits: BatchLimits, facts: Formats & TileFacts & Pick<GraphSettings, 'window'>): number {
  const { layout, maxItems, words } = new Batch(limits);
  let total = words.byteLength;
  const { maxTokens, maxLogitRows, maxEdits, maxSequences, contextLength, blockLength } = limits;
  outline(model, {
    ...facts,
    ...{ layout, maxItems, maxTokens, maxLogitRows, maxEdits, maxCopies: maxSequences, contextLength, blockLength },
    create: (_, label, size) => {
      // What comes of each row is read back through a buffer of the same size.
      total += label === 'results' ? 2 * size : size;
      return nowhere;
    },
    createRows: (_, rows, width) => {
      total += rows * width * 4;
      return nowhere;
    },
  });
  return total;
}
