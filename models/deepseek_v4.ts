/**
 * DeepSeek-V4 (DeepSeek-AI 2026): a residual of four streams (streams.ts); attention in which one latent row is key and value of all heads, over the last
 * tokens and compressed entries (compressed.ts), with results turned back and an output in groups; experts in every layer, in the first ones by a table of token
 * ids. Source: DeepSeek's inference code, and DeepseekV4ForCausalLM of Hugging Face transformers. Activations are not rounded as
 * there. If it is asked for, the block for multi-token prediction (DeepSeek-AI 2024) is computed behind the last layer: from the streams of each token and the
 * embedding of the one behind it, which is known or just chosen, the logits of the next but one.
 */
import { type CompressedCache, rawLength } from '../kernels/compressed.ts';
import type { Gate } from '../kernels/gated.ts';
import type { Slice, Vectors } from '../kernels/kernel.ts';
import type { Norm } from '../kernels/matmul.ts';
import type { RouterShape } from '../kernels/router.ts';
import { streamCount } from '../kernels/streams.ts';
import { demandActivation, down, gateAndUp, matrix, readRope, readStack, readWidth, type StackConfig, vector } from './blocks.ts';
import { type CompressedHeads, type CompressedInputs, compressedAttention } from './compressed.ts';
import { readExpertCounts } from './experts.ts';
import type { ExpertsSpec, Family, ModelConfig, WeightSpec, Weights } from './family.ts';
import type { Graph } from './graph.ts';
import { type Rope, ropeFrequencies } from './rope.ts';
import { joinStreams, mixSpecs, mixStreams, type StreamsConfig, startStreams } from './streams.ts';

interface DeepseekV4Config extends StackConfig, StreamsConfig {
  readonly attention: Omit<CompressedHeads, 'cache'>;
  readonly layerCaches: readonly CompressedCache[];
  readonly headLength: number;
  /** Numbers between the two matrices of queries, and of a group of the output. */
  readonly queryRank: number;
  readonly outputRank: number;
  readonly outputGroups: number;
  /** Of layers without entries, and of the others. */
  readonly ropes: { readonly plain: Rope; readonly compressed: Rope };
  readonly router: RouterShape;
  /** Inner length of an expert, and of what every token has. */
  readonly width: number;
  readonly sharedWidth: number;
  readonly gate: Gate;
  /** Layers whose experts follow from token ids. */
  readonly tableLayers: number;
}

const expected = {
  scoring_func: 'sqrtsoftplus',
  topk_method: 'noaux_tc',
} as const;

function demandForm(config: ModelConfig): void {
  demandActivation(config, 'silu');
  for (const [key, value] of Object.entries(expected)) config.demand(config.string(key, value) === value, key, value, config.string(key, value));
  for (const [key, value] of [
    ['attention_bias', false],
    ['tie_word_embeddings', false],
    ['norm_topk_prob', true],
  ] as const)
    config.demand(config.boolean(key, value) === value, key, String(value), String(!value));
  for (const [key, value] of [
    ['hc_mult', streamCount],
    ['num_key_value_heads', 1],
  ] as const)
    config.demand(config.integer(key, value) === value, key, value, config.integer(key, value));
}

function readLength(config: ModelConfig, key: string, step: number, most: number): number {
  const length = config.integer(key);
  config.demand(length % step === 0 && length <= most, key, `a multiple of ${step}, at most ${most}`, length);
  return length;
}

/** Tokens of an entry of each layer. The list goes on with the blocks for multi-token prediction. */
function readRatios(config: ModelConfig, layerCount: number): CompressedCache['ratio'][] {
  const ratios = config.numbers('compress_ratios') ?? [];
  config.demand(ratios.length >= layerCount, 'compress_ratios', `${layerCount} of them`, ratios.length);
  return ratios.slice(0, layerCount).map((ratio) => {
    config.demand(ratio === 0 || ratio === 4 || ratio === 128, 'compress_ratios', '0, 4, 128', ratio);
    return ratio as CompressedCache['ratio'];
  });
}

function readCaches(config: ModelConfig, layerCount: number, rotaryLength: number): CompressedCache[] {
  const headLength = readLength(config, 'head_dim', 8, 512);
  const window = config.integer('sliding_window');
  const indexLength = readLength(config, 'index_head_dim', 8, 512);
  config.demand(rotaryLength <= Math.min(headLength, indexLength), 'qk_rope_head_dim', `at most ${Math.min(headLength, indexLength)}`, rotaryLength);
  config.demand(window <= 4096, 'sliding_window', 'at most 4096', window);
  return readRatios(config, layerCount).map((ratio) => ({ window, headLength, ratio, indexLength: ratio === 4 ? indexLength : 0 }));
}

function readRopes(config: ModelConfig, rotaryLength: number): DeepseekV4Config['ropes'] {
  const { base, scaling } = readRope(config);
  const compressedBase = config.number('compress_rope_theta');
  config.demand(compressedBase > 1, 'compress_rope_theta', 'above 1', compressedBase);
  // Cosines and sines are not multiplied by anything.
  const own = scaling.kind === 'yarn' ? { ...scaling, attentionFactor: 1 } : scaling;
  config.demand(own.kind === 'yarn' || own.kind === 'default', 'rope_scaling', 'yarn', own.kind);
  return { plain: ropeFrequencies(rotaryLength, base), compressed: ropeFrequencies(rotaryLength, compressedBase, own) };
}

function readGate(config: ModelConfig): Gate {
  const limit = config.number('swiglu_limit');
  config.demand(limit > 0, 'swiglu_limit', 'above 0', limit);
  return { activation: 'silu', limit };
}

function readOutput(config: ModelConfig, width: number): Pick<DeepseekV4Config, 'outputGroups' | 'outputRank'> {
  const [outputGroups, outputRank] = [config.integer('o_groups'), readLength(config, 'o_lora_rank', 4, 16_384)];
  config.demand(width % (outputGroups * 32) === 0, 'o_groups', 'groups of a multiple of 32 channels', outputGroups);
  config.demand((outputGroups * outputRank) % 32 === 0, 'o_lora_rank', 'a multiple of 32 in all groups', outputGroups * outputRank);
  return { outputGroups, outputRank };
}

export const deepseekV4: Family<DeepseekV4Config> = {
  name: 'deepseek_v4',
  modelTypes: ['deepseek_v4'],

  readConfig(config, foresees = false) {
    demandForm(config);
    if (foresees) demandPrediction(config);
    const stack = readStack(config);
    const rotaryLength = readLength(config, 'qk_rope_head_dim', 4, 512);
    const layerCaches = readCaches(config, stack.layerCount, rotaryLength);
    if (foresees) layerCaches.push({ ...(layerCaches[0] as CompressedCache), ratio: 0, indexLength: 0 });
    const headLength = layerCaches[0]?.headLength ?? 0;
    const heads = config.integer('num_attention_heads');
    const width = readWidth(config, 'moe_intermediate_size');
    const shared = config.integer('n_shared_experts');
    config.demand(shared <= 64, 'n_shared_experts', 'at most 64', shared);
    const indexHeads = readLength(config, 'index_n_heads', 4, 256);
    return {
      ...stack,
      foresees,
      ...readOutput(config, heads * headLength),
      caches: layerCaches.map((cache) => ({ kind: 'compressed' as const, ...cache })),
      layerCaches,
      headLength,
      attention: { heads, rotaryLength, indexHeads, topK: config.integer('index_topk'), epsilon: stack.epsilon },
      streamTurns: config.integer('hc_sinkhorn_iters'),
      streamLeast: config.number('hc_eps'),
      queryRank: readLength(config, 'q_lora_rank', 32, 16_384),
      ropes: readRopes(config, rotaryLength),
      router: {
        ...readExpertCounts(config, 'n_routed_experts'),
        ...{ score: 'sqrtsoftplus', isBiased: true, renormalizes: true, scale: config.number('routed_scaling_factor', 1) },
      },
      width,
      sharedWidth: shared * width,
      gate: readGate(config),
      tableLayers: Math.min(config.number('num_hash_layers', 0), stack.layerCount),
    };
  },

  weights(c) {
    const layers = c.layerCaches.flatMap((cache, layer) => {
      const prefix = layer < c.layerCount ? `layers.${layer}` : 'mtp.0';
      return [...attentionSpecs(c, `${layer}`, prefix, cache), ...mixtureSpecs(c, `${layer}`, prefix, layer < c.tableLayers)];
    });
    const { embeddingLength, vocabularySize } = c;
    return new Map<string, WeightSpec>([
      ['embedding', { ...matrix(embeddingLength, ['embed', vocabularySize]), isTable: true }],
      ['output', matrix(embeddingLength, ['head', vocabularySize])],
      ['output norm', vector('norm', embeddingLength)],
      ...mixSpecs(c, 'output', 'hc_head', false),
      ...layers,
      ...(c.foresees ? predictionSpecs(c) : []),
    ]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotations = { plain: g.rotation(c.ropes.plain), compressed: g.rotation(c.ropes.compressed) };
    const width = streamCount * c.embeddingLength;
    let streams = g.enter(width, () => startStreams(c, g, g.embed(w.matrix('embedding'), { label: 'embedded' })));
    for (const layer of g.layers(c.layerCount)) {
      const rotation = c.layerCaches[layer]?.ratio === 0 ? rotations.plain : rotations.compressed;
      streams = addBlock(c, w, g, layer, streams, rotation);
    }
    g.leave(streams, width, () => {
      const x = mixStreams(c, w, g, 'output', streams, false);
      g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, w.matrix('output'));
      if (c.foresees) foresee(c, w, g, streams, rotations.plain);
    });
  },
};

/** The streams with what a layer makes of them. */
function addBlock(c: DeepseekV4Config, w: Weights, g: Graph, layer: number, streams: Vectors, rotation: Slice): Vectors {
  const attended = attend(c, w, g, layer, mixStreams(c, w, g, `${layer} attention`, streams), rotation);
  const between = joinStreams(c, g, streams, attended);
  const mixed = mixExperts(c, w, g, `${layer}`, mixStreams(c, w, g, `${layer} experts`, between), layer < c.tableLayers);
  return joinStreams(c, g, between, mixed);
}

/** Releases with a draft module of several stages have it under the same names. */
function demandPrediction(config: ModelConfig): void {
  const count = config.number('num_nextn_predict_layers', 0);
  config.demand(count === 1, 'num_nextn_predict_layers', 1, count);
  config.demand(!config.has('dspark_block_size'), 'dspark_block_size', 'no such key', 'one');
  const ratio = config.numbers('compress_ratios')?.[config.integer('num_hidden_layers')] ?? 0;
  config.demand(ratio === 0, 'compress_ratios', '0 behind those of the layers', ratio);
}

/** Of the block for multi-token prediction, beside what a layer has: `next norm` and `next` of the embedding, `streams norm` and `streams`, `output norm` and what mixes streams for it. */
function predictionSpecs(c: DeepseekV4Config): [string, WeightSpec][] {
  const { embeddingLength, layerCount } = c;
  return [
    [`${layerCount} next norm`, vector('mtp.0.enorm', embeddingLength)],
    [`${layerCount} next`, matrix(embeddingLength, ['mtp.0.e_proj', embeddingLength])],
    [`${layerCount} streams norm`, vector('mtp.0.hnorm', embeddingLength)],
    [`${layerCount} streams`, { ...matrix(embeddingLength, ['mtp.0.h_proj', embeddingLength]), headRows: embeddingLength }],
    ...mixSpecs(c, `${layerCount} output`, 'mtp.0.hc_head', false),
    [`${layerCount} output norm`, vector('mtp.0.norm', embeddingLength)],
  ];
}

/** The token that is expected behind each chosen one. The embedding and the matrix of logits are the model's own. */
function foresee(c: DeepseekV4Config, w: Weights, g: Graph, streams: Vectors, rotation: Slice): void {
  const { layerCount: layer, embeddingLength, epsilon } = c;
  const norm = (name: string): Norm => ({ weight: w.vector(`${layer} ${name} norm`), epsilon });
  const next = g.embed(w.matrix('embedding'), { label: 'embedded', lookup: 'next' });
  const expected = g.linear('next of streams', w.matrix(`${layer} next`), next, { norm: norm('next') });
  const parts = { count: streamCount, stride: streamCount * embeddingLength };
  const normed = g.norm('normed streams', streams, { kind: 'rms', ...norm('streams') }, embeddingLength, { parts });
  const before = g.linearByPart('projected streams', w.matrix(`${layer} streams`), normed, streamCount);
  const own = addBlock(c, w, g, layer, startStreams(c, g, expected, before), rotation);
  g.foresee(mixStreams(c, w, g, `${layer} output`, own, false), norm('output'), w.matrix('output'));
}

/** Values and gates, for the entries themselves and, where they are chosen among, for their keys; then what is added to gates, and norms. */
function entrySpecs({ embeddingLength }: DeepseekV4Config, name: string, tensor: string, cache: CompressedCache): [string, WeightSpec][] {
  const { ratio, headLength, indexLength } = cache;
  if (ratio === 0) return [];
  const halves = ratio === 4 ? 2 : 1;
  const parts = [
    ['entry', `${tensor}.compressor`, headLength] as const,
    ...(indexLength > 0 ? [['index', `${tensor}.indexer.compressor`, indexLength] as const] : []),
  ];
  const rows = parts.flatMap(([, own, length]) => [[`${own}.wkv`, halves * length] as const, [`${own}.wgate`, halves * length] as const]);
  return [
    [`${name} entries`, matrix(embeddingLength, ...rows)],
    ...parts.flatMap(([part, own, length]): [string, WeightSpec][] => [
      [`${name} ${part} biases`, { kind: 'vector', parts: [{ tensor: `${own}.ape`, rows: ratio }], columns: halves * length }],
      [`${name} ${part} norm`, vector(`${own}.norm`, length)],
    ]),
  ];
}

/** Of a layer: `attention norm` and what mixes streams for it, `query rank` and its norm, `queries`, `row` and its norm, `sinks`, entries, the indexer, and the output in groups and as a whole. */
function attentionSpecs(c: DeepseekV4Config, name: string, prefix: string, cache: CompressedCache): [string, WeightSpec][] {
  const { embeddingLength, queryRank, headLength, outputGroups, outputRank, attention } = c;
  const { heads, indexHeads } = attention;
  const tensor = `${prefix}.attn`;
  const index: [string, WeightSpec][] = [
    [`${name} index queries`, matrix(queryRank, [`${tensor}.indexer.wq_b`, indexHeads * cache.indexLength])],
    [`${name} index weights`, matrix(embeddingLength, [`${tensor}.indexer.weights_proj`, indexHeads])],
  ];
  return [
    ...mixSpecs(c, `${name} attention`, `${prefix}.hc_attn`, true),
    [`${name} attention norm`, vector(`${prefix}.attn_norm`, embeddingLength)],
    [`${name} query rank`, matrix(embeddingLength, [`${tensor}.wq_a`, queryRank])],
    [`${name} query rank norm`, vector(`${tensor}.q_norm`, queryRank)],
    [`${name} queries`, matrix(queryRank, [`${tensor}.wq_b`, heads * headLength])],
    [`${name} row`, matrix(embeddingLength, [`${tensor}.wkv`, headLength])],
    [`${name} row norm`, vector(`${tensor}.kv_norm`, headLength)],
    [`${name} sinks`, { kind: 'vector', parts: [{ tensor: `${tensor}.attn_sink`, rows: heads }] }],
    ...entrySpecs(c, name, tensor, cache),
    ...(cache.indexLength > 0 ? index : []),
    [`${name} output groups`, { ...matrix((heads * headLength) / outputGroups, [`${tensor}.wo_a`, outputGroups * outputRank]), headRows: outputRank }],
    [`${name} attention output`, matrix(outputGroups * outputRank, [`${tensor}.wo_b`, embeddingLength])],
  ];
}

/** output(attention) of the normed x. */
function attend(c: DeepseekV4Config, w: Weights, g: Graph, layer: number, x: Vectors, rotation: Slice): Vectors {
  const { epsilon, outputGroups } = c;
  const cache = c.layerCaches[layer] as CompressedCache;
  const norm = { weight: w.vector(`${layer} attention norm`), epsilon };
  const rank = g.linear('query rank', w.matrix(`${layer} query rank`), x, { norm });
  const rankNorm = { weight: w.vector(`${layer} query rank norm`), epsilon };
  const made = (part: string): { biases: Slice; norm: Slice } => ({ biases: w.vector(`${layer} ${part} biases`), norm: w.vector(`${layer} ${part} norm`) });
  const inputs: CompressedInputs = {
    queries: g.linear('queries in rows', w.matrix(`${layer} queries`), rank, { norm: rankNorm }),
    rows: g.linear('window row', w.matrix(`${layer} row`), x, { norm }),
    rowNorm: w.vector(`${layer} row norm`),
    sinks: w.vector(`${layer} sinks`),
    rotation,
    entries:
      cache.ratio === 0 ? undefined : { rows: g.linear(`entries of ${rawLength(cache)}`, w.matrix(`${layer} entries`), x, { norm }), entry: made('entry') },
    index:
      cache.indexLength === 0
        ? undefined
        : {
            key: made('index'),
            queries: g.linear('index queries', w.matrix(`${layer} index queries`), rank, { norm: rankNorm }),
            weights: g.linear('index weights', w.matrix(`${layer} index weights`), x, { norm, scale: (c.attention.indexHeads * cache.indexLength) ** -0.5 }),
          },
  };
  const attended = compressedAttention(g, layer, inputs, { ...c.attention, cache });
  const grouped = g.linearByHead('output groups', w.matrix(`${layer} output groups`), attended, outputGroups);
  return g.linear('attention result', w.matrix(`${layer} attention output`), grouped);
}

/** Of a layer: what mixes streams for them, `experts norm`, `router`, its bias or table, `experts gate and up`, `experts down`, and `shared ...` of both. */
function mixtureSpecs(c: DeepseekV4Config, name: string, prefix: string, hasTable: boolean): [string, WeightSpec][] {
  const { embeddingLength, vocabularySize, width, sharedWidth, router } = c;
  const { experts, topK } = router;
  const tensor = `${prefix}.ffn`;
  const common: Pick<ExpertsSpec, 'kind' | 'experts' | 'isRouted'> = { kind: 'experts', experts, isRouted: true };
  const shared = `${tensor}.shared_experts`;
  return [
    ...mixSpecs(c, `${name} experts`, `${prefix}.hc_ffn`, true),
    [`${name} experts norm`, vector(`${prefix}.ffn_norm`, embeddingLength)],
    [`${name} router`, matrix(embeddingLength, [`${tensor}.gate`, experts])],
    hasTable
      ? [`${name} table`, { kind: 'ids', tensor: `${tensor}.gate.tid2eid`, rows: vocabularySize, columns: topK, below: experts }]
      : [`${name} selection bias`, { kind: 'vector', parts: [{ tensor: `${tensor}.gate.bias`, rows: experts }] }],
    [`${name} experts gate and up`, { ...common, rows: width, columns: embeddingLength, parts: [`${tensor}.experts.*.w1`, `${tensor}.experts.*.w3`] }],
    [`${name} experts down`, { ...common, rows: embeddingLength, columns: width, parts: [`${tensor}.experts.*.w2`] }],
    [`${name} shared gate and up`, gateAndUp(embeddingLength, sharedWidth, [`${shared}.w1`, `${shared}.w3`])],
    [`${name} shared down`, down(`${shared}.w2`, sharedWidth, embeddingLength)],
  ];
}

/** The chosen experts and the shared ones of the normed x. */
function mixExperts(c: DeepseekV4Config, w: Weights, g: Graph, name: string, x: Vectors, hasTable: boolean): Vectors {
  const { router, gate, epsilon } = c;
  const norm = { weight: w.vector(`${name} experts norm`), epsilon };
  const mixed = g.experts(x, {
    ...{ shape: router, router: { matrix: w.matrix(`${name} router`), norm }, norm, gate },
    gateAndUp: w.experts(`${name} experts gate and up`),
    down: w.experts(`${name} experts down`),
    selectionBias: hasTable ? undefined : w.vector(`${name} selection bias`),
    table: hasTable ? w.vector(`${name} table`) : undefined,
  });
  return g.addLinear(mixed, w.matrix(`${name} shared down`), g.gated(x, norm, w.matrix(`${name} shared gate and up`), gate));
}
