/** CPU references of activation functions and gated units, in double precision. */
import type { ActivationFunction, Gate } from './gated.ts';

/**
 * NMSE. exp() of a CPU device keeps about 1e-6, the error function 1.5e-7 of 1; against outputs of about 1 that is some 1e-13.
 */
export const gatedBound = 1e-11;

/** erf by its series of positive terms (Abramowitz and Stegun 1964, 7.1.6); past 6 it is 1 in double precision. */
export function errorFunction(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const functions: Record<ActivationFunction, (x: number, limit: number) => number> = {
  none: (x) => x,
  silu: (x) => x * sigmoid(x),
  gelu: (x) => 0.5 * x * (1 + errorFunction(x / Math.SQRT2)),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  gelu_quick: (x) => x * sigmoid(1.702 * x),
  relu: (x) => Math.max(x, 0),
  relu_squared: (x) => Math.max(x, 0) ** 2,
  sigmoid,
  tanh: Math.tanh,
  soft_cap: (x, limit) => limit * Math.tanh(x / limit),
};

export function activationReference(name: ActivationFunction, x: number, limit = 0): number {
  return functions[name](x, limit);
}

export function gatedReference(gate: ArrayLike<number>, up: ArrayLike<number>, { activation, limit = Number.MAX_VALUE, upOffset = 0 }: Gate): Float64Array {
  return Float64Array.from(gate, (value, i) => {
    const clamped = Math.max(-limit, Math.min(limit, up[i] ?? 0));
    return activationReference(activation, Math.min(value, limit)) * (clamped + upOffset);
  });
}
