/**
 * Owns the published shapes of DeepSeek-V4: the tensors of the released files and the caches of each layer, from config.json of Flash and Pro
 * (DeepSeek-AI 2026, arXiv 2606.19348). Refuses to compute anything with them: that is the family's business.
 */
import { scoresSize } from '../../kernels/indexer.ts';
import { billTensors, countParameters, type ReleasedTensor, type ScaleForm } from './released.ts';
import type { CacheBill, ModelBill } from './types.ts';

export interface DeepseekV4Shape {
  readonly name: string;
  readonly vocabulary: number;
  readonly width: number;
  readonly heads: number;
  readonly headLength: number;
  readonly queryRank: number;
  readonly groups: number;
  readonly groupRank: number;
  readonly window: number;
  readonly indexHeads: number;
  readonly indexLength: number;
  readonly indexTop: number;
  readonly experts: number;
  /** Of a token. */
  readonly chosen: number;
  readonly expertWidth: number;
  /** Layers whose experts are chosen by a table of ids. */
  readonly hashLayers: number;
  /** Of each layer: tokens of a compressed entry, 0 for none; the last is that of the layer that guesses ahead. */
  readonly ratios: readonly number[];
}

const common = {
  vocabulary: 129_280,
  headLength: 512,
  groupRank: 1024,
  window: 128,
  indexHeads: 64,
  indexLength: 128,
  chosen: 6,
  hashLayers: 3,
} as const;

const pairs = (count: number): number[] => Array.from({ length: count }, () => [4, 128]).flat();

// biome-ignore format: a table
export const deepseekV4Shapes: readonly DeepseekV4Shape[] = [
  { ...common, name: 'DeepSeek-V4-Flash', width: 4096, heads: 64, queryRank: 1024, groups: 8, experts: 256, expertWidth: 2048, indexTop: 512, ratios: [0, 0, ...pairs(20), 4, 0] },
  { ...common, name: 'DeepSeek-V4-Pro', width: 7168, heads: 128, queryRank: 1536, groups: 16, experts: 384, expertWidth: 3072, indexTop: 1024, ratios: [128, 128, ...pairs(29), 4, 0] },
];

const streams = 4;
const contextLength = 1_048_576;
/** Tokens of a block of the pool. */
const blockLength = 16;

export const deepseekV4Scales: ScaleForm = { dtype: 'F8_E8M0', suffix: '.scale' };

type Place = ReleasedTensor['place'];
type Row = Omit<ReleasedTensor, 'place'>;

const bf16 = (name: string, ...shape: number[]): Row => ({ name, storage: 'BF16', shape });
const f32 = (name: string, ...shape: number[]): Row => ({ name, storage: 'F32', shape });
const fp8 = (name: string, ...shape: number[]): Row => ({ name: `${name}.weight`, storage: 'FP8', shape });

/** Every tensor of the release. */
export function listDeepseekV4(shape: DeepseekV4Shape): ReleasedTensor[] {
  const { vocabulary, width, hashLayers, ratios } = shape;
  const layerCount = ratios.length - 1;
  const at = (place: Place, prefix: string, rows: readonly Row[]): ReleasedTensor[] => rows.map((row) => ({ ...row, name: prefix + row.name, place }));
  const norms = ['enorm', 'hnorm', 'norm'].map((name) => bf16(`${name}.weight`, width));
  return [
    { ...bf16('embed.weight', vocabulary, width), place: 'first', isTable: true },
    ...at('last', '', [bf16('head.weight', vocabulary, width), bf16('norm.weight', width), ...headStreams(width)]),
    ...Array.from({ length: layerCount }, (_, layer) => at(layer, `layers.${layer}.`, listBlock(shape, ratios[layer] ?? 0, layer < hashLayers))).flat(),
    ...at('prediction', 'mtp.0.', [fp8('e_proj', width, width), fp8('h_proj', width, width), ...norms, ...headStreams(width)]),
    ...at('prediction', 'mtp.0.', listBlock(shape, ratios.at(-1) ?? 0, false)),
  ];
}

function headStreams(width: number): Row[] {
  return [f32('hc_head_fn', streams, streams * width), f32('hc_head_base', streams), f32('hc_head_scale', 1)];
}

function listBlock(shape: DeepseekV4Shape, ratio: number, isHashed: boolean): Row[] {
  const { width, headLength } = shape;
  const mix = (2 + streams) * streams;
  return [
    ...['attn', 'ffn'].flatMap((site) => [
      bf16(`${site}_norm.weight`, width),
      f32(`hc_${site}_fn`, mix, streams * width),
      f32(`hc_${site}_base`, mix),
      f32(`hc_${site}_scale`, 3),
    ]),
    ...listAttention(shape),
    ...(ratio > 0 ? listCompressor('attn.compressor', width, ratio, headLength) : []),
    ...(ratio === 4 ? listIndexer(shape) : []),
    ...listExperts(shape, isHashed),
  ];
}

function listAttention({ width, heads, headLength, queryRank, groups, groupRank }: DeepseekV4Shape): Row[] {
  return [
    f32('attn.attn_sink', heads),
    fp8('attn.wq_a', queryRank, width),
    bf16('attn.q_norm.weight', queryRank),
    fp8('attn.wq_b', heads * headLength, queryRank),
    fp8('attn.wkv', headLength, width),
    bf16('attn.kv_norm.weight', headLength),
    fp8('attn.wo_a', groups * groupRank, (heads * headLength) / groups),
    fp8('attn.wo_b', width, groups * groupRank),
  ];
}

/** Windows of four tokens overlap, so that a token has a part in two. */
const partsOf = (ratio: number): number => (ratio === 4 ? 2 : 1);

function listCompressor(name: string, width: number, ratio: number, length: number): Row[] {
  const rows = partsOf(ratio) * length;
  return [
    bf16(`${name}.wkv.weight`, rows, width),
    bf16(`${name}.wgate.weight`, rows, width),
    f32(`${name}.ape`, ratio, rows),
    bf16(`${name}.norm.weight`, length),
  ];
}

function listIndexer({ width, queryRank, indexHeads, indexLength }: DeepseekV4Shape): Row[] {
  const name = 'attn.indexer';
  return [
    fp8(`${name}.wq_b`, indexHeads * indexLength, queryRank),
    bf16(`${name}.weights_proj.weight`, indexHeads, width),
    ...listCompressor(`${name}.compressor`, width, 4, indexLength),
  ];
}

function listExperts({ vocabulary, width, experts, chosen, expertWidth }: DeepseekV4Shape, isHashed: boolean): Row[] {
  const each = (part: string, ...shape: number[]): Row => ({ name: `ffn.experts.*.${part}.weight`, storage: 'FP4', shape, experts });
  const choice: Row = isHashed ? { name: 'ffn.gate.tid2eid', storage: 'I64', shape: [vocabulary, chosen] } : f32('ffn.gate.bias', experts);
  return [
    bf16('ffn.gate.weight', experts, width),
    choice,
    ...[each('w1', expertWidth, width), each('w3', expertWidth, width), each('w2', width, expertWidth)],
    ...[fp8('ffn.shared_experts.w1', expertWidth, width), fp8('ffn.shared_experts.w3', expertWidth, width), fp8('ffn.shared_experts.w2', width, expertWidth)],
  ];
}

/** `numberSize`: bytes of a number of an entry. Rows of the window and of an open entry (a value and its gate) are a sequence's own, in f32. */
function cachesOf({ headLength, window, indexLength, indexTop }: DeepseekV4Shape, ratio: number, numberSize: number): CacheBill[] {
  const entrySize = headLength * numberSize;
  const caches: CacheBill[] = [{ kind: 'window', entrySize: headLength * 4, count: window }];
  if (ratio === 0) return caches;
  // Of overlapping windows the one before is kept as well.
  const open = (length: number): CacheBill => ({ kind: 'open', entrySize: partsOf(ratio) * length * 2 * 4, count: partsOf(ratio) * ratio });
  caches.push(
    { kind: 'compressed', entrySize, every: ratio, room: Math.min(ratio, blockLength), ...(ratio === 4 && { readMost: indexTop }) },
    open(headLength),
  );
  if (ratio === 4) caches.push({ kind: 'index', entrySize: indexLength * numberSize, every: ratio }, open(indexLength));
  return caches;
}

/** `foresees`: the layer that guesses ahead is in the plan, behind the others. */
export function billDeepseekV4(shape: DeepseekV4Shape, numberSize: number, foresees = false): ModelBill {
  const layerCount = shape.ratios.length - 1;
  const ratios = foresees ? shape.ratios : shape.ratios.slice(0, -1);
  const tensors = listDeepseekV4(shape).map((tensor) => (foresees && tensor.place === 'prediction' ? { ...tensor, place: layerCount } : tensor));
  const { name, vocabulary, width, heads, headLength, queryRank, groups, groupRank, indexHeads, indexLength, indexTop, chosen, expertWidth } = shape;
  return {
    name,
    family: 'deepseek_v4',
    parameterCount: countParameters(listDeepseekV4(shape).filter(({ place }) => place !== 'prediction')),
    shape: { contextLength, caches: ratios.map(() => ({ kind: 'latent', latentLength: headLength, ropeLength: 0 })) },
    weights: billTensors(tensors),
    chosen,
    caches: ratios.map((ratio) => cachesOf(shape, ratio, numberSize)),
    streamSize: streams * width * 4,
    // Rows between operations in f32, what the indexer chooses of every token and scores of some at a time, and logits of the rows that are drawn.
    scratchSize({ tokenBudget, maxSequences, contextLength: length }) {
      const attention = queryRank + 2 * heads * headLength + 2 * headLength + groups * groupRank + indexHeads * (indexLength + 1);
      const row = 2 * streams * width + 2 * width + attention + chosen * (expertWidth + width) + expertWidth + indexTop;
      return 4 * (tokenBudget * row + Math.max(2 * maxSequences, 16) * vocabulary) + scoresSize(tokenBudget, Math.ceil(length / 4));
    },
  };
}
