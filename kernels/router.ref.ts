/** CPU reference of the choice of experts, in double precision, by sorting. */
import type { RouterShape } from './router.ts';

export interface RouteReference {
  readonly id: number;
  readonly weight: number;
}

/** NMSE of the weights: exp() of a CPU device keeps about 1e-6. */
export const routerBound = 1e-11;

/** A token's choices in order; equal keys by id. */
export function routerReference(
  logits: ArrayLike<number>,
  shape: RouterShape,
  biases: ArrayLike<number> = [],
  factors: ArrayLike<number> = [],
): RouteReference[] {
  const values = Array.from(logits);
  const scores = scoresOf(values, shape);
  const isOrdered = shape.score === 'softmax' && !shape.isBiased && shape.groups === undefined;
  const keys = isOrdered ? values : scores.map((score, id) => score + (biases[id] ?? 0));
  const ids = allowed(keys, shape)
    .sort((a, b) => (keys[b] ?? 0) - (keys[a] ?? 0) || a - b)
    .slice(0, shape.topK);
  return weigh(ids, scores, shape, factors);
}

/** Choices that come from a table. */
export function routerTableReference(logits: ArrayLike<number>, ids: readonly number[], shape: RouterShape): RouteReference[] {
  return weigh(ids, scoresOf(Array.from(logits), shape), { ...shape, renormalizes: true });
}

function scoresOf(values: readonly number[], { score }: RouterShape): number[] {
  const greatest = Math.max(...values);
  const total = values.reduce((sum, value) => sum + Math.exp(value - greatest), 0);
  return values.map((value) => {
    if (score === 'softmax') return Math.exp(value - greatest) / total;
    if (score === 'sigmoid') return 1 / (1 + Math.exp(-value));
    return Math.sqrt(Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value))));
  });
}

function weigh(ids: readonly number[], scores: readonly number[], { renormalizes, scale }: RouterShape, factors: ArrayLike<number> = []): RouteReference[] {
  const sum = ids.reduce((all, id) => all + (scores[id] ?? 0), 0) + 1e-20;
  return ids.map((id) => ({ id, weight: ((scores[id] ?? 0) / (renormalizes ? sum : 1)) * scale * (factors[id] ?? 1) }));
}

/** Experts of the chosen groups. */
function allowed(keys: readonly number[], { groups }: RouterShape): number[] {
  const ids = Array.from(keys.keys());
  if (groups === undefined) return ids;
  const length = keys.length / groups.count;
  const groupKey = (group: number): number =>
    keys
      .slice(group * length, (group + 1) * length)
      .sort((a, b) => b - a)
      .slice(0, groups.top)
      .reduce((sum, key) => sum + key, 0);
  const order = Array.from({ length: groups.count }, (_, group) => group).sort((a, b) => groupKey(b) - groupKey(a) || a - b);
  const chosen = order.slice(0, groups.choices);
  return ids.filter((id) => chosen.includes(Math.floor(id / length)));
}
