/** CPU reference of what becomes of a logit row, in double precision: edits, the distribution that is left to draw from, log-probabilities. */

export interface SampleReference {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
}

export interface EditReference {
  readonly id: number;
  readonly bias: number;
  readonly repetition: number;
  readonly penalty: number;
}

/** Bias first, then the repetition penalty, then what is taken off. */
export function editLogits(logits: ArrayLike<number>, edits: readonly EditReference[]): Float64Array {
  const out = Float64Array.from(logits);
  for (const { id, bias, repetition, penalty } of edits) {
    const biased = (out[id] ?? 0) + bias;
    out[id] = (biased > 0 ? biased / repetition : biased * repetition) - penalty;
  }
  return out;
}

/** Natural logarithms of the softmax. */
export function logSoftmax(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const largest = values.reduce((best, value) => Math.max(best, value), Number.NEGATIVE_INFINITY);
  const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0);
  return values.map((value) => value - largest - Math.log(sum));
}

/** Probability of every id; sorting, where the kernel bisects. Top-k first, then top-p of what is left, then min-p. */
export function sampleDistribution(logits: ArrayLike<number>, { temperature, topK, topP, minP }: SampleReference): Float64Array {
  const order = Array.from({ length: logits.length }, (_, id) => id).sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0));
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const largest = logits[order[0] ?? 0] ?? 0;
  const weights = kept.map((id) => Math.exp(((logits[id] ?? 0) - largest) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const out = new Float64Array(logits.length);
  let mass = 0;
  let keptMass = 0;
  kept.forEach((id, i) => {
    // The likeliest weighs 1.
    if (mass < topP * total && (weights[i] ?? 0) >= minP) {
      out[id] = weights[i] ?? 0;
      keptMass += weights[i] ?? 0;
    }
    mass += weights[i] ?? 0;
  });
  return out.map((weight) => weight / keptMass);
}
