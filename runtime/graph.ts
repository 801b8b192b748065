/**
 * Owns the graph of a model on a device: where its caches, its scratch and its constants lie. Refuses what no binding holds: matrices are cut, but these
 * are not.
 */
import { poolExtent } from '../kernels/attention.ts';
import type { TileFacts } from '../kernels/tiles.ts';
import { Graph, type GraphSettings, type LayerCache, poolShapeOf, stateLengthOf } from '../models/index.ts';
import type { OpenDevice } from './device.ts';
import { formatBytes, InwardError } from './errors.ts';
import { type DeviceMemory, wholeBuffer } from './memory.ts';
import { blockLength } from './plan.ts';
import type { Batch } from './scheduling/batch.ts';
import type { MemoryPlan } from './types.ts';

/** Throws out_of_memory, there and when a forward pass asks it for more. */
export function createGraph(
  settings: TileFacts & Pick<GraphSettings, 'range' | 'window'>,
  caches: readonly LayerCache[],
  { contextLength, maxSequences, kv, activations, kvBlocks }: MemoryPlan,
  batch: Batch,
  { open, memory }: { readonly open: OpenDevice; readonly memory: DeviceMemory },
): { readonly graph: Graph; readonly batchBuffer: GPUBuffer } {
  const { range } = settings;
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const batchBuffer = memory.create('batch', 'batch', batch.words.byteLength, storage);
  const isHere = (layer: number): boolean => range === undefined || (layer >= range.start && layer < range.end);
  const { maxTokens, maxLogitRows, maxEdits } = batch.limits;
  const graph = new Graph({
    ...settings,
    ...{ contextLength, kv, activations, maxTokens, maxLogitRows, maxEdits, blockLength },
    layout: batch.layout,
    invocationLimit: open.invocationLimit,
    maxItems: batch.maxItems,
    maxCopies: maxSequences,
    batch: wholeBuffer(batchBuffer),
    pools: caches.map((cache, layer) => {
      const shape = poolShapeOf(cache, kv);
      if (shape === undefined || !isHere(layer)) return undefined;
      const { width, rows, fold } = poolExtent(shape, kvBlocks * blockLength, open);
      return { vectors: memory.createVectors('kv', `KV ${layer}`, open.place, width, rows, 'rgba32uint'), fold };
    }),
    states: caches.map((cache, layer) => {
      const length = stateLengthOf(cache);
      if (length === undefined || !isHere(layer)) return undefined;
      const blocks = memory.create('state', `state ${layer}`, length * 4 * maxSequences, storage);
      return { blocks: wholeBuffer(blocks), length };
    }),
    create: (owner, label, size, data) => {
      demandBinding(owner === 'logits' ? 'The logits' : 'The working memory of a step', size, open);
      const buffer = memory.create(data === undefined ? owner : 'constants', label, size, storage | GPUBufferUsage.UNIFORM);
      if (data !== undefined) open.device.queue.writeBuffer(buffer, 0, data() as Float32Array<ArrayBuffer>);
      return wholeBuffer(buffer);
    },
    createRows: (label, rows, width) => {
      if (open.place === 'buffer') demandBinding('The working memory of a step', rows * width * 4, open);
      return memory.createVectors('activations', label, open.place, width / 4, rows);
    },
  });
  return { graph, batchBuffer };
}

/** What one kernel reads or writes must fit one binding. Throws out_of_memory. */
export function demandBinding(owner: string, size: number, { bindingLimit }: OpenDevice): void {
  if (size > bindingLimit) throw new InwardError('out_of_memory', { owner, needed: formatBytes(size), free: formatBytes(bindingLimit) });
}
