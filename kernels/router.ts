/**
 * Owns the choice of experts: the router's choices and weights of each token, and their order by expert, all on the device. A choice is
 * one expert of one token; choice c of a token is number token * topK + c. Refuses the experts themselves: experts.ts.
 */
import { bindingKind, type Operation, type Place, packParams, placeOf, type Slice, type StepCounts, type Variant, type Vectors } from './kernel.ts';

export interface RouterShape {
  readonly experts: number;
  readonly topK: number;
  /** Softmax over all experts, sigmoid, or sqrt(log(1 + exp(x))). gpt-oss's softmax over the chosen is softmax, renormalized. */
  readonly score: 'softmax' | 'sigmoid' | 'sqrtsoftplus';
  /** Whether a bias is added to the scores that choose; it is not part of the weights. */
  readonly isBiased: boolean;
  /** Weights of a token's choices add up to `scale`. */
  readonly renormalizes: boolean;
  /** Of all weights. */
  readonly scale: number;
  /** Experts in `count` equal groups, of which the `choices` best count; best by the sum of their `top` largest keys. */
  readonly groups?: { readonly count: number; readonly choices: number; readonly top: 1 | 2 };
}

/** Words of the routes: ids, weights (f32), offsets of the experts (one more than experts), choices by expert, and where each expert is if not all are on the device. */
export function routesLength({ experts, topK }: RouterShape, maxTokens: number): number {
  return 3 * maxTokens * topK + 2 * experts + 1;
}

/** Constants of the kernels that read routes. */
export function routeConstants({ experts, topK }: RouterShape, maxTokens: number): Record<string, number> {
  const most = maxTokens * topK;
  return {
    EXPERTS: experts,
    TOP_K: topK,
    ROUTE_WEIGHTS: most,
    ROUTE_OFFSETS: 2 * most,
    ROUTE_ORDER: 2 * most + experts + 1,
    ROUTE_SLOTS: 3 * most + experts + 1,
  };
}

/** `place`: of the logits. */
export function routerVariant(shape: RouterShape, maxTokens: number, place: Place, lanes: number): Variant {
  const { experts, score, groups } = shape;
  return {
    label: `router/${score}/${place}/sg${lanes}`,
    file: 'router.wgsl',
    includes: { SCORE: `score/${score}.wgsl`, PLACE_X: `place/x_${place}.wgsl` },
    constants: {
      LANES: lanes,
      ...routeConstants(shape, maxTokens),
      EXPERT_QUADS: Math.ceil(experts / 4),
      GROUPS: groups?.count ?? 1,
      GROUP_CHOICES: groups?.choices ?? 1,
      GROUP_TOP: groups?.top ?? 1,
      // Softmax keeps the order, but for what it rounds away.
      BY_LOGIT: score === 'softmax' && !shape.isBiased && groups === undefined,
      IS_SOFTMAX: score === 'softmax',
      RENORMALIZES: shape.renormalizes,
    },
    bindings: [bindingKind('read', place), 'write', 'uniform', 'uniform', 'uniform'],
  };
}

export interface RouterBuffers {
  /** [token][experts] f32; rows of whole vectors of four. */
  readonly logits: Vectors;
  /** routesLength words. */
  readonly routes: Slice;
  /** [experts] f32 in uniform buffers: what is added to the scores that choose (zeros without a bias), and what each expert's weight is multiplied by. */
  readonly biases: Slice;
  readonly factors: Slice;
}

export function router(shape: RouterShape, { logits, routes, biases, factors }: RouterBuffers, maxTokens: number, lanes: number): Operation {
  return {
    variants: [routerVariant(shape, maxTokens, placeOf(logits), lanes)],
    resources: [logits, routes, biases, factors],
    params: packParams(Math.ceil(shape.experts / lanes), shape.topK, shape.groups?.count ?? 1, { f32: shape.scale }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

/** `place`: of the logits. */
export function routerTableVariant(shape: RouterShape, maxTokens: number, place: Place, lanes: number, layout: Readonly<Record<string, number>>): Variant {
  return {
    label: `router_table/${shape.score}/${place}/sg${lanes}`,
    file: 'router_table.wgsl',
    includes: { SCORE: `score/${shape.score}.wgsl`, PLACE_X: `place/x_${place}.wgsl` },
    constants: { ...layout, LANES: lanes, ...routeConstants(shape, maxTokens), EXPERT_QUADS: Math.ceil(shape.experts / 4) },
    bindings: [bindingKind('read', place), 'write', 'read', 'read', 'uniform'],
  };
}

export interface RouterTableBuffers extends Pick<RouterBuffers, 'logits' | 'routes'> {
  /** [token id][topK] ids of experts, in a storage buffer. */
  readonly table: Slice;
  readonly batch: Slice;
}

/** Experts by the ids of tokens; their weights are scores of the logits, which add up to `scale`. */
export function routerTable(
  shape: RouterShape,
  { logits, routes, table, batch }: RouterTableBuffers,
  maxTokens: number,
  lanes: number,
  layout: Readonly<Record<string, number>>,
): Operation {
  return {
    variants: [routerTableVariant(shape, maxTokens, placeOf(logits), lanes, layout)],
    resources: [logits, routes, table, batch],
    params: packParams({ f32: shape.scale }),
    choose: () => 0,
    gridX: (counts) => counts.tokens,
    gridY: () => 1,
  };
}

export function expertsSortVariant(shape: RouterShape, maxTokens: number, lanes: number): Variant {
  return {
    label: `experts_sort/sg${lanes}`,
    file: 'experts_sort.wgsl',
    constants: { LANES: lanes, ...routeConstants(shape, maxTokens) },
    bindings: ['write', 'read'],
  };
}

/** Sorts the choices by expert in the steps that `isNeeded` names. */
export function expertsSort(
  shape: RouterShape,
  routes: Slice,
  batch: Slice,
  maxTokens: number,
  lanes: number,
  isNeeded: (counts: StepCounts) => boolean,
): Operation {
  return {
    variants: [expertsSortVariant(shape, maxTokens, lanes)],
    resources: [routes, batch],
    choose: () => 0,
    gridX: (counts) => (isNeeded(counts) ? shape.experts : 0),
    gridY: () => 1,
  };
}
