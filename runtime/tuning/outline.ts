/**
 * Owns the list of a model's matmuls without its weights: from the header of the file, for whoever asks what has been chosen.
 * The forward pass runs over matrices that have no rows on a device.
 */
import type { Slice } from '../../kernels/kernel.ts';
import type { MatmulWork } from '../../kernels/tiles.ts';
import { type Family, Graph, type ModelShape } from '../../models/index.ts';
import { outlineWeights } from '../checkpoint/loader.ts';
import type { Checkpoint } from '../checkpoint/types.ts';
import type { ActivationFormat, KvFormat } from '../types.ts';

interface OutlineOptions {
  readonly lanes: number;
  readonly kv: KvFormat;
  readonly activations: ActivationFormat;
}

/** Throws model_unsupported. */
export function outlineMatmuls(checkpoint: Checkpoint, family: Family, config: ModelShape, { lanes, kv, activations }: OutlineOptions): MatmulWork[] {
  const nowhere: Slice = { buffer: {} as GPUBuffer, offset: 0, size: Number.POSITIVE_INFINITY };
  const graph = new Graph({
    ...{ lanes, kv, activations, layout: {}, blockLength: 1, contextLength: 1 },
    ...{ maxTokens: 1, maxLogitRows: 1, maxItems: 1, maxEdits: 1, maxCopies: 1 },
    batch: nowhere,
    pools: config.caches.map(() => ({ vectors: nowhere, fold: 1 })),
    create: () => nowhere,
    createRows: () => nowhere,
  });
  family.forward(config, outlineWeights(checkpoint, family.weights(config), nowhere), graph);
  return graph.matmuls.map(({ work }) => work);
}
