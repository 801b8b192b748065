/**
 * Owns what Gemma families share: a norm before and after each block, layers that look back over a window in turn with others, defaults of
 * configurations that are left out of released files, and what GGUF calls these tensors. Refuses what only one of them has.
 */
import { gates } from '../kernels/gated.ts';
import type { Vectors } from '../kernels/kernel.ts';
import type { Norm } from '../kernels/matmul.ts';
import { type DecoderConfig, down, gateAndUp, matrix, vector } from './blocks.ts';
import type { ModelConfig, TensorRule, VectorSpec, WeightSpec, Weights } from './family.ts';
import type { Graph } from './graph.ts';

export interface GemmaConfig extends DecoderConfig {
  /** Of each layer: positions that a token sees; undefined: all. */
  readonly windows: readonly (number | undefined)[];
}

export const gemmaTensors: readonly TensorRule[] = [
  [/^model\.layers\.(\d+)\.post_attention_layernorm\./, 'blk.$1.post_attention_norm.'],
  [/^model\.layers\.(\d+)\.pre_feedforward_layernorm\./, 'blk.$1.ffn_norm.'],
  [/^model\.layers\.(\d+)\.post_feedforward_layernorm\./, 'blk.$1.post_ffw_norm.'],
];

/** Numbers that files leave out where they are those of the reference's configuration class. */
export function withDefaults(config: ModelConfig, defaults: Readonly<Record<string, number>>): ModelConfig {
  return {
    ...config,
    integer: (key, fallback) => config.integer(key, defaults[key] ?? fallback),
    number: (key, fallback) => config.number(key, defaults[key] ?? fallback),
  };
}

/** What queries are multiplied by. */
export function readQueryScale(config: ModelConfig, standard: number): number {
  const scalar = config.number('query_pre_attn_scalar', standard);
  config.demand(scalar > 0, 'query_pre_attn_scalar', 'above 0', scalar);
  return scalar ** -0.5;
}

/** The c of c * tanh(x / c); undefined where there is none. */
export function readSoftCap(config: ModelConfig, key: string): number | undefined {
  if (!config.has(key)) return undefined;
  const cap = config.number(key);
  config.demand(cap > 0, key, 'above 0', cap);
  return cap;
}

/** Of a layer: the norms around its two blocks, what its attention ends with, and its feed-forward part. */
export function layerSpecs(
  { embeddingLength }: GemmaConfig,
  layer: number,
  { queryRows, width, norm }: { readonly queryRows: number; readonly width: number; readonly norm: Pick<VectorSpec, 'isOffset'> },
): [string, WeightSpec][] {
  const name = `model.layers.${layer}`;
  return [
    [`${layer} attention norm`, vector(`${name}.input_layernorm`, embeddingLength, norm)],
    [`${layer} attention output`, matrix(queryRows, [`${name}.self_attn.o_proj`, embeddingLength])],
    [`${layer} attention output norm`, vector(`${name}.post_attention_layernorm`, embeddingLength, norm)],
    [`${layer} feed-forward norm`, vector(`${name}.pre_feedforward_layernorm`, embeddingLength, norm)],
    [`${layer} gate and up`, gateAndUp(embeddingLength, width, [`${name}.mlp.gate_proj`, `${name}.mlp.up_proj`])],
    [`${layer} down`, down(`${name}.mlp.down_proj`, width, embeddingLength)],
    [`${layer} down norm`, vector(`${name}.post_feedforward_layernorm`, embeddingLength, norm)],
  ];
}

/** A forward pass as Gemmas have it. */
export class GemmaBlocks {
  readonly #config: GemmaConfig;
  readonly #weights: Weights;
  readonly #graph: Graph;

  constructor(config: GemmaConfig, weights: Weights, graph: Graph) {
    this.#config = config;
    this.#weights = weights;
    this.#graph = graph;
  }

  norm(name: string): Norm {
    return { weight: this.#weights.vector(name), epsilon: this.#config.epsilon };
  }

  /** Ids times the root of their length, which the reference rounds to the type that it computes in; here that is f32. */
  embed(): Vectors {
    return this.#graph.embed(this.#weights.matrix('embedding'), Math.fround(Math.sqrt(this.#config.embeddingLength)));
  }

  /** (x + norm(W y)) * scale; `name`: of W. */
  add(x: Vectors, name: string, y: Vectors, scale?: number): Vectors {
    const block = this.#graph.linear('block', this.#weights.matrix(name), y);
    return this.#graph.addNormed(x, block, { kind: 'rms', ...this.norm(`${name} norm`) }, this.#config.embeddingLength, scale);
  }

  /** x plus its feed-forward part, times `scale`. */
  feedForward(x: Vectors, layer: number, scale?: number): Vectors {
    const hidden = this.#graph.gated(x, this.norm(`${layer} feed-forward norm`), this.#weights.matrix(`${layer} gate and up`), gates.gegluTanh);
    return this.add(x, `${layer} down`, hidden, scale);
  }
}
