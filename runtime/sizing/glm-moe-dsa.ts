/**
 * Owns the published shapes of GLM-5, 5.1 and 5.2: the tensors of the released files and the caches of each layer, from their config.json
 * (Zhipu AI 2026, arXiv 2602.15763 and 2603.12201). Refuses to compute anything with them: that is the family's business.
 */
import { scoresSize } from '../../kernels/indexer.ts';
import { billTensors, countParameters, type ReleasedTensor, type ScaleForm } from './released.ts';
import type { CacheBill, ModelBill } from './types.ts';

interface GlmShape {
  readonly name: string;
  readonly contextLength: number;
  /** Layers from `offset` on choose for themselves in turns of `period`; those between use what the last one chose. */
  readonly indexers: { readonly period: number; readonly offset: number };
  readonly storage: 'BF16' | 'FP8';
}

const every = { period: 1, offset: 2 };
const shared = { period: 4, offset: 3 };

export const glmShapes: readonly GlmShape[] = [
  { name: 'GLM-5', contextLength: 202_752, indexers: every, storage: 'BF16' },
  { name: 'GLM-5-FP8', contextLength: 202_752, indexers: every, storage: 'FP8' },
  { name: 'GLM-5.1', contextLength: 202_752, indexers: every, storage: 'BF16' },
  { name: 'GLM-5.1-FP8', contextLength: 202_752, indexers: every, storage: 'FP8' },
  { name: 'GLM-5.2', contextLength: 1_048_576, indexers: shared, storage: 'BF16' },
  { name: 'GLM-5.2-FP8', contextLength: 1_048_576, indexers: shared, storage: 'FP8' },
];

/** The same in all. */
const vocabulary = 154_880;
const width = 6144;
const layerCount = 78;
const heads = 64;
const queryRank = 2048;
const latentLength = 512;
const plainLength = 192;
const ropeLength = 64;
const valueLength = 256;
const denseLayers = 3;
const denseWidth = 12_288;
const experts = 256;
const expertWidth = 2048;
const chosen = 8;
const indexHeads = 32;
const indexLength = 128;
const indexTop = 2048;

export const glmScales: ScaleForm = { dtype: 'F32', suffix: '.weight_scale_inv' };

/** Whether a layer has an indexer of its own. */
function hasIndexer({ indexers: { period, offset } }: GlmShape, layer: number): boolean {
  return Math.max(layer - offset + 1, 0) % period === 0;
}

type Row = Omit<ReleasedTensor, 'place'>;

/** Every tensor of the release. */
export function listGlm(shape: GlmShape): ReleasedTensor[] {
  const layer = (number: number, place: ReleasedTensor['place'], rows: readonly Row[]): ReleasedTensor[] =>
    rows.map((row) => ({ ...row, name: `model.layers.${number}.${row.name}`, place }));
  const prediction = [plain('enorm', width), plain('hnorm', width), plain('eh_proj', width, 2 * width), plain('shared_head.norm', width)];
  return [
    { ...plain('model.embed_tokens', vocabulary, width), place: 'first', isTable: true },
    { ...plain('lm_head', vocabulary, width), place: 'last' },
    { ...plain('model.norm', width), place: 'last' },
    ...Array.from({ length: layerCount }, (_, number) => layer(number, number, listLayer(shape, number, hasIndexer(shape, number)))).flat(),
    ...layer(layerCount, 'prediction', [...prediction, ...listLayer(shape, layerCount, true)]),
  ];
}

const plain = (name: string, ...shape: number[]): Row => ({ name: `${name}.weight`, storage: 'BF16', shape });

function listLayer({ storage }: GlmShape, layer: number, isIndexed: boolean): Row[] {
  const linear = (name: string, ...shape: number[]): Row => ({ name: `${name}.weight`, storage, shape });
  const gated = (name: string, inner: number): Row[] => [
    linear(`${name}.gate_proj`, inner, width),
    linear(`${name}.up_proj`, inner, width),
    linear(`${name}.down_proj`, width, inner),
  ];
  return [
    plain('input_layernorm', width),
    plain('post_attention_layernorm', width),
    linear('self_attn.q_a_proj', queryRank, width),
    plain('self_attn.q_a_layernorm', queryRank),
    linear('self_attn.q_b_proj', heads * (plainLength + ropeLength), queryRank),
    linear('self_attn.kv_a_proj_with_mqa', latentLength + ropeLength, width),
    plain('self_attn.kv_a_layernorm', latentLength),
    linear('self_attn.kv_b_proj', heads * (plainLength + valueLength), latentLength),
    linear('self_attn.o_proj', width, heads * valueLength),
    ...(isIndexed
      ? [
          linear('self_attn.indexer.wq_b', indexHeads * indexLength, queryRank),
          linear('self_attn.indexer.wk', indexLength, width),
          plain('self_attn.indexer.k_norm', indexLength),
          { name: 'self_attn.indexer.k_norm.bias', storage: 'BF16', shape: [indexLength] } as const,
          plain('self_attn.indexer.weights_proj', indexHeads, width),
        ]
      : []),
    ...(layer < denseLayers
      ? gated('mlp', denseWidth)
      : [
          plain('mlp.gate', experts, width),
          { name: 'mlp.gate.e_score_correction_bias', storage: 'F32', shape: [experts] } as const,
          ...gated('mlp.experts.*', expertWidth).map((row) => ({ ...row, experts })),
          ...gated('mlp.shared_experts', expertWidth),
        ]),
  ];
}

export function billGlm(shape: GlmShape, numberSize: number): ModelBill {
  const tensors = listGlm(shape);
  const latent: CacheBill = { kind: 'latent', entrySize: (latentLength + ropeLength) * numberSize, every: 1, readMost: indexTop };
  const index: CacheBill = { kind: 'index', entrySize: indexLength * numberSize, every: 1 };
  return {
    name: shape.name,
    family: 'glm_moe_dsa',
    parameterCount: countParameters(tensors.filter(({ place }) => place !== 'prediction')),
    shape: { contextLength: shape.contextLength, caches: Array.from({ length: layerCount }, () => ({ kind: 'latent', latentLength, ropeLength })) },
    weights: billTensors(tensors),
    chosen,
    caches: Array.from({ length: layerCount }, (_, layer) => (hasIndexer(shape, layer) ? [latent, index] : [latent])),
    streamSize: width * 4,
    // Rows between operations in f32, what the indexer chooses of every token and scores of some at a time, and logits of the rows that are drawn.
    scratchSize({ tokenBudget, maxSequences, contextLength }) {
      const attention = queryRank + heads * (plainLength + ropeLength + 2 * (latentLength + ropeLength) + valueLength) + indexHeads * (indexLength + 1);
      const row = 4 * width + attention + Math.max(denseWidth, chosen * (expertWidth + width) + expertWidth) + indexTop;
      return 4 * (tokenBudget * row + Math.max(2 * maxSequences, 16) * vocabulary) + scoresSize(tokenBudget, contextLength);
    },
  };
}
