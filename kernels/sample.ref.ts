/** CPU reference of sampling: the distribution that temperature, top-k and top-p leave, in double precision. */

export interface SampleReference {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
}

/** Probability of every id; sorting, where the kernel bisects. Top-k first, then top-p of what is left. */
export function sampleDistribution(logits: ArrayLike<number>, { temperature, topK, topP }: SampleReference): Float64Array {
  const order = Array.from({ length: logits.length }, (_, id) => id).sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0));
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const largest = logits[order[0] ?? 0] ?? 0;
  const weights = kept.map((id) => Math.exp(((logits[id] ?? 0) - largest) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const out = new Float64Array(logits.length);
  let mass = 0;
  let keptMass = 0;
  kept.forEach((id, i) => {
    if (mass < topP * total) {
      out[id] = weights[i] ?? 0;
      keptMass += weights[i] ?? 0;
    }
    mass += weights[i] ?? 0;
  });
  return out.map((weight) => weight / keptMass);
}
