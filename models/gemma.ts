/**
 * Owns what Gemma families share: a norm before and after each block, layers that look back over a window in turn with others, defaults of
 * configurations that are left out of released files, and what GGUF calls these tensors. Refuses what only one of them has.
 */
import { gates } from '../kernels/gated.ts';
import type { Vectors } from '../kernels/kernel.ts';
import type { Norm } from '../kernels/matmul.ts';
import type { RowNorm } from '../kernels/norms.ts';
import { type DecoderConfig, feedForwardSpecs, type RopeConfig, readRope, vector } from './blocks.ts';
import type { ModelConfig, TensorRule, VectorSpec, WeightSpec, Weights } from './family.ts';
import type { Graph } from './graph.ts';

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
export function readSoftCap(config: ModelConfig, key: string, standard?: number): number | undefined {
  if (standard === undefined && !config.has(key)) return undefined;
  const cap = config.number(key, standard);
  config.demand(cap > 0, key, 'above 0', cap);
  return cap;
}

/** Frequencies of layers that see everything, and of those with a window. */
export interface GemmaRopes {
  readonly full: RopeConfig;
  readonly sliding: RopeConfig;
}

/** `full`: where the file has nothing about them. `rope_scaling` of older files is meant for layers that see everything. */
export function readRopes(config: ModelConfig, full: RopeConfig): GemmaRopes {
  const own = config.object('rope_parameters');
  const isNamed = (own?.object('full_attention') ?? config.object('rope_scaling')) !== undefined;
  const found = readRope(config, { base: full.base, parameters: own?.object('full_attention') });
  const base = config.number('rope_local_base_freq', 10_000);
  config.demand(base > 1, 'rope_local_base_freq', 'above 1', base);
  const sliding = own?.object('sliding_attention');
  return {
    full: isNamed ? found : { base: found.base, scaling: full.scaling },
    sliding: sliding === undefined ? { base, scaling: { kind: 'default' } } : readRope(config, { base, parameters: sliding }),
  };
}

/** Of a layer: its feed-forward part and the norms behind its two blocks. */
export function blockSpecs(c: DecoderConfig, layer: number, width: number, norm: Pick<VectorSpec, 'isOffset'> = {}): [string, WeightSpec][] {
  const name = `model.layers.${layer}`;
  return [
    [`${layer} attention output norm`, vector(`${name}.post_attention_layernorm`, c.embeddingLength, norm)],
    ...feedForwardSpecs(c, layer, width, { before: 'pre_feedforward_layernorm', norm }),
    [`${layer} down norm`, vector(`${name}.post_feedforward_layernorm`, c.embeddingLength, norm)],
  ];
}

/** Steps of a forward pass as Gemmas have it. */
export class GemmaBlocks {
  readonly #config: DecoderConfig;
  readonly #weights: Weights;
  readonly #graph: Graph;

  constructor(config: DecoderConfig, weights: Weights, graph: Graph) {
    this.#config = config;
    this.#weights = weights;
    this.#graph = graph;
  }

  norm(name: string): Norm & RowNorm {
    return { kind: 'rms', weight: this.#weights.vector(name), epsilon: this.#config.epsilon };
  }

  /** Ids times the root of their length, which the reference rounds to the type that it computes in; here that is f32. */
  embed(): Vectors {
    return this.#graph.embed(this.#weights.matrix('embedding'), { scale: Math.fround(Math.sqrt(this.#config.embeddingLength)) });
  }

  /** (x + norm(W y)) * scale; `name`: of W. */
  add(x: Vectors, name: string, y: Vectors, scale?: number): Vectors {
    return this.#graph.addNormed(x, this.#graph.linear('block', this.#weights.matrix(name), y), this.norm(`${name} norm`), this.#config.embeddingLength, scale);
  }

  /** What the feed-forward part of a layer multiplies by its last matrix. */
  hidden(x: Vectors, layer: number): Vectors {
    return this.#graph.gated(x, this.norm(`${layer} feed-forward norm`), this.#weights.matrix(`${layer} gate and up`), gates.gegluTanh);
  }
}
