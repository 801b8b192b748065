/**
 * gpt-oss (OpenAI 2025): every other layer looks back over a window, heads have a sink that takes a share of the attention, all
 * projections, the router and the experts have biases, and gates are clamped. Experts come in MXFP4, rows of gate and up in turns.
 * Source: GptOssForCausalLM of Hugging Face transformers; GGUF architecture `gpt-oss`.
 */
import { type Gate, gates } from '../kernels/gated.ts';
import type { Vectors } from '../kernels/kernel.ts';
import type { RouterShape } from '../kernels/router.ts';
import {
  attentionSpecs,
  type DecoderConfig,
  demandActivation,
  matrix,
  outerSpecs,
  outputMatrix,
  type RopeConfig,
  readDecoder,
  readRope,
  readWidth,
  readWindows,
  vector,
  windowAt,
  withWindow,
} from './blocks.ts';
import { expertDown, expertGateAndUp, readExpertCounts } from './experts.ts';
import type { Family, VectorSpec, WeightSpec, Weights } from './family.ts';
import type { Graph } from './graph.ts';
import { ropeFrequencies } from './rope.ts';

interface GptOssConfig extends DecoderConfig {
  readonly rotaryLength: number;
  readonly rope: RopeConfig;
  readonly router: RouterShape;
  /** Inner length of an expert. */
  readonly width: number;
  readonly gate: Gate;
}

export const gptOss: Family<GptOssConfig> = {
  name: 'gpt_oss',
  modelTypes: ['gpt_oss'],
  gguf: {
    architecture: 'gpt-oss',
    // Its YaRN goes by pairs that are no whole numbers, which no key says.
    keys: { intermediate_size: 'expert_feed_forward_length', truncate: () => false },
    tensors: [
      [/^model\.layers\.(\d+)\.post_attention_layernorm\./, 'blk.$1.post_attention_norm.'],
      [/^model\.layers\.(\d+)\.self_attn\.sinks$/, 'blk.$1.attn_sinks.weight'],
    ],
  },

  readConfig(config) {
    const decoder = readDecoder(config);
    demandActivation(config, 'silu');
    config.demand(config.boolean('attention_bias', true), 'attention_bias', 'true', 'false');
    const limit = config.number('swiglu_limit', 7);
    config.demand(limit > 0, 'swiglu_limit', 'above 0', limit);
    const windows = readWindows(config, decoder.layerCount, 2);
    return {
      ...withWindow(decoder, (layer) => windows[layer]),
      rotaryLength: decoder.headLength,
      rope: readRope(config, { base: 150_000 }),
      // A softmax over the chosen is one over all, made to add up to one.
      router: { ...readExpertCounts(config, 'num_local_experts'), score: 'softmax', isBiased: false, renormalizes: true, scale: 1 },
      width: readWidth(config),
      gate: { ...gates.gptOss, limit },
    };
  },

  weights(c) {
    return new Map<string, WeightSpec>([...outerSpecs(c), ...c.caches.flatMap((_, layer) => layerSpecs(c, layer))]);
  },

  canCut: () => true,

  forward(c, w, g) {
    const rotation = g.rotation(ropeFrequencies(c.rotaryLength, c.rope.base, c.rope.scaling));
    let x = g.enter(c.embeddingLength, () => g.embed(w.matrix('embedding')));
    for (const layer of g.layers(c.layerCount)) {
      const norm = { weight: w.vector(`${layer} attention norm`), epsilon: c.epsilon };
      const heads = { ...c, bias: w.vector(`${layer} bias`), sinks: w.vector(`${layer} sinks`), window: windowAt(c, layer) };
      const attended = g.attention(layer, x, norm, w.matrix(`${layer} projections`), heads, rotation);
      x = g.addLinear(x, w.matrix(`${layer} attention output`), attended, { bias: w.vector(`${layer} attention output bias`) });
      x = addExperts(c, w, g, layer, x);
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, { weight: w.vector('output norm'), epsilon: c.epsilon }, outputMatrix(c, w)));
  },
};

function layerSpecs(c: GptOssConfig, layer: number): [string, WeightSpec][] {
  const name = `model.layers.${layer}`;
  const { embeddingLength: columns, width } = c;
  const { experts } = c.router;
  const one = (tensor: string, rows: number): VectorSpec => ({ kind: 'vector', parts: [{ tensor: `${name}.${tensor}`, rows }] });
  const gateAndUp = { ...expertGateAndUp(columns, width, experts, `${name}.mlp.experts`, 'inTurns'), isTransposed: true };
  return [
    ...attentionSpecs(c, layer, { hasBias: true, heads: c }),
    [`${layer} attention output bias`, one('self_attn.o_proj.bias', columns)],
    [`${layer} sinks`, one('self_attn.sinks', c.heads)],
    [`${layer} feed-forward norm`, vector(`${name}.post_attention_layernorm`, columns)],
    [`${layer} router`, matrix(columns, [`${name}.mlp.router`, experts])],
    [`${layer} router bias`, one('mlp.router.bias', experts)],
    [`${layer} experts gate and up`, gateAndUp],
    [`${layer} experts gate and up bias`, biasOf(gateAndUp, `${name}.mlp.experts`)],
    [`${layer} experts down`, { ...expertDown(width, columns, experts, `${name}.mlp.experts`), isTransposed: true }],
    [`${layer} experts down bias`, { kind: 'expertBias', experts, rows: columns, parts: [`${name}.mlp.experts.down_proj_bias`] }],
  ];
}

function biasOf({ experts, rows, padding = 0 }: ReturnType<typeof expertGateAndUp>, name: string): WeightSpec {
  const parts = [`${name}.gate_proj_bias`, `${name}.up_proj_bias`];
  return { kind: 'expertBias', experts, rows, padding, parts, joined: { tensor: `${name}.gate_up_proj_bias`, rows: 'inTurns' } };
}

function addExperts(c: GptOssConfig, w: Weights, g: Graph, layer: number, x: Vectors): Vectors {
  const norm = { weight: w.vector(`${layer} feed-forward norm`), epsilon: c.epsilon };
  return g.experts(x, {
    router: { matrix: w.matrix(`${layer} router`), norm, bias: w.vector(`${layer} router bias`) },
    ...{ shape: c.router, norm, gate: c.gate, to: x },
    gateAndUp: w.experts(`${layer} experts gate and up`),
    gateAndUpBias: w.vector(`${layer} experts gate and up bias`),
    down: w.experts(`${layer} experts down`),
    downBias: w.vector(`${layer} experts down bias`),
  });
}
