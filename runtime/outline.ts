/**
 * Owns a model's list of operations without its weights and without a device: from the header of the file, for whoever asks what its
 * matmuls are, or how much working memory they need. The forward pass runs over matrices that have no rows anywhere.
 */
import type { Slice } from '../kernels/kernel.ts';
import type { MatmulWork, TileFacts } from '../kernels/tiles.ts';
import { type Family, Graph, type GraphSettings, type ModelShape, poolShapeOf, stateLengthOf, type Weights } from '../models/index.ts';
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
}

/** Throws model_unsupported naming the first tensor that does not fit the family. */
export function outlineModel(checkpoint: Checkpoint, family: Family, config: ModelShape): ModelOutline {
  return { family, config, weights: outlineWeights(checkpoint, family.weights(config), nowhere) };
}

function outline({ family, config, weights }: ModelOutline, settings: Omit<GraphSettings, 'batch' | 'pools' | 'states'>): Graph {
  const graph = new Graph({
    ...settings,
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

/** The matmuls of a step. */
export function outlineMatmuls(model: ModelOutline, formats: Formats & { readonly lanes: number }): MatmulWork[] {
  const graph = outline(model, {
    ...formats,
    ...{ layout: {}, blockLength: 1, contextLength: 1, maxTokens: 1, maxLogitRows: 1, maxItems: 1, maxEdits: 1, maxCopies: 1 },
    create: () => nowhere,
    createRows: () => nowhere,
  });
  return graph.matmuls.map(({ work }) => work);
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
