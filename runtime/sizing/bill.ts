/**
 * Owns the bill of a model whose family the engine has: bytes of weights and caches, layer by layer, from a checkpoint's headers, or from a
 * config.json alone in the storage that it says the model is released in. Refuses encoders, which nothing is generated with.
 */
import { indexStart, type PoolShape, slotVectors } from '../../kernels/attention.ts';
import { packedSize, type StorageWithKernels } from '../../kernels/weights.ts';
import type { LayerCache, WeightSpec } from '../../models/index.ts';
import { poolShapeOf, stateLengthOf } from '../../models/index.ts';
import { expertRows } from '../checkpoint/experts.ts';
import { describeCheckpoint } from '../checkpoint/index.ts';
import { specSize } from '../checkpoint/loader.ts';
import type { Checkpoint } from '../checkpoint/types.ts';
import { InwardError } from '../errors.ts';
import { createPlanner, readModel } from '../plan.ts';
import type { DraftKind, KvFormat } from '../types.ts';
import type { CacheBill, ModelBill, WeightBill } from './types.ts';

/** Throws model_unsupported, checkpoint_invalid, gguf_invalid. `isShape`: there are no files but config.json. */
export function billCheckpoint(checkpoint: Checkpoint, kv: KvFormat, isShape: boolean, draft?: DraftKind): ModelBill {
  const { family, config } = readModel(checkpoint, draft);
  if (config.encoder !== undefined)
    throw new InwardError('model_unsupported', { part: 'a plan over several devices', expected: 'a decoder', found: family.name });
  const { name, parameterCount } = describeCheckpoint(checkpoint);
  const specs = family.weights(config);
  const released = isShape ? releasedStorage(checkpoint) : undefined;
  const plan = createPlanner(checkpoint, draft);
  return {
    name,
    family: family.name,
    parameterCount,
    shape: config,
    weights: billSpecs(specs, (spec) => (released && releasedSize(spec, released)) ?? specSize(checkpoint, spec)),
    chosen: readChosen(checkpoint),
    caches: config.caches.map((cache) => billCache(cache, kv)),
    streamSize: config.embeddingLength * 4 * (checkpoint.model?.config.integer('hc_mult', 1) ?? 1),
    scratchSize: ({ tokenBudget, maxSequences, contextLength, kvTokens, activations }) =>
      plan({ tokenBudget, maxSequences, contextLength, kvTokens, kv, activations }).scratchSize,
  };
}

function readChosen({ model }: Checkpoint): number {
  const key = ['num_experts_per_tok', 'top_k_experts'].find((known) => model?.config.has(known));
  return key === undefined ? 0 : (model?.config.integer(key) ?? 0);
}

function billSpecs(specs: ReadonlyMap<string, WeightSpec>, sizeOf: (spec: WeightSpec) => number): WeightBill[] {
  const bills = Array.from(specs, ([name, spec]): WeightBill => {
    const layer = /^(\d+) /.exec(name)?.[1];
    const place = layer === undefined ? (name.startsWith('output') ? 'last' : 'first') : Number(layer);
    return {
      place,
      size: sizeOf(spec),
      ...(spec.kind === 'experts' && spec.isRouted && { experts: spec.experts }),
      ...(spec.kind === 'matrix' && spec.isTable && { isTable: true }),
    };
  });
  const embedding = specs.get('embedding');
  return specs.has('output') || embedding === undefined ? bills : [...bills, { place: 'last', size: sizeOf(embedding), isCopy: true }];
}

function billCache(cache: LayerCache, kv: KvFormat): CacheBill[] {
  const [pool, stateLength] = [poolShapeOf(cache, kv), stateLengthOf(cache)];
  const state: CacheBill[] = stateLength === undefined ? [] : [{ kind: 'state', entrySize: stateLength * 4, count: 1 }];
  if (pool === undefined || cache.kind === 'state' || cache.kind === 'none') return state;
  if (cache.kind === 'latent') return billLatent(cache, pool);
  const window = cache.kind === 'kv' ? cache.window : undefined;
  return [{ kind: cache.kind, entrySize: slotVectors(pool) * 16, every: 1, ...(window !== undefined && { readMost: window }) }, ...state];
}

/** Index keys are read of all tokens, to choose whose rows are. */
function billLatent({ topK }: Extract<LayerCache, { readonly kind: 'latent' }>, pool: PoolShape): CacheBill[] {
  const rowSize = indexStart(pool) * 16;
  const keySize = slotVectors(pool) * 16 - rowSize;
  return [
    { kind: 'latent', entrySize: rowSize, every: 1, ...(topK !== undefined && { readMost: topK }) },
    ...(keySize > 0 ? [{ kind: 'index', entrySize: keySize, every: 1 } as const] : []),
  ];
}

/** Multiplied in full precision by all who release the others in less: routers, what makes compressed entries, and weights of an indexer's heads. */
const wholeMatrices = /\.(?:gate|router|weights_proj)$|\.compressor\.\w+$/;

/** What config.json says a matrix is released in, by the name of its tensor; undefined: as all others, in BF16. */
function releasedStorage({ model }: Checkpoint): ((tensor: string) => StorageWithKernels) | undefined {
  const quantization = model?.config.object('quantization_config');
  const method = quantization?.string('quant_method', '');
  if (method !== 'fp8' && method !== 'mxfp4') return undefined;
  const kept = (quantization?.strings('modules_to_not_convert') ?? []).map(
    (name) => new RegExp(`(?:^|\\.)${name.replaceAll('.', '\\.').replaceAll('*', '.*')}`),
  );
  const expertStorage = method === 'mxfp4' || model?.config.string('expert_dtype', '') === 'fp4' ? 'FP4' : 'FP8';
  return (tensor) => {
    const name = tensor.replace(/\.weight$/, '');
    // Weights of hyper-connections are no module of their own, and stand in F32.
    if (/(?:^|\.)hc_\w+_fn$/.test(name)) return 'F32';
    if (!/(?:^|\.)(?:layers|mtp)\./.test(name) || wholeMatrices.test(name) || kept.some((module) => module.test(name))) return 'BF16';
    return name.includes('.experts') ? expertStorage : method === 'fp8' ? 'FP8' : 'BF16';
  };
}

function releasedSize(spec: WeightSpec, storageOf: (tensor: string) => StorageWithKernels): number | undefined {
  if (spec.kind === 'experts') return packedSize(storageOf(spec.parts[0] ?? ''), spec.experts * expertRows(spec), spec.columns);
  if (spec.kind !== 'matrix') return undefined;
  return spec.parts.reduce((sum, { tensor, rows, padding = 0 }) => sum + packedSize(storageOf(tensor), rows + padding, spec.columns), 0);
}
