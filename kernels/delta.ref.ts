/**
 * CPU references of delta_inputs.wgsl, delta_rule.wgsl and gated_heads.wgsl in double precision, written after the formulas: one product of
 * the state at a time, where the kernel joins them.
 */
import type { DeltaShape } from './delta.ts';

/**
 * Normalised mean squared error. exp() of a CPU device keeps about 1e-6, and so do decay and beta; the state adds up as many such steps as its
 * decay lets it remember, for decays near 1 some dozens.
 */
export const deltaBound = 1e-10;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
const scaled = (a: ArrayLike<number>, factor: number): Float64Array => Float64Array.from(a, (value) => value * factor);

/** What projections give for one token, part after part in their own order. */
export interface DeltaToken {
  /** [queries, keys, values] before the convolution. */
  readonly channels: ArrayLike<number>;
  /** [value heads]. */
  readonly betas: ArrayLike<number>;
  readonly rates: ArrayLike<number>;
}

export interface DeltaWeights {
  /** [channel][taps]. */
  readonly taps: ArrayLike<number>;
  readonly rates: ArrayLike<number>;
  readonly rateBiases: ArrayLike<number>;
}

/** A sequence from its first token on: [value heads][value length] of each. */
export function deltaReference(shape: DeltaShape, weights: DeltaWeights, tokens: readonly DeltaToken[]): Float64Array[] {
  const { keyHeads, valueHeads, keyLength, valueLength, taps, isTiled } = shape;
  const at = (values: ArrayLike<number> | undefined, i: number): number => values?.[i] ?? 0;
  /** [value head][row][column]. */
  const states = Array.from({ length: valueHeads }, () => Array.from({ length: keyLength }, () => new Float64Array(valueLength)));
  return tokens.map((token, t) => {
    const mixed = Float64Array.from(token.channels, (_, channel) => {
      let sum = 0;
      for (let tap = 0; tap < taps; tap++) sum += at(weights.taps, channel * taps + tap) * at(tokens[t - taps + 1 + tap]?.channels, channel);
      return sum * sigmoid(sum);
    });
    const unit = (start: number): Float64Array => {
      const head = mixed.subarray(start, start + keyLength);
      return scaled(head, 1 / Math.sqrt(dot(head, head) + 1e-6));
    };
    const y = new Float64Array(valueHeads * valueLength);
    for (const [head, state] of states.entries()) {
      const keyHead = isTiled ? head % keyHeads : Math.floor(head / (valueHeads / keyHeads));
      const query = scaled(unit(keyHead * keyLength), keyLength ** -0.5);
      const key = unit((keyHeads + keyHead) * keyLength);
      const decay = Math.exp(at(weights.rates, head) * Math.log1p(Math.exp(at(token.rates, head) + at(weights.rateBiases, head))));
      const beta = sigmoid(at(token.betas, head));
      for (const row of state) row.forEach((value, column) => void (row[column] = value * decay));
      for (let column = 0; column < valueLength; column++) {
        const of = (vector: Float64Array): number => vector.reduce((sum, value, row) => sum + value * at(state[row], column), 0);
        const value = at(mixed, 2 * keyHeads * keyLength + head * valueLength + column);
        const change = beta * (value - of(key));
        for (const [row, columns] of state.entries()) columns[column] = at(columns, column) + at(key, row) * change;
        y[head * valueLength + column] = of(query);
      }
    }
    return y;
  });
}

/** One head: normed where there are weights, then times its activated gate. */
export function gatedHeadReference(
  head: ArrayLike<number>,
  gates: ArrayLike<number>,
  activate: (gate: number) => number,
  norm?: { readonly weights: ArrayLike<number>; readonly epsilon: number },
): Float64Array {
  const values = Float64Array.from(head);
  const factor = norm === undefined ? 1 : 1 / Math.sqrt(dot(values, values) / values.length + norm.epsilon);
  return values.map((value, i) => value * factor * (norm?.weights[i] ?? 1) * activate(gates[i] ?? 0));
}
