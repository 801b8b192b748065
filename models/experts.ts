/**
 * Owns the mixture of experts as decoders share it: what the configuration says of the router, lists of tensors, and the step of the
 * forward pass, with experts that every token has. Refuses what only one family has.
 */
import { gates } from '../kernels/gated.ts';
import type { Vectors } from '../kernels/kernel.ts';
import type { RouterShape } from '../kernels/router.ts';
import { down, gateAndUp, matrix, paddingOf, type StackConfig, vector } from './blocks.ts';
import type { ExpertsSpec, ModelConfig, VectorSpec, WeightSpec, Weights } from './family.ts';
import type { Graph } from './graph.ts';

export interface MixtureConfig {
  readonly router: RouterShape;
  /** Inner length of an expert, and of what every token has; 0: nothing. */
  readonly width: number;
  readonly sharedWidth: number;
  /** What every token has is multiplied by the sigmoid of a number of the token: Qwen's form, with names of its own. */
  readonly isSharedGated?: boolean;
  /** Whether a layer has experts, or a plain feed-forward part. */
  readonly hasExperts: readonly boolean[];
}

/** The count of experts in all, and of those that a token has, by their keys. */
export function readExpertCounts(config: ModelConfig, key: string, choices = 'num_experts_per_tok'): Pick<RouterShape, 'experts' | 'topK'> {
  const experts = config.integer(key);
  const topK = config.integer(choices);
  config.demand(experts <= 1024, key, 'at most 1024', experts);
  config.demand(topK <= Math.min(experts, 32), choices, `at most ${Math.min(experts, 32)}`, topK);
  return { experts, topK };
}

/** Groups as DeepSeek-V3 has them: of a few best, by their two best experts. */
function readGroups(config: ModelConfig, experts: number): RouterShape['groups'] {
  const count = config.number('n_group', 1);
  const choices = config.number('topk_group', 1);
  if (count === 1) return undefined;
  config.demand(Number.isInteger(count) && count > 0 && count <= 32 && experts % count === 0, 'n_group', `a divisor of ${experts}, at most 32`, count);
  config.demand(Number.isInteger(choices) && choices > 0 && choices <= count, 'topk_group', `1 to ${count}`, choices);
  return { count, choices, top: 2 };
}

/** A sigmoid of each logit, plus a bias where it chooses: DeepSeek-V3 and what came after it. */
export function readSigmoidRouter(config: ModelConfig): RouterShape {
  const counts = readExpertCounts(config, 'n_routed_experts');
  return {
    ...counts,
    score: 'sigmoid',
    isBiased: true,
    renormalizes: config.boolean('norm_topk_prob', true),
    scale: config.number('routed_scaling_factor', 1),
    groups: readGroups(config, counts.experts),
  } as RouterShape;
}

/** Layers with experts: all behind the first `first_k_dense_replace`, or as `mlp_layer_types` has them. */
export function readExpertLayers(config: ModelConfig, layerCount: number): boolean[] {
  const types = config.strings('mlp_layer_types');
  if (types === undefined) {
    const dense = config.number('first_k_dense_replace', 0);
    return Array.from({ length: layerCount }, (_, layer) => layer >= dense);
  }
  config.demand(types.length === layerCount, 'mlp_layer_types', `${layerCount} of them`, types.length);
  for (const type of types) config.demand(type === 'dense' || type === 'sparse', 'mlp_layer_types', 'dense, sparse', type);
  return types.map((type) => type === 'sparse');
}

/** Gate and up of all experts. `name`: of what holds them, as `model.layers.0.mlp.experts`; `rows`: see ExpertTensors. */
export function expertGateAndUp(columns: number, width: number, experts: number, name: string, rows: 'below' | 'inTurns' = 'below'): ExpertsSpec {
  const parts = [`${name}.*.gate_proj`, `${name}.*.up_proj`];
  return { kind: 'experts', isRouted: true, experts, rows: width, padding: paddingOf(width), columns, parts, joined: { tensor: `${name}.gate_up_proj`, rows } };
}

/** What follows them. */
export function expertDown(width: number, rows: number, experts: number, name: string): ExpertsSpec {
  return { kind: 'experts', isRouted: true, experts, rows, columns: width + paddingOf(width), storedColumns: width, parts: [`${name}.*.down_proj`] };
}

/** Of a layer: `feed-forward norm`, `router` with its `selection bias`, `experts gate and up`, `experts down`, and `shared ...` of both; `shared gate`. */
export function mixtureSpecs(c: StackConfig, layer: number, mixture: MixtureConfig, norm?: Pick<VectorSpec, 'isOffset'>): [string, WeightSpec][] {
  const name = `model.layers.${layer}`;
  const { router, width, sharedWidth, isSharedGated = false } = mixture;
  const { experts, isBiased } = router;
  const bias: WeightSpec = { kind: 'vector', parts: [{ tensor: `${name}.mlp.gate.e_score_correction_bias`, rows: experts }] };
  const shared = `${name}.mlp.${isSharedGated ? 'shared_expert' : 'shared_experts'}`;
  const sharedSpecs: [string, WeightSpec][] = [
    [`${layer} shared gate and up`, gateAndUp(c.embeddingLength, sharedWidth, [`${shared}.gate_proj`, `${shared}.up_proj`])],
    [`${layer} shared down`, down(`${shared}.down_proj`, sharedWidth, c.embeddingLength)],
    ...(isSharedGated ? [[`${layer} shared gate`, matrix(c.embeddingLength, [`${name}.mlp.shared_expert_gate`, 1])] satisfies [string, WeightSpec]] : []),
  ];
  return [
    [`${layer} feed-forward norm`, vector(`${name}.post_attention_layernorm`, c.embeddingLength, norm)],
    [`${layer} router`, matrix(c.embeddingLength, [`${name}.mlp.gate`, experts])],
    ...(isBiased ? [[`${layer} selection bias`, bias] satisfies [string, WeightSpec]] : []),
    [`${layer} experts gate and up`, expertGateAndUp(c.embeddingLength, width, experts, `${name}.mlp.experts`)],
    [`${layer} experts down`, expertDown(width, c.embeddingLength, experts, `${name}.mlp.experts`)],
    ...(sharedWidth > 0 ? sharedSpecs : []),
  ];
}

/** x + the chosen experts + the shared ones of the normed x, with what `mixtureSpecs` lists. */
export function addMixture(c: StackConfig, w: Weights, g: Graph, layer: number, x: Vectors, mixture: MixtureConfig): Vectors {
  const { router, sharedWidth, isSharedGated } = mixture;
  const norm = { weight: w.vector(`${layer} feed-forward norm`), epsilon: c.epsilon };
  const mixed = g.experts(x, {
    ...{ shape: router, router: { matrix: w.matrix(`${layer} router`), norm }, norm, gate: gates.swiglu, to: x },
    gateAndUp: w.experts(`${layer} experts gate and up`),
    down: w.experts(`${layer} experts down`),
    selectionBias: router.isBiased ? w.vector(`${layer} selection bias`) : undefined,
  });
  if (sharedWidth === 0) return mixed;
  const hidden = g.gated(x, norm, w.matrix(`${layer} shared gate and up`), gates.swiglu);
  const down = w.matrix(`${layer} shared down`);
  if (!isSharedGated) return g.addLinear(mixed, down, hidden);
  const weights = g.linear('shared gate', w.matrix(`${layer} shared gate`), x, { norm });
  return g.addLinear(mixed, down, g.scaleRows('shared hidden', hidden, weights, down.columns, 'sigmoid'));
}
